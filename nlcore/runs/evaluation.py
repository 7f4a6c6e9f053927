"""
A trained model measured on labelled images: the test set of its run, of another dataset, or a folder or table of files.

Classes are compared by name. Whether the labels are the true ones is kept with the figures, so that whoever shows them
can say so.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlcore.config.experiment import Experiment, resolve
from nlcore.config.named import check_named_files
from nlcore.config.recipe import Overrides
from nlcore.contracts import DatasetContext, Labels, NoiseContext
from nlcore.data.called import called
from nlcore.data.labelled_files import labelled_files
from nlcore.data.stores import as_store
from nlcore.errors import UserError
from nlcore.host.boundary import attributed
from nlcore.rundir.directory import RunDirectory
from nlcore.rundir.environment import resolve_run
from nlcore.rundir.figures import Figures, figures
from nlcore.rundir.model_file import NAME, ModelFile
from nlcore.runs.model import TrainedModel
from nlcore.runs.terminal import Terminal

AT_ONCE = 500  # images that are held in memory together
_SHOWN = 5


@dataclass(frozen=True)
class Mistake:
    """
    An image that was predicted wrong.

    Attributes:
        name: its path or its id.
        label, predicted: numbers of classes.
        probability: of the predicted class.
        image: as the model saw it, uint8 (H, W, C).

    """

    name: str
    label: int
    predicted: int
    probability: float
    image: NDArray[np.uint8]


@dataclass(frozen=True)
class Evaluation:
    """
    What was measured, on what, and against which labels.

    Attributes:
        data: the images in words.
        figures: all figures.
        labels: ``true``, or ``given`` where they may be wrong or are known to be in part.
        wrong: the share of the labels that are wrong; None where it is unknown.
        mistakes: the images that were predicted wrong with the largest probabilities, the worst first.

    """

    data: str
    figures: Figures
    labels: str
    wrong: float | None
    mistakes: Sequence[Mistake]

    @property
    def against(self) -> str:
        """The labels in words: ``the true labels``, ``given labels, 12.00% of them wrong``."""
        if self.labels == "true":
            return "the true labels"
        return "given labels" + (", which may be wrong" if self.wrong is None else f", {self.wrong:.2%} of them wrong")

    def to_json(self) -> dict[str, Any]:
        """Return it as plain JSON values, without the images."""
        about = {"data": self.data, "labels": self.labels, "wrong_labels": self.wrong}
        names = self.figures.classes
        mistakes = [
            {"name": m.name, "label": names[m.label], "predicted": names[m.predicted], "probability": m.probability}
            for m in self.mistakes
        ]
        return {**about, **self.figures.to_json(), "mistakes": mistakes}


def evaluate_files(
    model: TrainedModel, place: Path, unreadable: Callable[[Path, str], None], terminal: Terminal, shown: int
) -> Evaluation:
    """
    Measure a model on image files.

    Args:
        model: to measure.
        place: a folder with a folder for each class, or a CSV with the columns path and label.
        unreadable: is called with each file that cannot be read and the reason; it is left out.
        terminal: is told how far it is.
        shown: how many mistakes are kept.

    Raises:
        UserError: no such place, no images that can be read, a table that lacks a path or a label, or classes that the
            model does not know.

    """
    files = labelled_files(place, model.classes)
    numbers = _numbers(model.classes, [name for _, name in files], str(place))
    labels = dict(zip((path for path, _ in files), numbers, strict=True))
    paths: list[Path] = []
    rows: list[NDArray[np.float32]] = []
    for path, row in model.predict_files(labels, unreadable):
        paths.append(path)
        rows.append(row)
        terminal.progress_of(len(rows), len(labels), "images")
    terminal.stop()
    if not rows:
        raise UserError(f"None of the images of {place} can be read.")
    known = np.array([labels[path] for path in paths], np.int64)

    def fetch(chosen: Labels) -> Sequence[NDArray[np.uint8]]:
        return [model.read(paths[number]) for number in chosen.tolist()]

    names = [str(path) for path in paths]
    return _evaluation(f"{place}", model.classes, np.stack(rows), known, None, names, fetch, shown)


def evaluate_dataset(
    model: TrainedModel, place: Path, given: Overrides, labels: str | None, terminal: Terminal, shown: int
) -> Evaluation:
    """
    Measure a model on the test set of its run's dataset, or of another one.

    Args:
        model: to measure.
        place: of the model.
        given: another dataset, parameters of it, and where data lie.
        labels: a file of other labels by id, as of ``nl run --labels``; or None.
        terminal: is told how it goes.
        shown: how many mistakes are kept.

    Raises:
        UserError: no data, images of another size or read in another way, or classes that the model does not know.

    """
    experiment = _experiment(place, given, labels)
    _check_reading(place, experiment)
    if labels is not None:
        check_named_files(experiment["noise"])
    source = DatasetContext(
        experiment.data_dir, not experiment.storage.no_download, terminal.line, terminal.progress_of
    )
    with attributed(experiment.entries):
        data = experiment["dataset"].create().load(source)
        test = data.test
        store, against, clean = as_store(test.images), test.labels, test.clean
        if labels is not None:
            context = NoiseContext(test.ids, store, tuple(data.classes), source.directory, source, "test")
            other = experiment["noise"].create()
            against = other.corrupt(against.copy(), len(data.classes), np.random.default_rng(0), context)
        what = f"test set of {called(experiment['dataset'])}"
        if not len(store):
            raise UserError(f"The {what} has no images.")
        if store.image_shape != model.image_shape:
            raise _other_size(what, store.image_shape, model.image_shape, experiment)
        numbers = _numbers(model.classes, [data.classes[label] for label in against], f"The {what}")
        wrong = None if clean is None else float(np.mean(against != clean))
        rows = []
        for part in _parts(len(store)):
            rows.append(model.predict(store.fetch(part)))
            terminal.progress_of(int(part[-1]) + 1, len(store), "images")
    names = [str(one) for one in test.ids.tolist()]
    return _evaluation(what, model.classes, np.concatenate(rows), numbers, wrong, names, store.fetch, shown)


def _experiment(place: Path, given: Overrides, labels: str | None) -> Experiment:
    """Return the experiment whose dataset is measured on."""
    layer = {"noise": "none", **given} if labels is None else {**given, "labels": labels}
    folder = place if place.is_dir() else place.parent
    directory = RunDirectory(folder)
    if (folder / "config.toml").is_file():
        data_dir = directory.read_json("environment.json").get("data_dir")
        return resolve_run(directory, "evaluate", {} if data_dir is None else {"data_dir": data_dir}, layer)
    if "dataset" not in given:
        raise UserError(f"{folder} is a model without its run. Say what to measure on: a folder, or --dataset NAME.")
    return resolve(layer)


def _check_reading(place: Path, experiment: Experiment) -> None:
    """Raise where images of one's own would be read in another way than those that the model was trained on."""
    ours = ModelFile.read((place if place.is_dir() else place.parent) / NAME).recipe.get("dataset", {})
    theirs = experiment["dataset"].params
    for name in ("resize", "background"):
        if name in ours and name in theirs and ours[name] != theirs[name]:
            raise UserError(
                f"dataset.{name} = {theirs[name]}: the images that the model was trained on were read with "
                f"{ours[name]}. Give --dataset.{name} {ours[name]}."
            )


