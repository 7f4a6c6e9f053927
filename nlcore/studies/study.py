"""
A study: which of its runs are done, going on or missing, and computing what is missing.

What a study is stands in the directories of its runs alone: whoever asks for the same study again finds what is done.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from nlcore.config.experiment import Experiment, resolve
from nlcore.contracts import Executor, Job, Outcome
from nlcore.errors import UserError, plural
from nlcore.rundir.directory import ENDED, RunDirectory
from nlcore.rundir.result import Result
from nlcore.runs.recognise import KnownRuns, runs_folder
from nlcore.studies.grid import Cell


@dataclass(frozen=True)
class State:
    """
    How far a run of a study is.

    Attributes:
        cell: the run.
        result: of its directory, or None where there is none yet.
        outcome: of the job that has just computed it, or None.

    """

    cell: Cell
    result: Result | None
    outcome: Outcome | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing is left to compute."""
        return self.result is not None and self.result.status in ENDED

    @property
    def word(self) -> str:
        """``done``, ``diverged``, ``failed``, ``going on`` or ``missing``."""
        if self.outcome is not None and self.outcome.status == "failed":
            return "failed"
        if self.result is None:
            return "missing"
        return self.result.status if self.result.status in (*ENDED, "failed") else "going on"

    @property
    def message(self) -> str | None:
        """Why it is not done, where that is known."""
        said = self.outcome.message if self.outcome else None
        return said or (self.result.message if self.result else None)

    @property
    def epochs(self) -> int:
        """How many epochs are done."""
        if self.result is None:
            return 0
        try:
            return len(RunDirectory(self.result.run_dir).metrics())
        except UserError:  # nothing was written yet, or nothing that can be read
            return 0


def states(cells: Sequence[Cell]) -> list[State]:
    """Return how far the runs are, from what their directories say; no data are loaded for it."""
    known = KnownRuns(runs_folder(cells[0].layers)) if cells else None
    found = []
    for cell in cells:
        results = known.results(cell.layers) if known else []
        results.sort(key=lambda result: result.status not in ENDED)
        found.append(State(cell, results[0] if results else None))
    return found


def jobs(left: Sequence[State]) -> list[Job]:
    """
    Return what there is to compute, once all of it has been checked.

    Raises:
        UserError: a run that is not possible, or one that is there twice.

    """
    found: list[Job] = []
    same: dict[str, Cell] = {}
    for state in left:
        try:
            experiment = resolve(*state.cell.layers)
        except UserError as error:
            together = (
                " Settings that go together are [[cell]] tables of a study's file." if "." in state.cell.name else ""
            )
            raise UserError(f"{state.cell.name}: {error}{together}") from None
        content = json.dumps(experiment.config(), sort_keys=True)
        if content in same:
            raise UserError(f"These are the same run: {same[content].name}; and {state.cell.name}. Leave one out.")
        same[content] = state.cell
        found.append(_job(state.cell, experiment))
    return found


def seconds_left(every: Sequence[State], at_once: int) -> float | None:
    """
    Return how long the rest takes by what was measured of this study; None where nothing was.

    An epoch that is missing takes what the epochs of runs took that are done: of those with the same method where there
    are any, else of all. The method is what varies, seeds aside.
    """

    def method(state: State) -> tuple[object, ...]:
        return tuple(value for key, value in state.cell.words.items() if key not in ("seed", "noise_seed"))

    measured: dict[object, list[float]] = {}
    for state in every:
        if state.result is not None and state.result.status == "done" and state.result.seconds:
            rate = state.result.seconds / state.result.epochs
            measured.setdefault(method(state), []).append(rate)
            measured.setdefault(None, []).append(rate)
    if not measured:
        return None
    epochs = next(state.result.epochs for state in every if state.result and state.result.status == "done")
    total = 0.0
    for state in every:
        if not state.ended:
            rate = statistics.mean(measured.get(method(state), measured[None]))
            total += rate * (_epochs(state, epochs) - state.epochs)
    return total / max(1, at_once)


def compute_missing(
    every: Sequence[State],
    executor: Executor,
    ended: Callable[[Cell, Outcome], None],
    report: Callable[[str], None],
) -> list[State]:
    """
    Have what is missing computed, and return how far the runs are then.

    Args:
        every: all runs.
        executor: computes them.
        ended: is told as each ends.
        report: takes a sentence to the user.

    Raises:
        UserError: a run that is not possible; found before the first one starts.
        KeyboardInterrupt: it was stopped.

    """
    left = {state.cell.name: state for state in every if not state.ended}
    if not left:
        return list(every)
    from nlcore.studies.work import compute

    outcomes: dict[str, Outcome] = {}

    def told(job: Job, outcome: Outcome) -> None:
        outcomes[job.name] = outcome
        ended(left[job.name].cell, outcome)

    executor.execute(jobs(tuple(left.values())), compute, told, report)
    return [_after(state, outcomes.get(state.cell.name)) for state in every]


def at_once(executor: Executor, work: Sequence[Job]) -> int:
    """Return how many runs an executor computes at a time, 1 where it does not say."""
    says = getattr(executor, "at_once", None)
    return int(says(work)) if says and work else 1


def count(every: Sequence[State]) -> str:
    """Return in words how far a study is: ``12 runs: 10 done, 2 missing``."""
    words = [state.word for state in every]
    order = ("done", "diverged", "failed", "going on", "missing")
    listed = ", ".join(f"{words.count(word)} {word}" for word in order if word in words)
    return f"{plural(len(every), 'run')}: {listed}"


def _job(cell: Cell, experiment: Experiment) -> Job:
    threads = experiment.settings.threads
    return Job(
        cell.name,
        cell.layers,
        Path.cwd(),
        int(threads) if threads.isdigit() else None,
        experiment.settings.epochs,
    )


def _after(state: State, outcome: Outcome | None) -> State:
    """Return how far a run is when its job has ended."""
    if outcome is None or outcome.run_dir is None:
        return replace(state, outcome=outcome)
    try:
        return State(state.cell, Result.read(outcome.run_dir), outcome)
    except UserError:  # its directory has gone in the meantime
        return replace(state, outcome=outcome)


def _epochs(state: State, usual: int) -> int:
    """Return how many epochs a run has; where it does not exist yet, as many as it says or as the others have."""
    if state.result is not None:
        return state.result.epochs
    settings = {key: value for layer in state.cell.layers for key, value in layer.items()}
    said = str(settings.get("epochs", usual))
    return int(said) if said.isdigit() else usual
