"""Trackers as observers of a run; one that fails is left out from there on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from nlcore.config.experiment import Experiment
from nlcore.contracts import Tracker
from nlcore.host.discovery import reason
from nlcore.training.observers import Observer, Row, Start


class TrackerObserver(Observer):
    """Tells a tracker how the run goes."""

    def __init__(
        self, tracker: Tracker, name: str, run_dir: Path, config: Mapping[str, Any], report: Callable[[str], None]
    ) -> None:
        self._tracker: Tracker | None = tracker
        self._name = name
        self._run_dir = run_dir
        self._config = config
        self._report = report

    def start(self, start: Start) -> None:
        """Begin to track."""
        self._ask("start", self._run_dir, self._config, start.done)
        if hasattr(self._tracker, "plan"):
            self._ask("plan", start.plan)

    def epoch(self, row: Row) -> None:
        """Hand on an epoch's metrics."""
        self._ask("epoch", row)

    def end(self, summary: Mapping[str, Any]) -> None:
        """Finish."""
        self._ask("end", summary)

    def _ask(self, method: str, *args: Any) -> None:
        if self._tracker is None:
            return
        try:
            getattr(self._tracker, method)(*args)
        except Exception as error:  # whatever it raises: a run is worth more than its tracker
            self._tracker = None
            self._report(f"The tracker {self._name} failed in {method} and is left out from here on: {reason(error)}")


def trackers_of(experiment: Experiment, run: Path, report: Callable[[str], None]) -> list[TrackerObserver]:
    """Return the trackers that a run was told to have; `report` is told what becomes of one that fails."""
    config = experiment.config()
    return [TrackerObserver(part.create(), part.name, run, config, report) for part in experiment["tracker"].parts]
