"""What holds for trackers, which are told of a short run."""

from __future__ import annotations

import tempfile
from pathlib import Path

CONFIG = {"epochs": 2, "loss": {"name": "cross_entropy"}, "ema": "none"}
PLAN = {"loss": "cross_entropy", "training": "2 epochs"}
ROW = {"train_loss": 1.5, "test_accuracy": 0.25, "memorised": None, "lr": 0.1}


def follows_a_run(cls: type) -> None:
    """It takes a start, epochs with metrics of which some are unknown, and an end."""
    _told(cls, [1, 2], 0, "done")


def follows_a_run_that_is_resumed(cls: type) -> None:
    """It takes another start in the same folder, with epochs that are done, and an end that came early."""
    _told(cls, [2], 1, "interrupted")


CHECKS = (follows_a_run, follows_a_run_that_is_resumed)


def _told(cls: type, epochs: list[int], done: int, status: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        run_dir = Path(folder, "run")  # within a folder of its own, as some write beside the runs
        run_dir.mkdir()
        tracker = cls()
        tracker.start(run_dir, CONFIG, done)
        if hasattr(tracker, "plan"):
            tracker.plan(PLAN)
        for epoch in epochs:
            tracker.epoch({"epoch": epoch, **ROW})
        tracker.end({"status": status, "test_accuracy": {"last": 0.25}})
