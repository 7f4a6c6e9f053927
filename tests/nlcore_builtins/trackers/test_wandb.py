"""The tracker ``wandb``, offline; what it wrote is read back as the records that wandb itself sends."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from helpers import TINY
from nlcore_builtins.trackers import wandb as tracker
from nlcore_builtins.trackers.wandb import WeightsAndBiases
from tracking import CONFIG, known, row, run_and_resume, tell

import nlcore

pytest.importorskip("wandb")

_MAGIC, _BLOCK, _HEADER = 7, 32768, 7  # bytes


@pytest.fixture(autouse=True)
def _nobody_is_logged_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """And wandb reads its environment anew in each test."""
    import wandb

    wandb.teardown()
    for name in ("WANDB_API_KEY", "WANDB_PROJECT", "WANDB_ENTITY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))


def records(file: Path) -> Iterator[Any]:
    """Yield the records of an offline run: LevelDB's log format, each one a protocol buffer of wandb's."""
    from wandb.proto.wandb_internal_pb2 import Record

    content, position, record = file.read_bytes(), _MAGIC, b""
    while position + _HEADER <= len(content):
        left = _BLOCK - position % _BLOCK
        if left < _HEADER:
            position += left
            continue
        _, length, part = struct.unpack_from("<IHB", content, position)
        start = position + _HEADER
        record = (b"" if part in (1, 2) else record) + content[start : start + length]  # whole or first
        position = start + length
        if part in (1, 4):  # whole or last
            yield Record.FromString(record)


def stretches(run_dir: Path) -> list[list[Any]]:
    """Return the records of each stretch of a run, the first one first; wandb's process writes until it ends."""
    import wandb

    wandb.teardown()
    return [list(records(file)) for file in sorted(run_dir.glob("wandb/offline-run-*/*.wandb"))]


def kind(found: list[Any], name: str) -> list[Any]:
    """Return the records of a kind."""
    return [getattr(record, name) for record in found if record.WhichOneof("record_type") == name]


def metrics(found: list[Any]) -> list[dict[str, Any]]:
    """Return what was logged at each step, without wandb's own values and pictures."""
    rows = [
        {item.nested_key[0] if item.nested_key else item.key: item for item in one.item if len(item.nested_key) < 2}
        for one in kind(found, "history")
    ]
    return [
        {name: json.loads(item.value_json) for name, item in row.items() if name == "_step" or name[0] != "_"}
        for row in rows
    ]


def pictures(run_dir: Path) -> set[str]:
    """Return the names of the pictures that were kept."""
    return {path.name.split("_")[0] for path in run_dir.glob("wandb/offline-run-*/files/media/images/*.png")}


@pytest.mark.slow
def test_a_run_that_is_resumed_goes_on_under_the_same_id() -> None:
    result = run_and_resume("wandb", project="mine")
    first, second = stretches(result.run_dir)
    (began, *_), (went_on, *_) = kind(first, "run"), kind(second, "run")
    assert began.run_id == went_on.run_id == json.loads((result.run_dir / "wandb.json").read_text())["id"]
    assert (began.project, began.display_name) == ("mine", "tracked")
    rows = [known(row) for row in result.metrics]
    expected = [{name: value for name, value in row.items() if name != "epoch"} for row in rows]
    assert metrics(first)[-1] == {"_step": 1, **expected[0]}
    assert metrics(second)[-2:] == [{"_step": 1, **expected[0]}, {"_step": 2, **expected[1]}]  # whole in itself
    assert pictures(result.run_dir) == {"samples", "curves", "confusion"}
    config = {item.key: json.loads(item.value_json) for item in went_on.config.update}
    assert (config["epochs"], config["architecture"]["width"]) == (2, 4)


@pytest.mark.slow
def test_config_plan_and_how_it_ended(tmp_path: Path) -> None:
    one: Any = WeightsAndBiases()
    one.start(tmp_path, CONFIG, 0)
    one.plan({"loss": "gce (q 0.7)", "training": "3 epochs"})
    one.epoch({"epoch": 1, "test_accuracy": 0.25, "memorised": None})
    one.end({"status": "interrupted"})
    (found,) = stretches(tmp_path)
    (first, *_, last) = kind(found, "run")
    assert first.project == "nlcore"
    given = {item.key: json.loads(item.value_json) for item in first.config.update}
    assert {name: given[name] for name in CONFIG} == CONFIG
    assert last.notes == "* **loss**: gce (q 0.7)\n* **training**: 3 epochs"
    assert metrics(found) == [{"_step": 1, "test_accuracy": 0.25}]
    assert [one.exit_code for one in kind(found, "exit")] == [1]


@pytest.mark.slow
def test_what_a_crash_has_lost_comes_again(tmp_path: Path) -> None:
    """From the run's own metrics, as far as they are done."""
    lines = [json.dumps(row(epoch, accuracy)) for epoch, accuracy in ((1, 0.25), (2, 0.5), (3, 0.625))]
    (tmp_path / "metrics.jsonl").write_text("\n".join(lines))
    tell(WeightsAndBiases(), tmp_path, 2, {3: 0.75}, "done")
    (found,) = stretches(tmp_path)
    assert [(one["_step"], one["test_accuracy"]) for one in metrics(found)] == [(1, 0.25), (2, 0.5), (3, 0.75)]


@pytest.mark.slow
def test_two_runs_in_one_process_are_two(tmp_path: Path) -> None:
    for name in ("one", "two"):
        tell(WeightsAndBiases(), tmp_path / name, 0, {1: 0.25}, None)
    tell(WeightsAndBiases(), tmp_path / "three", 0, {1: 0.5}, "done")
    ids = {json.loads((tmp_path / name / "wandb.json").read_text())["id"] for name in ("one", "two", "three")}
    assert len(ids) == 3
    (found,) = stretches(tmp_path / "three")
    assert metrics(found) == [{"_step": 1, "test_accuracy": 0.5, "lr": 0.1}]


@pytest.mark.slow
@pytest.mark.parametrize("key", [None, "too short"])
def test_online_without_a_login_is_refused_before_any_work(key: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WANDB_MODE")
    if key is not None:
        monkeypatch.setenv("WANDB_API_KEY", key)
    with pytest.raises(nlcore.UserError, match=r"wandb login.*--tracker\.mode offline"):
        WeightsAndBiases(mode="online")


@pytest.mark.slow
def test_without_a_login_a_run_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is asked anything."""
    monkeypatch.delenv("WANDB_MODE")
    tell(WeightsAndBiases(), tmp_path, 0, {1: 0.25}, "done")
    assert len(stretches(tmp_path)) == 1


@pytest.mark.slow
def test_nobody_listens(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """It is said once; the run goes on."""
    monkeypatch.delenv("WANDB_MODE")
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setattr(tracker, "_SECONDS", 1.0)
    result = nlcore.run(tracker="wandb", **{**TINY, "epochs": 2, "tracker.mode": "online"})
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("The tracker ")]
    assert len(said) == 1
    assert said[0].startswith("The tracker wandb failed in start and is left out from here on: CommError: ")
    assert result.status == "done"
    assert len(result.metrics) == 2
