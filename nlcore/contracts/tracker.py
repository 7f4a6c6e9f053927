"""What a tracker is: who is told how a run goes, beside its own directory."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol


class Tracker(Protocol):
    """
    Is told how a run goes. It never changes the run's numbers, and one that raises is left out from there on.

    A run that is resumed calls `start` again, with the epochs that are done; what was tracked is then to go on. Epochs
    that were tracked and not saved come again.

    Optional:
        ``plan(words)``: after `start`, what will happen in words, by topic: a mapping of strings, as ``nl run`` prints.
    """

    def start(self, run_dir: Path, config: Mapping[str, Any], done: int) -> None:
        """
        Get ready.

        Args:
            run_dir: the run's directory; a tracker may write files of its own there. It holds ``samples.png``, a sheet
                of training images with given and true labels, and when the run is done ``curves.png`` and
                ``confusion.png``, each unless it could not be drawn.
            config: the experiment as a recipe, every parameter written out.
            done: the number of epochs that are done already.

        """

    def epoch(self, row: Mapping[str, Any]) -> None:
        """Take the metrics of an epoch, as in ``metrics.jsonl``: numbers, None where something is unknown."""

    def end(self, summary: Mapping[str, Any]) -> None:
        """Finish; `summary` is the content of ``summary.json``, whose ``status`` says how the run ended."""
