"""TensorBoard: curves of every metric, the plan, the configuration and pictures, in the run's directory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nlcore_builtins.installed import require
from nlcore_builtins.trackers.shown import FIRST, LAST, as_markdown, numbers, pictures


@dataclass
class TensorBoard:
    """
    Writes what there is to see of a run as event files into its directory; ``tensorboard --logdir runs`` shows them.

    That is every metric of each epoch as a curve, the plan and the configuration as text, a sheet of training images
    with given and true labels, and when the run is done its curves and its confusion matrix as pictures. A run that is
    resumed goes on in the same curves.

    Needs the package tensorboard.
    """

    def __post_init__(self) -> None:
        """
        Find before any work is done that it cannot be used.

        Raises:
            NotInstalledError: tensorboard is not installed.

        """
        require("tracker", "tensorboard", "tensorboard")

    def start(self, run_dir: Path, config: Mapping[str, Any], done: int) -> None:
        """Open a file of events in the run's directory; what a stopped run wrote after epoch `done` is passed over."""
        import tomli_w
        from torch.utils.tensorboard import SummaryWriter

        self._run_dir, self._epoch = run_dir, done
        self._writer = SummaryWriter(str(run_dir), purge_step=done + 1)
        self._writer.add_text("config", f"```toml\n{tomli_w.dumps(config)}```", done)
        self._show(FIRST)
        self._writer.flush()

    def plan(self, words: Mapping[str, str]) -> None:
        """Write the plan."""
        self._writer.add_text("plan", as_markdown(words), self._epoch)
        self._writer.flush()

    def epoch(self, row: Mapping[str, Any]) -> None:
        """Write the metrics that are known."""
        self._epoch = row["epoch"]
        for name, value in numbers(row).items():
            self._writer.add_scalar(name, value, self._epoch)
        self._writer.flush()

    def end(self, summary: Mapping[str, Any]) -> None:
        """Write the final pictures and close the file."""
        if summary["status"] == "done":
            self._show(LAST)
        self._writer.close()

    def _show(self, names: tuple[str, ...]) -> None:
        import numpy as np
        from PIL import Image

        for name, file in pictures(self._run_dir, names).items():
            with Image.open(file) as image:
                self._writer.add_image(name, np.asarray(image.convert("RGB")), self._epoch, dataformats="HWC")
