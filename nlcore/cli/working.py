"""What is shown while a command waits for one long computation: what it is at, and for how long it has been."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from nlcore.runs.lines import SILENT_SECONDS


@contextlib.contextmanager
def working(shown: bool) -> Iterator[Callable[[str], None]]:
    """
    Give a function that takes what is done now, in words; it stands beside a spinner where all takes over two seconds.

    Args:
        shown: whether it is, on stderr and on a terminal alone.

    """
    console = Console(file=sys.stderr)  # as it is now: exporters talk, and are kept from writing to it
    columns = (SpinnerColumn("line"), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    nowhere = not (shown and console.is_terminal)
    spinner = Progress(
        *columns, console=console, transient=True, redirect_stdout=False, redirect_stderr=False, disable=nowhere
    )
    task = spinner.add_task("", total=None)
    start = threading.Timer(SILENT_SECONDS, spinner.start)
    start.daemon = True
    start.start()
    try:
        yield lambda what: spinner.update(task, description=what)
    finally:
        start.cancel()
        start.join()
        spinner.stop()
