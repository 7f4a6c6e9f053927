"""What a run says at its end: the content of ``summary.json``, of ``--json`` and of a row of ``nl table``."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nlcore.errors import UserError
from nlcore.rundir.directory import RunDirectory


@dataclass(frozen=True, repr=False)
class Result:
    """
    The result of a run. Accuracies and rates are from 0 to 1; None where something is unknown or was not measured.

    Attributes:
        run_dir: where the run's files are.
        status: ``running``, ``done``, ``interrupted``, ``diverged`` or ``failed``.
        dataset, noise, architecture, loss, strategy: the components' names.
        seed, noise_seed: as given.
        epochs: how many were asked for.
        noise_rate: the realised fraction of wrong labels.
        test_accuracy: ``last``; ``mean_last_10`` (of all where there are fewer); ``selected`` (at the epoch that is
            best on held-out noisy data); ``best_oracle`` (the best of all epochs on the test set itself).
        memorisation: ``clean_accuracy``, ``memorised`` and ``corrected`` over the whole training set at the end.
        options: the components' parameters that differ from their defaults, as ``{"loss.q": 0.3}``.
        oracles: what the method was told that a user could not know.
        parameters: how many weights all networks have.
        labels_sha256: which given labels the result stands on.
        seconds: of training and evaluation.
        images_per_second: of training, over the whole run.
        peak_memory: held at most, in GB (10⁹ bytes): of a GPU, else of the whole process.
        message: why a run ended before its end.

    """

    run_dir: Path
    status: str
    dataset: str
    noise: str
    architecture: str
    loss: str
    strategy: str
    seed: int
    noise_seed: int
    epochs: int
    noise_rate: float | None = None
    test_accuracy: Mapping[str, float | None] = field(default_factory=lambda: accuracies([]))
    memorisation: Mapping[str, float | None] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    oracles: Sequence[str] = ()
    parameters: int | None = None
    labels_sha256: str | None = None
    seconds: float | None = None
    images_per_second: float | None = None
    peak_memory: float | None = None
    message: str | None = None

    def __repr__(self) -> str:
        """Return the result in a few lines; every field is an attribute."""
        what = (
            f"{self.loss}, {self.strategy}, {self.architecture} on {self.dataset}, {self.noise} noise, seed {self.seed}"
        )
        return "\n  ".join([f"Result: {self.status}", what, *self.lines()])

    def to_json(self) -> dict[str, Any]:
        """Return the result as plain JSON values."""
        return {**dataclasses.asdict(self), "run_dir": str(self.run_dir), "oracles": list(self.oracles)}

    def lines(self) -> list[str]:
        """Return the result in words, for the terminal."""
        named = {
            "last epoch": self.test_accuracy["last"],
            "mean of the last 10": self.test_accuracy["mean_last_10"],
            "selected on held-out noisy labels": self.test_accuracy["selected"],
            "best of all epochs (oracle)": self.test_accuracy["best_oracle"],
        }
        known = [f"{label} {value:.2%}" for label, value in named.items() if value is not None]
        lines = [f"test accuracy: {', '.join(known)}"] if known else []
        memorised, corrected = self.memorisation.get("memorised"), self.memorisation.get("corrected")
        if memorised is not None and corrected is not None:
            lines.append(f"mislabelled training images: {memorised:.2%} memorised, {corrected:.2%} corrected")
        if self.oracles:
            lines.append(f"oracle: {', '.join(self.oracles)}")
        if self.message:
            lines.append(f"{self.status}: {self.message}")
        return [*lines, f"run: {self.run_dir}"]

    @property
    def metrics(self) -> list[dict[str, Any]]:
        """The rows of ``metrics.jsonl``, one for each epoch, as mappings: ``pandas.DataFrame(result.metrics)``."""
        return RunDirectory(self.run_dir).metrics()

    @classmethod
    def read(cls, path: Path) -> Result:
        """
        Return the result that a run directory holds.

        Raises:
            UserError: it is no run.

        """
        summary = RunDirectory(path).summary()
        names = {item.name for item in dataclasses.fields(cls)}
        try:
            more = {"run_dir": path, "oracles": tuple(summary.get("oracles", ()))}
            result = cls(**{key: value for key, value in summary.items() if key in names} | more)
            result.lines()
            if not (isinstance(result.epochs, int) and isinstance(result.status, str)):
                raise TypeError
        except (TypeError, KeyError, AttributeError, ValueError):
            raise UserError(f"{path / 'summary.json'} is not what a run writes.") from None
        return result


def accuracies(rows: Sequence[Mapping[str, Any]]) -> dict[str, float | None]:
    """Return the reported test accuracies from the metrics of all epochs."""
    test = [float(row["test_accuracy"]) for row in rows]
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
