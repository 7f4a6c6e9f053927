"""TensorBoard: every metric of an epoch as a curve, in the run's directory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nlcore import NotInstalledError


@dataclass
class TensorBoard:
    """
    Writes every metric of each epoch as a curve into the run's directory; ``tensorboard --logdir runs`` shows them.

    Needs the package tensorboard.
    """

    def __post_init__(self) -> None:
        """
        Find before any work is done that it cannot be used.

        Raises:
            NotInstalledError: tensorboard is not installed.

        """
        try:
            import tensorboard  # noqa: F401
        except ImportError:
            raise NotInstalledError(
                "tracker tensorboard: the package tensorboard is not installed. Type: pip install 'nlcore[tensorboard]'"
            ) from None

    def start(self, run_dir: Path, config: Mapping[str, Any], done: int) -> None:
        """Open a file of events in the run's directory; what a stopped run wrote after epoch `done` is passed over."""
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(run_dir), purge_step=done + 1 if done else None)

    def epoch(self, row: Mapping[str, Any]) -> None:
        """Write the metrics that are known."""
        for name, value in row.items():
            if value is not None and name != "epoch":
                self._writer.add_scalar(name, value, row["epoch"])
        self._writer.flush()

    def end(self, summary: Mapping[str, Any]) -> None:
        """Close the file."""
        self._writer.close()
