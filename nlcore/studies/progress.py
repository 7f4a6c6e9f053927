"""What the user sees while a study goes on: a line for each run that ends, and a bar over all of them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import TracebackType

from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from nlcore.contracts import Outcome
from nlcore.errors import UserError, plural
from nlcore.rundir.result import Result
from nlcore.runs.lines import Lines
from nlcore.studies.grid import Cell
from nlcore.studies.study import State


class Progress:
    """Follows a study: on stderr, in a notebook with a line that is overwritten in place of the bar."""

    def __init__(self, every: Sequence[State], quiet: bool) -> None:
        self._lines = Lines(quiet)
        console = self._lines.console
        self._every = len(every)
        self._done = self._before = sum(state.ended for state in every)
        self._began = time.monotonic()
        columns = (MofNCompleteColumn(), BarColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
        self._bar = Bar(*columns, console=console, transient=True)
        self._shown = console.is_terminal and not quiet and self._done < self._every

    def __enter__(self) -> Progress:
        """Say what is done already, and begin."""
        if self._done:
            self.line(f"{self._done} of {plural(self._every, 'run')} done already")
        if self._shown:
            self._bar.add_task("", total=self._every, completed=self._done)
            self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Take the bar away."""
        self._lines.overwrite("")
        if self._shown:
            self._bar.stop()

    def line(self, text: str) -> None:
        """Print a line."""
        self._lines.line(text)

    def ended(self, cell: Cell, outcome: Outcome) -> None:
        """Print how a run has ended, and how long the others take at this rate."""
        if outcome.status == "interrupted":
            return
        self._done += 1
        self.line(f"{self._done}/{self._every}  {cell.name}  {_said(outcome)}")
        from nlcore.runs.terminal import seconds_in_words

        left = self._every - self._done
        rate = (time.monotonic() - self._began) / (self._done - self._before)
        words = f"about {seconds_in_words(rate * left)} left" if left else ""
        if self._shown:
            self._bar.update(self._bar.tasks[0].id, completed=self._done, description=words)
        elif words:
            self._lines.overwrite(f"{self._done} of {plural(self._every, 'run')}, {words}")


def _said(outcome: Outcome) -> str:
    """Return a run's accuracy and time, or why it has none."""
    if outcome.status == "done" and outcome.run_dir is not None:
        try:
            result = Result.read(outcome.run_dir)
        except UserError:
            return "done"
        accuracy, seconds = result.test_accuracy["last"], result.seconds
        return f"{accuracy or 0:.2%}" + (f"  ({seconds:,.0f} s)" if seconds else "")
    return f"{outcome.status}: {outcome.message}"
