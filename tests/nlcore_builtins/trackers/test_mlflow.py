"""The tracker ``mlflow``, read back with MLflow's own client."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from helpers import TINY
from nlcore_builtins.trackers.mlflow import MLflow
from tracking import known, run_and_resume, tell

import nlcore

pytest.importorskip("mlflow")


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The tracker sets what MLflow reads from the environment."""
    before = dict(os.environ)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    yield
    os.environ.clear()
    os.environ.update(before)


def runs(uri: str, experiment: str = "nlcore") -> tuple[Any, list[Any]]:
    """Return a client and all runs of an experiment."""
    from mlflow import MlflowClient

    client = MlflowClient(uri)
    return client, client.search_runs([client.get_experiment_by_name(experiment).experiment_id])


def history(client: Any, run: Any, name: str) -> list[tuple[int, float]]:
    """Return a metric by step."""
    return [(metric.step, metric.value) for metric in client.get_metric_history(run.info.run_id, name)]


@pytest.mark.slow
def test_a_run_that_is_resumed_goes_on_as_the_same_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the database beside the run directories, wherever the run is resumed from."""
    first = nlcore.run(quiet=True, tracker="mlflow", name="tracked", runs_dir=tmp_path / "runs", **TINY)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    result = nlcore.resume(first.run_dir, quiet=True, epochs=2)
    client, (run,) = runs(f"sqlite:///{tmp_path / 'runs' / 'mlflow.db'}")
    rows = [known(row) for row in result.metrics]
    assert set(run.data.metrics) == set(rows[0])
    for name in rows[0]:
        assert history(client, run, name) == [(1, rows[0][name]), (2, rows[1][name])]
    assert (run.info.run_name, run.info.status) == ("tracked", "FINISHED")
    assert run.data.params["loss"] == "cross_entropy"
    assert run.data.params["architecture.width"] == "4"
    assert "2 epochs," in run.data.tags["mlflow.note.content"]
    files = {item.path for item in client.list_artifacts(run.info.run_id)}
    assert files == {"config.toml", "samples.png", "curves.png", "confusion.png"}
    for name in files:
        kept = Path(client.download_artifacts(run.info.run_id, name, str(tmp_path)))
        assert kept.read_bytes() == (result.run_dir / name).read_bytes()
    assert [path.name for path in Path.cwd().iterdir()] == []


@pytest.mark.slow
def test_a_folder_and_another_experiment(tmp_path: Path) -> None:
    result = run_and_resume("mlflow", uri="tracked", experiment="mine")
    client, (run,) = runs((tmp_path / "tracked").as_uri(), "mine")
    expected = [(row["epoch"], row["test_accuracy"]) for row in result.metrics]
    assert history(client, run, "test_accuracy") == expected


def test_an_epoch_is_there_once_and_parameters_as_they_are_typed(tmp_path: Path) -> None:
    tracker = {"uri": str(tmp_path / "tracked")}
    tell(MLflow(**tracker), tmp_path / "run", 0, {1: 0.25, 2: 0.5}, None)
    client, (run,) = runs(tracker["uri"])
    assert run.info.status == "RUNNING"
    assert run.data.params == {"epochs": "3", "ema": "none", "loss": "gce", "loss.q": "0.7"}
    tell(MLflow(**tracker), tmp_path / "run", 1, {2: 0.5, 3: 0.75}, "interrupted")
    client, (run,) = runs(tracker["uri"])
    assert history(client, run, "test_accuracy") == [(1, 0.25), (2, 0.5), (3, 0.75)]
    assert run.info.status == "KILLED"


def test_more_parameters_than_fit_into_one_request(tmp_path: Path) -> None:
    many = {f"p{number}": number for number in range(250)}
    MLflow(uri=str(tmp_path / "tracked")).start(tmp_path, {"loss": {"name": "mine", **many}}, 0)
    _, (run,) = runs(str(tmp_path / "tracked"))
    assert run.data.params == {"loss": "mine"} | {f"loss.{name}": str(value) for name, value in many.items()}


def test_another_store_gets_a_run_of_its_own(tmp_path: Path) -> None:
    for name in ("one", "two"):
        tell(MLflow(uri=str(tmp_path / name)), tmp_path / "run", 1, {2: 0.5}, "done")
        assert len(runs(str(tmp_path / name))[1]) == 1
    assert json.loads((tmp_path / "run" / "mlflow.json").read_text())["asked"] == str(tmp_path / "two")


#: A process that tracks one epoch in the default database.
_ONE_RUN = """
import sys
from pathlib import Path
from nlcore_builtins.trackers.mlflow import MLflow
from tracking import tell

tell(MLflow(), Path(sys.argv[1]), 0, {1: 0.25}, "done")
"""


@pytest.mark.slow
def test_runs_that_start_together_make_one_database(tmp_path: Path) -> None:
    tests = str(Path(__file__).parents[2])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([tests, os.environ.get("PYTHONPATH", "")])}
    words = [[sys.executable, "-c", _ONE_RUN, str(tmp_path / "runs" / name)] for name in ("one", "two")]
    started = [subprocess.Popen(command, env=environment) for command in words]
    assert [process.wait(timeout=120) for process in started] == [0, 0]
    _, found = runs(f"sqlite:///{tmp_path / 'runs' / 'mlflow.db'}")
    assert {run.info.run_name for run in found} == {"one", "two"}


@pytest.mark.slow
def test_nobody_listens(capsys: pytest.CaptureFixture[str]) -> None:
    """It is said once; the run goes on."""
    result = nlcore.run(tracker="mlflow", **{**TINY, "epochs": 2, "tracker.uri": "http://127.0.0.1:9"})
    said = [line for line in capsys.readouterr().err.splitlines() if "tracker" in line]
    assert len(said) == 1
    assert said[0].startswith("The tracker mlflow failed in start and is left out from here on: MlflowException: ")
    assert result.status == "done"
    assert len(result.metrics) == 2
