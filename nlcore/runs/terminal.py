"""What the user sees while a run goes on. Everything goes to stderr; bars are drawn on a terminal only."""

from __future__ import annotations

import atexit
import time
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from nlcore.runs.estimate import EpochSeconds
from nlcore.runs.lines import SILENT_SECONDS, Lines
from nlcore.training.observers import Observer, Start

LONG_SECONDS = 600  # CPU runs estimated to take longer than this get hints on what is quicker
WORTH_AN_ESTIMATE = 10  # seconds; what takes less is over before it is read
WRONG_BY = 1 / 3  # an estimate that was off by more than this share is said again
_FURTHER = "test_accuracy_"  # of further test sets, by their names


def seconds_in_words(seconds: float) -> str:
    """Return a rough duration: ``40 s``, ``12 min``, ``2.3 h``."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def print_plan(plan: Mapping[str, str], console: Console | None = None) -> None:
    """Print the plan as two columns, on stdout where no console is given. What is too long is folded, never cut."""
    console = console or Console(highlight=False)
    width = max(map(len, plan))
    for key, value in plan.items():
        label = Text(f"{key:<{width}}  ", style="bold")
        if console.is_terminal and " " in value:  # a path is left to the terminal to fold, so that it can be copied
            table = Table.grid()
            table.add_column(no_wrap=True)
            table.add_column(overflow="fold")
            table.add_row(label, Text(value))
            console.print(table)
        else:
            console.print(Text.assemble(label, value), soft_wrap=True)


class Terminal(Observer):
    """
    Follows a run: the plan, an estimate once steps are timed, a bar, and a line for each epoch.

    In a notebook a line that is overwritten stands for the bar.
    """

    def __init__(self, quiet: bool = False) -> None:
        self.speaks = True  # whether this process is the one, of those that share a run, that tells how it ends
        self._lines = Lines(quiet)
        self.console = self._lines.console
        self._bar: Progress | None = None
        self._loading_since: float | None = None
        self._epochs = self._done = 0
        self._epoch_seconds = EpochSeconds(0)
        self._rate = 0.0
        self._promised: float | None = None  # seconds that are left by what was said last
        self._quicker: Sequence[str] = ()

    def line(self, text: str) -> None:
        """Print a line of text."""
        self._lines.line(text)

    def progress_of(self, done: int, total: int, what: str) -> None:
        """
        Show how far something before the training is; nothing where that takes less than two seconds.

        Args:
            done: how many are done; `total` ends it.
            total: how many there are.
            what: is being done, as ``reading images``.

        """
        if self._loading_since is None:
            self._loading_since = time.perf_counter()
        if done >= total:
            self._loading_since = None
            self.stop()
        elif time.perf_counter() - self._loading_since > SILENT_SECONDS:
            self._show(what, done, total, f"{done:,} of {total:,}")

    def start(self, start: Start) -> None:
        """Print the plan and begin to follow."""
        self.stop()
        print_plan(start.plan, self.console)
        self._epochs, self._done = start.epochs, start.done
        self._epoch_seconds, self._quicker = EpochSeconds(start.images_evaluated), start.hints

    def end(self, summary: Mapping[str, Any]) -> None:
        """End the bar."""
        self.stop()

    def stop(self) -> None:
        """End the bar."""
        self._lines.overwrite("")
        if self._bar:
            self._bar.stop()
            self._bar = None

    def progress(self, epoch: int, step: int, steps: int, images_per_second: float, elapsed: float) -> None:
        """Show where an epoch stands; once steps are timed, estimate the whole."""
        self._rate = images_per_second
        if epoch == self._done + 1 and self._promised is None:
            seconds = self._epoch_seconds.after(step, steps, elapsed, images_per_second)
            if seconds is not None:
                self._estimate(seconds * (self._epochs - self._done) - elapsed)
        self._show(f"epoch {epoch}/{self._epochs}", step, steps, f"{images_per_second:,.0f} images/s")

    def epoch(self, row: Mapping[str, Any]) -> None:
        """Print an epoch's metrics; say the estimate again where the epoch shows that it was wrong."""
        further = {name: name.removeprefix(_FURTHER) for name in row if name.startswith(_FURTHER)}
        names = {"test_accuracy": "test", **further, "validation_accuracy": "validation"}
        names["memorised"] = "wrong labels memorised"
        shown = [f"{label} {row[name]:.2%}" for name, label in names.items() if row[name] is not None]
        seconds = row["seconds_train"] + row["seconds_evaluation"]
        self.line(
            f"epoch {row['epoch']}/{self._epochs}  loss {row['train_loss']:.4f}  {'  '.join(shown)}  ({seconds:.1f} s)"
        )
        if self._promised is not None:
            self._promised -= seconds
        if row["epoch"] > self._done + 1 or seconds > 60:  # a short first one is mostly the libraries' set-up
            self._estimate(seconds * (self._epochs - row["epoch"]))

    def _estimate(self, seconds: float) -> None:
        """Say how long the rest takes, unless that is known already."""
        said, again = self._promised, self._promised is not None
        known = said is not None and abs(seconds - said) <= WRONG_BY * max(seconds, said)
        if known or seconds < WORTH_AN_ESTIMATE:
            return
        self._promised = seconds
        self.line(f"about {seconds_in_words(seconds)} {'more ' * again}at {self._rate:,.0f} training images/s")
        if not again and seconds > LONG_SECONDS and self._quicker:
            self.line(f"quicker: {'; '.join(self._quicker)}")

    def _show(self, what: str, done: int, total: int, rate: str) -> None:
        """Draw the bar, or overwrite the line that stands for it."""
        if self._lines.notebook:
            self._lines.overwrite(f"{what}  {done / total:.0%}  {rate}")
        elif self.console.is_terminal and not self.console.quiet:
            if not self._bar:
                columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[rate]}"))
                self._bar = Progress(*columns, TimeElapsedColumn(), console=self.console, transient=True)
                self._bar.add_task(what, total=total, completed=done, rate=rate)
                self._bar.start()
                atexit.register(self._bar.stop)  # whatever ends the process, the cursor comes back
            self._bar.update(self._bar.tasks[0].id, completed=done, total=total, description=what, rate=rate)
