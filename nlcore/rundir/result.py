"""What a run says at its end: the content of ``summary.json``, of ``--json`` and of a row of ``nl table``."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlcore.errors import UserError
from nlcore.host.hookspecs import slots
from nlcore.rundir.directory import RunDirectory
from nlcore.rundir.figures import balanced, interval_in_words, per_class, wilson
from nlcore.rundir.notebook import as_frame, html_picture, html_table

if TYPE_CHECKING:
    import pandas
    from matplotlib.figure import Figure

__all__ = ["Result", "accuracies", "per_class"]

_WIDTH = 560  # of curves in a notebook, in pixels
_MANY = 10_000  # test images: with as many an accuracy is known to a point, and its interval is not worth a line


@dataclass(frozen=True, repr=False)
class Result:
    """
    The result of a run. Accuracies and rates are from 0 to 1; None where something is unknown or was not measured.

    Attributes:
        run_dir: where the run's files are.
        status: ``running``, ``done``, ``interrupted``, ``diverged`` or ``failed``.
        components: the name of what filled each slot: ``components["loss"]``. They stand beside the rest in JSON.
        seed, noise_seed: as given.
        epochs: how many were asked for.
        noise_rate: the realised fraction of wrong labels.
        test_accuracy: ``last``; ``mean_last_10`` (of all where there are fewer); ``selected`` (at the epoch that is
            best on held-out noisy data); ``best_oracle`` (the best of all epochs on the test set itself).
        memorisation: ``clean_accuracy``, ``memorised`` and ``corrected`` over the whole training set at the end.
        further_tests: the same as `test_accuracy` of each further test set, by its name.
        data: what its data are called in titles: as the user's folder or table is, else as the data set.
        options: the components' parameters that differ from their defaults, as ``{"loss.q": 0.3}``.
        oracles: what the method was told that a user could not know.
        preset: the preset that the run was made from: its ``name``, and what is ``unlike`` it; empty of any other.
        num_weights: how many weights all networks have.
        sampling: how epochs showed the images, ``shuffled`` or ``balanced``; None where the method chooses them itself.
        per_class: of each class in the test set what the last epoch's model makes of it, as
            `nlcore.rundir.figures.per_class` says: ``name``, ``count``, ``recall`` and more.
        confusion: counts [true, predicted] of the test set by the last epoch's model; of more than 100 classes only
            ``confusion.csv`` has them.
        ece: expected calibration error of the last epoch's model on the test set, see `nlcore.rundir.figures`.
        labels_sha256: of the given labels that led to the result.
        seconds: of training and evaluation.
        images_per_second: of training, over the whole run.
        peak_memory: held at most, in GB (10⁹ bytes): of a GPU, else of the whole process.
        message: why a run ended before its end.

    """

    run_dir: Path
    status: str
    components: Mapping[str, str]
    seed: int
    noise_seed: int
    epochs: int
    noise_rate: float | None = None
    test_accuracy: Mapping[str, float | None] = field(default_factory=lambda: accuracies([]))
    memorisation: Mapping[str, float | None] = field(default_factory=dict)
    further_tests: Mapping[str, Mapping[str, float | None]] = field(default_factory=dict)
    data: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    oracles: Sequence[str] = ()
    preset: Mapping[str, Any] = field(default_factory=dict)
    num_weights: int | None = None
    sampling: str | None = "shuffled"
    per_class: Sequence[Mapping[str, Any]] = ()
    confusion: Sequence[Sequence[int]] = ()
    ece: float | None = None
    labels_sha256: str | None = None
    seconds: float | None = None
    images_per_second: float | None = None
    peak_memory: float | None = None
    message: str | None = None

    def __repr__(self) -> str:
        """Return the result in a few lines; every field is an attribute."""
        return "\n  ".join([f"Result: {self.status}", self._what(), *self.lines()])

    def _repr_html_(self) -> str:
        """Return the result as a small table for notebooks, and its curves where there are some."""
        rows = [line.partition(": ")[::2] for line in self.lines()]
        table = html_table(f"Result: {self.status}. {self._what()}", (), rows)
        curves = self.run_dir / "curves.png"
        if not curves.is_file():
            return table
        return f"<div>{table}\n{html_picture(curves.read_bytes(), 'curves by epoch', _WIDTH)}</div>"

    def _what(self) -> str:
        used = self.components
        method = f"{used.get('loss')}, {used.get('strategy')}, {used.get('architecture')}"
        return f"{method} on {self.data or used.get('dataset')}, {used.get('noise')} noise, seed {self.seed}"

    def to_json(self) -> dict[str, Any]:
        """Return the result as plain JSON values."""
        content = dataclasses.asdict(self)
        components = content.pop("components")
        more: dict[str, Any] = {"oracles": list(self.oracles), "per_class": [dict(one) for one in self.per_class]}
        more["confusion"] = [list(row) for row in self.confusion]
        interval = self.accuracy_interval
        figures: dict[str, Any] = {"accuracy_interval": None if interval is None else list(interval)}
        figures["balanced_accuracy"] = self.balanced_accuracy
        return {**content, **components, **more, **figures, "run_dir": str(self.run_dir)}

    @property
    def accuracy_interval(self) -> tuple[float, float] | None:
        """The 95 % interval (Wilson) of the last epoch's test accuracy; None where it was not measured."""
        known = [one for one in self.per_class if one["accuracy"] is not None]
        right = sum(round(one["accuracy"] * one["count"]) for one in known)
        return wilson(right, sum(one["count"] for one in known))

    @property
    def balanced_accuracy(self) -> float | None:
        """The mean of the classes' test accuracies in the last epoch; None where it was not measured."""
        return balanced(self.per_class)

    def lines(self) -> list[str]:
        """Return the result in words, for the terminal."""
        known = _in_words(self.test_accuracy)
        interval = self.accuracy_interval
        if known and interval and sum(one["count"] for one in self.per_class) < _MANY:
            known[0] += f" (95% interval {interval_in_words(interval)})"
        lines = [f"test accuracy: {', '.join(known)}"] if known else []
        further = {name: _in_words(found) for name, found in self.further_tests.items()}
        lines += [f"test accuracy on {name}: {', '.join(words)}" for name, words in further.items() if words]
        memorised, corrected = self.memorisation.get("memorised"), self.memorisation.get("corrected")
        if memorised is not None and corrected is not None:
            lines.append(f"mislabelled training images: {memorised:.2%} memorised, {corrected:.2%} corrected")
        lines += self._classes_in_words()
        if self.oracles:
            lines.append(f"oracle: {', '.join(self.oracles)}")
        if self.message:
            lines.append(f"{self.status}: {self.message}")
        return [*lines, f"run: {self.run_dir}"]

    def _classes_in_words(self) -> list[str]:
        """Return the balanced accuracy where classes differ in size, and the classes that are never right."""
        known = [one for one in self.per_class if one["accuracy"] is not None]
        lines = []
        counts = [one["count"] for one in known]
        if counts and max(counts) > 1.5 * min(counts):
            lines.append(f"mean over classes: {sum(one['accuracy'] for one in known) / len(known):.2%}")
        never = [str(one["name"]) for one in known if one["accuracy"] == 0]
        if never:
            more = f" and {len(never) - 5} more" if len(never) > 5 else ""
            rare = self.sampling == "shuffled" and max(counts) > 1.5 * min(counts)
            way_out = "try --sampling balanced, or more epochs" if rare else "try more epochs"
            lines.append(f"never right: {', '.join(never[:5])}{more} (on none of their test images; {way_out})")
        return lines

    @property
    def metrics(self) -> list[dict[str, Any]]:
        """The rows of ``metrics.jsonl``, one for each epoch, as mappings."""
        return RunDirectory(self.run_dir).metrics()

    @property
    def history(self) -> dict[str, list[Any]]:
        """
        The columns of ``metrics.jsonl``: ``{"epoch": [1, 2], "test_accuracy": [0.4, 0.5]}``, a value for each epoch.

        None stands where something was not measured.
        """
        rows = self.metrics
        return {name: [row.get(name) for row in rows] for name in dict.fromkeys(key for row in rows for key in row)}

    def frame(self) -> pandas.DataFrame:
        """
        Return the rows of ``metrics.jsonl``, one for each epoch, as a DataFrame.

        Raises:
            UserError: pandas is not installed.

        """
        return as_frame(self.metrics)

    def plot(self) -> Figure:
        """Return test accuracy and the share of wrong labels memorised by epoch, as ``curves.png`` shows them."""
        from nlcore.rundir.plots import curves_figure

        return curves_figure(self.metrics, self)

    @classmethod
    def read(cls, path: Path | str) -> Result:
        """
        Return the result that a run directory holds.

        Raises:
            UserError: it is no run.

        """
        path = Path(path)
        summary = RunDirectory(path).summary()
        names = {item.name for item in dataclasses.fields(cls)}
        try:
            components = {slot: str(summary[slot]) for slot in slots() if slot in summary}
            more = {"run_dir": path, "components": components}
            more |= {name: tuple(summary.get(name, ())) for name in ("oracles", "per_class", "confusion")}
            result = cls(**{key: value for key, value in summary.items() if key in names} | more)
            result.lines()
            numbers = (result.epochs, result.seed, result.noise_seed)
            if not (all(isinstance(value, int) for value in numbers) and isinstance(result.status, str)):
                raise TypeError
            if result.preset and not isinstance(result.preset["name"], str):
                raise TypeError
        except (TypeError, KeyError, AttributeError, ValueError, OverflowError):
            raise UserError(f"{path / 'summary.json'} is not what a run writes.") from None
        return result


def _in_words(accuracy: Mapping[str, float | None]) -> list[str]:
    """Return the accuracies that were measured: ``last epoch 91.20%``."""
    named = {
        "last epoch": accuracy["last"],
        "mean of the last 10": accuracy["mean_last_10"],
        "selected on held-out noisy labels": accuracy["selected"],
        "best of all epochs (oracle)": accuracy["best_oracle"],
    }
    return [f"{label} {value:.2%}" for label, value in named.items() if value is not None]


def accuracies(rows: Sequence[Mapping[str, Any]], column: str = "test_accuracy") -> dict[str, float | None]:
    """Return the reported test accuracies from the metrics of all epochs, of the test set whose column it is."""
    test = [float(row[column]) for row in rows]
    held_out = [row.get("validation_accuracy") for row in rows]
    selected = None
    if test and None not in held_out:
        selected = test[held_out.index(max(held_out))]  # type: ignore[type-var]
    last = test[-10:]
    return {
        "last": test[-1] if test else None,
        "mean_last_10": sum(last) / len(last) if last else None,
        "selected": selected,
        "best_oracle": max(test) if test else None,
    }
