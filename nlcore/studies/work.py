"""What a process does that computes a run of a study."""

from __future__ import annotations

import os
from pathlib import Path

from nlcore.contracts import Job, Outcome
from nlcore.errors import RunError, UserError
from nlcore.host.discovery import reason
from nlcore.runs.start import execute
from nlcore.runs.terminal import Terminal
from nlcore.training.observers import Observer, Start


class _Place(Observer):
    """Notes which directory a run has."""

    directory: Path | None = None

    def start(self, start: Start) -> None:
        """Take it from the plan."""
        self.directory = Path(start.plan["run"]).absolute()


def compute(job: Job) -> Outcome:
    """Compute a run here; go on with it where a part is done. Whatever ends it becomes an outcome."""
    place = _Place()
    try:
        os.chdir(job.folder)
        result = execute(job.layers, Terminal(quiet=True), observers=[place])
    except KeyboardInterrupt:
        return Outcome("interrupted", place.directory)
    except (UserError, RunError) as error:
        return Outcome("failed", place.directory, str(error))
    except BaseException as error:
        return Outcome("failed", place.directory, reason(error))
    return Outcome(result.status, result.run_dir.absolute(), result.message)
