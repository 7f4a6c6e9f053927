"""What a report says of one run: its numbers, classes, settings, notes, and the command that repeats it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nlcore.errors import UserError, plural
from nlcore.rundir.directory import RunDirectory
from nlcore.rundir.environment import with_files
from nlcore.rundir.plots import SHOWN
from nlcore.rundir.result import Result
from nlcore.studies.metrics import OF_THE_END, at_the_end
from nlcore.studies.read import Run


@dataclass(frozen=True)
class ClassRow:
    """
    A class of the test set.

    Attributes:
        name: of the class.
        count: how many images it has.
        accuracy: in the last epoch, as it is shown; a dash where there are no images.
        predicted: how often its images were predicted as each class, and that as a share in tenths from 0 to 10; empty
            where the matrix is not shown.

    """

    name: str
    count: str
    accuracy: str
    predicted: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class Details:
    """
    What is shown of a run.

    Attributes:
        numbers: what was measured, by what it is called.
        remarks: what a reader must know: why it ended early, oracles, notes.
        made_with: versions and hardware, by what they are called.
        classes: of the test set; the least accurate first where not all are shown.
        predicted: the names of all classes where the confusion matrix is shown, else empty.
        about_classes: what is left out of them, empty where nothing is.
        settings: ``config.toml``.
        command: what repeats the run.

    """

    numbers: Mapping[str, str]
    remarks: tuple[str, ...]
    made_with: Mapping[str, str]
    classes: tuple[ClassRow, ...]
    predicted: tuple[str, ...]
    about_classes: str
    settings: str
    command: str


def details(run: Run) -> Details:
    """
    Return what is shown of a run.

    Raises:
        UserError: a file of its directory is not what a run writes.

    """
    result, path = run.result, run.result.run_dir
    about = RunDirectory(path).read_json("environment.json")
    try:
        settings = (path / "config.toml").read_text(encoding="utf-8")
        notes = tuple(str(note) for note in about.get("notes", ()))
        files = {str(slot): str(file) for slot, file in about.get("plugin_files", {}).items()}
        made_with = _made_with(about)
    except (OSError, ValueError, TypeError, AttributeError):
        raise UserError(f"{path / 'environment.json'} or config.toml is not what a run writes.") from None
    classes, predicted, about_classes = _classes(result)
    return Details(
        _numbers(run),
        (*_remarks(result), *notes),
        made_with,
        classes,
        predicted,
        about_classes,
        settings,
        with_files(files, "run", str(path / "config.toml"), "--fresh"),
    )


def _numbers(run: Run) -> dict[str, str]:
    """Return every number that a run has at its end."""
    values = [(metric, at_the_end(run, metric)) for metric in OF_THE_END.values()]
    shown = {metric.title: metric.show(value) for metric, value in values if value is not None}
    weights = run.result.num_weights
    return shown | ({"weights of all networks": f"{weights:,}"} if weights is not None else {})


def _remarks(result: Result) -> list[str]:
    """Return what must be known of the result, a sentence each."""
    said = []
    if result.status != "done":
        said.append(f"{result.status}: {result.message}" if result.message else result.status)
    if result.oracles:
        said.append(
            f"oracle: the method was told {', '.join(map(str, result.oracles))}, which nobody knows in practice"
        )
    if result.preset:
        unlike = ", ".join(map(str, result.preset.get("unlike", ())))
        said.append(f"preset {result.preset['name']}" + (f", but for {unlike}" if unlike else ""))
    return said


def _made_with(about: Mapping[str, Any]) -> dict[str, str]:
    """Return hardware and versions, as far as the run has written them."""
    named = {"device": "device_name", "precision": "precision", "CPU threads": "threads", "Python": "python"}
    found = {name: str(about[key]) for name, key in named.items() if about.get(key) is not None}
    return found | {str(name): str(version) for name, version in about.get("packages", {}).items()}


def _classes(result: Result) -> tuple[tuple[ClassRow, ...], tuple[str, ...], str]:
    """Return the classes, the titles of their confusion matrix where it is shown, and what is left out."""
    known = result.per_class
    if not known:
        return (), (), ""
    if len(known) > SHOWN:
        worst = sorted(known, key=lambda one: (one["accuracy"] is None, one["accuracy"] or 0.0))[:SHOWN]
        left_out = f"The {SHOWN} least accurate of {plural(len(known), 'class', 'classes')}; all are in summary.json, "
        return tuple(map(_class_row, worst)), (), f"{left_out}and the confusion matrix in confusion.csv."
    confusion = RunDirectory(result.run_dir).confusion()
    if confusion is None:
        return tuple(map(_class_row, known)), (), ""
    names, counts = confusion
    if len(names) != len(known):
        raise UserError(f"{result.run_dir / 'confusion.csv'} has other classes than summary.json.")
    return tuple(_class_row(one, row) for one, row in zip(known, counts, strict=True)), names, ""


def _class_row(one: Mapping[str, Any], counts: Sequence[int] = ()) -> ClassRow:
    accuracy = "–" if one["accuracy"] is None else f"{100 * one['accuracy']:.2f}"
    total = sum(counts)
    predicted = tuple((count, round(10 * count / total) if total else 0) for count in counts)
    return ClassRow(str(one["name"]), f"{one['count']:,}", accuracy, predicted)
