"""What the user sees while a run goes on. Everything goes to stderr; bars are drawn on a terminal only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from nlcore.training.observers import Observer, Start

LONG_SECONDS = 600  # from here on a run on a CPU is told what would be quicker


def seconds_in_words(seconds: float) -> str:
    """Return a rough duration: ``40 s``, ``12 min``, ``2.3 h``."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def print_plan(plan: Mapping[str, str], console: Console | None = None) -> None:
    """Print the plan as two columns, on stdout where no console is given."""
    console = console or Console(highlight=False)
    width = max(map(len, plan))
    for key, value in plan.items():
        label = Text(f"{key:<{width}}  ", style="bold")
        if console.is_terminal:
            table = Table.grid()
            table.add_row(label, Text(value))
            console.print(table)
        else:
            console.print(label + value, soft_wrap=True)


class Terminal(Observer):
    """Follows a run: the plan, an estimate once the first steps are timed, a bar and a line for each epoch."""

    def __init__(self, quiet: bool = False) -> None:
        self.console = Console(stderr=True, quiet=quiet, highlight=False)
        self._progress: Progress | None = None
        self._estimated = False
        self._epochs = self._left = 0
        self._evaluated = 0
        self._quicker: Sequence[str] = ()

    def line(self, text: str) -> None:
        """Print a line of text."""
        self.console.print(text, markup=False, soft_wrap=True)

    def start(self, start: Start) -> None:
        """Print the plan and begin to follow."""
        print_plan(start.plan, self.console)
        self._epochs, self._left = start.epochs, start.epochs - start.done
        self._evaluated, self._quicker = start.images_evaluated, start.hints
        if self.console.is_terminal:
            columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[rate]}"))
            self._progress = Progress(*columns, TimeElapsedColumn(), console=self.console, transient=True)
            self._progress.start()

    def end(self, summary: Mapping[str, Any]) -> None:
        """End the bar."""
        self.stop()

    def stop(self) -> None:
        """End the bar."""
        if self._progress:
            self._progress.stop()
            self._progress = None

    def progress(self, epoch: int, step: int, steps: int, images_per_second: float, elapsed: float) -> None:
        """Show where an epoch stands; with the first steps timed, estimate the whole."""
        if not self._estimated and (step == steps or elapsed > 3):
            self._estimated = True
            self._estimate(elapsed / step * steps + self._evaluated / (3 * images_per_second), images_per_second)
        if self._progress:
            if not self._progress.tasks:
                self._progress.add_task("", total=steps, rate="")
            description, rate = f"epoch {epoch}/{self._epochs}", f"{images_per_second:,.0f} images/s"
            task = self._progress.tasks[0].id
            self._progress.update(task, completed=step, total=steps, description=description, rate=rate)

    def epoch(self, row: Mapping[str, Any]) -> None:
        """Print an epoch's metrics."""
        names = {"test_accuracy": "test", "validation_accuracy": "validation", "memorised": "wrong labels memorised"}
        shown = [f"{label} {row[name]:.2%}" for name, label in names.items() if row[name] is not None]
        seconds = row["seconds_train"] + row["seconds_evaluation"]
        self.line(
            f"epoch {row['epoch']}/{self._epochs}  loss {row['train_loss']:.4f}  {'  '.join(shown)}  ({seconds:.1f} s)"
        )

    def _estimate(self, epoch_seconds: float, images_per_second: float) -> None:
        seconds = epoch_seconds * self._left
        if seconds < 10:
            return
        self.line(f"about {seconds_in_words(seconds)} at {images_per_second:,.0f} training images/s")
        if seconds > LONG_SECONDS and self._quicker:
            self.line(f"quicker: {'; '.join(self._quicker)}")
