"""MLflow: the run as one in a database, in a folder or on a server."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nlcore import parameter
from nlcore_builtins.installed import require
from nlcore_builtins.trackers.shown import FIRST, LAST, as_markdown, note, noted, numbers, pictures

_NOTE = "mlflow.json"
_SQLITE = "sqlite:///"
_SECONDS = 120  # to wait while another run makes the database
_AT_ONCE = 100  # parameters in a request: MLflow takes no more
_ENDED = {"done": "FINISHED", "interrupted": "KILLED"}

#: The user's own values win. By default MLflow tries for minutes to reach a server, and refuses folders, which are
#: asked for by name here.
_ENVIRONMENT = {
    "MLFLOW_ALLOW_FILE_STORE": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "15",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
}


@dataclass
class MLflow:
    """
    Tracks the run with MLflow: parameters, every metric of each epoch, the plan as its description, pictures.

    The pictures are a sheet of training images with given and true labels, and when the run is done its curves and its
    confusion matrix. By default all is in a database beside the run directories; ``mlflow ui --backend-store-uri
    sqlite:///runs/mlflow.db`` shows it. A run that is resumed goes on as the same run, which is noted in
    ``mlflow.json``; epochs that are there already are not written again.

    Needs the package mlflow, or mlflow-skinny with sqlalchemy and alembic.
    """

    uri: str | None = parameter(
        None,
        "sqlite:///FILE, a folder or a server's address (default: MLFLOW_TRACKING_URI, else mlflow.db in the folder of "
        "run directories)",
    )
    experiment: str | None = parameter(None, "experiment (default: MLFLOW_EXPERIMENT_NAME, else nlcore)")

    def __post_init__(self) -> None:
        """
        Find before any work is done that it cannot be used.

        Raises:
            NotInstalledError: mlflow, or what it needs for a database, is not installed.

        """
        require("tracker", "mlflow", "mlflow", "sqlalchemy", "alembic")

    def start(self, run_dir: Path, config: Mapping[str, Any], done: int) -> None:
        """Begin a run, or go on with the one that belongs to the directory."""
        for name, value in _ENVIRONMENT.items():
            os.environ.setdefault(name, value)
        import tomli_w
        from filelock import FileLock

        self._run_dir = run_dir
        with FileLock(run_dir.parent / ".mlflow.lock", timeout=_SECONDS):  # two runs that make one database spoil it
            self._begin(config)
        self._tracked = self._client.get_run(self._run).data.metrics.get("epoch", 0)
        self._client.log_text(self._run, tomli_w.dumps(config), "config.toml")
        self._show(FIRST)

    def plan(self, words: Mapping[str, str]) -> None:
        """Write the plan as the run's description."""
        self._client.set_tag(self._run, "mlflow.note.content", as_markdown(words))

    def epoch(self, row: Mapping[str, Any]) -> None:
        """Write the metrics that are known, unless those of the epoch are there: MLflow never takes one back."""
        from mlflow.entities import Metric

        epoch, now = row["epoch"], int(1000 * time.time())
        if epoch > self._tracked:
            metrics = {**numbers(row), "epoch": epoch}
            self._client.log_batch(self._run, [Metric(name, value, now, epoch) for name, value in metrics.items()])

    def end(self, summary: Mapping[str, Any]) -> None:
        """Write the final pictures and say how the run ended."""
        if summary["status"] == "done":
            self._show(LAST)
        self._client.set_terminated(self._run, _ENDED.get(summary["status"], "FAILED"))

    def _begin(self, config: Mapping[str, Any]) -> None:
        from mlflow import MlflowClient
        from mlflow.entities import Param

        run_dir = self._run_dir
        known = noted(run_dir / _NOTE)
        if known.get("asked") == self.uri and "run" in known:
            self._client, self._run = MlflowClient(known["uri"]), known["run"]
            self._client.update_run(self._run, status="RUNNING")
            return
        uri = self._address(run_dir.parent)
        self._client = MlflowClient(uri)
        self._run = self._client.create_run(self._experiment_id(run_dir.parent), run_name=run_dir.name).info.run_id
        note(run_dir / _NOTE, {"asked": self.uri, "uri": uri, "run": self._run})
        params = [Param(name, str(value)) for name, value in _flat(config)]
        for first in range(0, len(params), _AT_ONCE):
            self._client.log_batch(self._run, params=params[first : first + _AT_ONCE])

    def _address(self, runs: Path) -> str:
        """Return where to write, whatever the working directory will be when the run goes on."""
        uri = self.uri or os.environ.get("MLFLOW_TRACKING_URI") or f"{_SQLITE}{runs.absolute() / 'mlflow.db'}"
        if uri.startswith(_SQLITE):
            return f"{_SQLITE}{Path(uri.removeprefix(_SQLITE)).absolute()}"
        return uri if ":" in uri else Path(uri).absolute().as_uri()

    def _experiment_id(self, runs: Path) -> str:
        """Return the experiment's id; it is made where there is none, with its files beside the database."""
        name = self.experiment or os.environ.get("MLFLOW_EXPERIMENT_NAME") or "nlcore"
        found = self._client.get_experiment_by_name(name)
        if found is not None:
            return str(found.experiment_id)
        ours = self.uri is None and "MLFLOW_TRACKING_URI" not in os.environ
        files = (runs.absolute() / "mlflow" / name).as_uri() if ours else None
        return str(self._client.create_experiment(name, artifact_location=files))

    def _show(self, names: tuple[str, ...]) -> None:
        for file in pictures(self._run_dir, names).values():
            self._client.log_artifact(self._run, str(file))


def _flat(config: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield a recipe's values by the names that they are typed by: ``loss`` for a component's name, then ``loss.q``."""
    for key, value in config.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield (prefix.removesuffix(".") if key == "name" and prefix else f"{prefix}{key}"), value
