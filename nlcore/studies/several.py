"""Several runs that were made one by one, as one picture and one table: what `nlcore.plot` and `nlcore.frame` do."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlcore.errors import UserError
from nlcore.rundir.notebook import as_frame
from nlcore.rundir.result import Result

if TYPE_CHECKING:
    import pandas
    from matplotlib.figure import Figure

    from nlcore.studies.groups import Groups
    from nlcore.studies.read import Run

#: A run: its result or its directory; a folder is all the runs in it.
Given = Result | str | os.PathLike[str]

#: One or several of them, and each line's by the name that it is to have.
Runs = Given | Iterable[Given] | Mapping[str, Given | Iterable[Given]]


def plot(runs: Runs, *, by: Sequence[str] = (), metric: str = "test_accuracy") -> Figure:
    """
    Return a picture of several runs: lines over epochs, and bands over seeds where a line is of several runs.

    Args:
        runs: results, or directories of runs, or a folder of runs, as ``nl plot`` takes it. A mapping gives each line
            its name: ``plot({"cross-entropy": one, "mixup": [other, another]})``.
        by: what makes a line, as ``nl plot --by`` takes it; where nothing is given, all that the runs differ in, seeds
            aside. In a mapping its names do.
        metric: a column of ``metrics.jsonl``.

    Raises:
        UserError: no run, an unknown word or metric, or lines whose runs differ in more than their seeds.

    """
    from nlcore.studies.metrics import metric_of_epochs
    from nlcore.studies.pictures import curves_figure

    groups = _groups(runs, by)
    return curves_figure(groups, metric_of_epochs(metric, [run for row in groups.rows for run in row.runs]))


def frame(runs: Runs) -> pandas.DataFrame:
    """
    Return a DataFrame with a row for each run: what the runs differ in, and how they ended. Shares are from 0 to 1.

    A further test set of the data has a column of its name, the last epoch's accuracy, as in ``nl table``.

    Args:
        runs: as for `plot`; in a mapping, each row begins with its name.

    Raises:
        UserError: no run, or pandas is not installed.

    """
    from nlcore.studies.groups import differing

    named = _named(runs) if isinstance(runs, Mapping) else [("", run) for run in _read(runs)]
    words = [*differing([run for _, run in named]), "seed", "noise_seed"]
    rows = [
        {**({"name": name} if name else {}), **{word: run.words.get(word) for word in words}, **end_of(run.result)}
        for name, run in named
    ]
    return as_frame(rows)


def end_of(result: Result) -> dict[str, Any]:
    """Return what a row of a data frame says of how a run ended. Accuracies are from 0 to 1."""
    further = {name: found.get("last") for name, found in result.further_tests.items()}
    measured = {**result.test_accuracy, **further, **result.memorisation, "seconds": result.seconds}
    return {"status": result.status, **measured, "run_dir": str(result.run_dir)}


def _groups(runs: Runs, by: Sequence[str]) -> Groups:
    from nlcore.studies.groups import Groups, Row, differing, group

    if isinstance(runs, Mapping):
        named = _named(runs)
        lines = {name: [run for other, run in named if other == name] for name in runs}
        return Groups(("run",), tuple(Row((name,), tuple(found)) for name, found in lines.items()))
    found = _read(runs)
    return group(found, [*by] or differing(found) or ["loss"])


def _named(runs: Mapping[str, Given | Iterable[Given]]) -> list[tuple[str, Run]]:
    from nlcore.studies.complete import completed

    found = [(name, run) for name, given in runs.items() for run in _read(given)]
    if not found:
        raise UserError("No run is given.")
    return list(zip([name for name, _ in found], completed([run for _, run in found]), strict=True))


def _read(given: Given | Iterable[Given]) -> list[Run]:
    """
    Return runs with what tables need of them.

    Raises:
        UserError: no run, or what is no run.

    """
    from nlcore.studies.complete import completed
    from nlcore.studies.read import read_run, read_runs

    several = [given] if isinstance(given, Result | str | os.PathLike) else [*given]
    found: list[Run] = []
    for one in several:
        if isinstance(one, Result):
            found.append(read_run(one))
        elif isinstance(one, str | os.PathLike):
            found += read_runs(Path(one)).runs
        else:
            raise UserError(f"{one!r:.60} is no run: give what nlcore.run returns, or a run's directory.")
    if not found:
        raise UserError(f"There is no finished run in {given}." if several else "No run is given.")
    return completed(found)