def _evaluation(
    data: str,
    classes: Sequence[str],
    probabilities: NDArray[np.float32],
    labels: Labels,
    wrong: float | None,
    names: Sequence[str],
    fetch: Callable[[Labels], Any],
    shown: int,
) -> Evaluation:
    predicted, largest = probabilities.argmax(1), probabilities.max(1)
    mistaken = np.flatnonzero(predicted != labels)
    worst = mistaken[np.argsort(-largest[mistaken], kind="stable")][:shown]
    images = fetch(worst) if len(worst) else []
    mistakes = [
        Mistake(names[number], int(labels[number]), int(predicted[number]), float(largest[number]), image)
        for number, image in zip(worst.tolist(), images, strict=True)
    ]
    known = "true" if wrong == 0 else "given"
    return Evaluation(data, figures(classes, probabilities, labels), known, wrong, mistakes)


def _parts(count: int) -> list[Labels]:
    return [np.arange(start, min(start + AT_ONCE, count)) for start in range(0, count, AT_ONCE)]


def _numbers(classes: Sequence[str], names: Sequence[str], what: str) -> Labels:
    """
    Return the numbers that the model's classes of these names have, int64 (N,).

    Raises:
        UserError: it has no such class.

    """
    known = {unicodedata.normalize("NFC", name): number for number, name in enumerate(classes)}
    plain = [unicodedata.normalize("NFC", name) for name in names]
    unknown = sorted({*plain} - {*known})
    if unknown:
        raise UserError(
            f"{what} has classes that the model does not know: {_shorten(unknown)}. It knows {_shorten(classes)}."
        )
    return np.array([known[name] for name in plain], np.int64)


def _other_size(
    what: str, found: tuple[int, int, int], wanted: tuple[int, int, int], experiment: Experiment
) -> UserError:
    there, ours = (f"{height}×{width}×{channels}" for channels, height, width in (found, wanted))
    sized = "size" in experiment["dataset"].params and found[0] == wanted[0] and wanted[1] == wanted[2]
    advice = f" Give --dataset.size {wanted[1]}." if sized else ""
    return UserError(f"The images of the {what} are {there}, those of the model {ours}.{advice}")


def _shorten(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else "")
