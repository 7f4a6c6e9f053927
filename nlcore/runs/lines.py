"""What is written while something goes on: lines, and one that is overwritten where there is no bar."""

from __future__ import annotations

import sys

from rich.console import Console

SILENT_SECONDS = 2.0  # whatever takes longer gets a bar


class Lines:
    """
    Lines on stderr; in a notebook on stdout.

    There rich would make an output of each line, and stderr is shown as errors are. So a notebook gets plain text, all
    of it in one output, with a line that is overwritten in place of a bar.

    Attributes:
        console: writes them.
        notebook: whether this is one.

    """

    def __init__(self, quiet: bool) -> None:
        self.console = Console(stderr=True, quiet=quiet, highlight=False)
        self.notebook = self.console.is_jupyter
        if self.notebook:
            self.console = Console(
                file=sys.stdout, force_jupyter=False, force_terminal=False, quiet=quiet, highlight=False
            )
        self._overwritten = 0  # length of the line that the next one overwrites

    def line(self, text: str) -> None:
        """Write a line of text."""
        self.overwrite("")
        self.console.print(text, markup=False, soft_wrap=True)

    def overwrite(self, text: str) -> None:
        """In a notebook, write over the last line that was written so; an empty text takes it away."""
        if self.notebook and not self.console.quiet and (text or self._overwritten):
            blank = " " * max(0, self._overwritten - len(text))
            self.console.file.write(f"\r{text}{blank}" if text else f"\r{blank}\r")
            self.console.file.flush()
            self._overwritten = len(text)
