"""What the tests of trackers share: a tiny run that is made longer, and a tracker that is told of one by hand."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from helpers import TINY

import nlcore
from nlcore import Result
from nlcore.contracts import Tracker

CONFIG: dict[str, Any] = {"epochs": 3, "ema": "none", "loss": {"name": "gce", "q": 0.7}}


def run_and_resume(tracker: str, **params: Any) -> Result:
    """Run the digits for an epoch, then for another one; return the result."""
    chosen = {f"tracker.{name}": value for name, value in params.items()}
    first = nlcore.run(quiet=True, tracker=tracker, name="tracked", **{**TINY, **chosen})
    return nlcore.resume(first.run_dir, quiet=True, epochs=2)


def row(epoch: int, accuracy: float) -> dict[str, Any]:
    """Return the metrics of an epoch, of which one is unknown."""
    return {"epoch": epoch, "test_accuracy": accuracy, "memorised": None, "lr": 0.1}


def tell(tracker: Tracker, run_dir: Path, done: int, rows: Mapping[int, float], status: str | None) -> None:
    """Tell a tracker of a stretch of a run: accuracies by epoch; without a status it is killed."""
    run_dir.mkdir(parents=True, exist_ok=True)
    tracker.start(run_dir, CONFIG, done)
    for epoch, accuracy in rows.items():
        tracker.epoch(row(epoch, accuracy))
    if status is not None:
        tracker.end({"status": status})


def known(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Return the metrics of an epoch that are numbers."""
    return {name: value for name, value in metrics.items() if value is not None}
