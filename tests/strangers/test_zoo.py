"""What a stranger writes against the contract trains, is resumed to the same bits, and is loaded as it was measured."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nlcore
from nlcore.checks import run_checks
from nlcore.checks.suite import find
from nlcore.host.registry import registry

ZOO = Path(__file__).with_name("zoo.py")
NAMES = ("divide_mix_short", "pes_short", "glc_short", "contrast")
#: Few epochs, but enough for every phase.
SETTINGS: dict[str, Any] = {
    "dataset": "digits",
    "architecture.width": 4,
    "epochs": 4,
    "batch_size": 64,
    "device": "cpu",
    "threads": "1",
    "precision": "fp32",  # as a loaded model computes
    "lr_schedule": "cosine",
    "ema": 0.9,
    "quiet": True,
}
PHASES: dict[str, dict[str, Any]] = {
    "divide_mix_short": {"strategy.warm_up": 1},
    "pes_short": {"strategy.first": 1, "strategy.second": 2},
    "glc_short": {"strategy.warm_up": 1, "trusted": 50},
    "contrast": {},
}


@pytest.fixture(autouse=True)
def _zoo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NL_PLUGIN_PATH", str(ZOO))


def _run(strategy: str, runs_dir: str, **more: Any) -> nlcore.Result:
    return nlcore.run(strategy=strategy, runs_dir=runs_dir, **SETTINGS, **PHASES[strategy], **more)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_loaded_model_predicts_what_was_measured(name: str, tmp_path: Path) -> None:
    result = _run(name, "runs")
    assert result.status == "done"
    for file in result.run_dir.iterdir():  # nothing but the two files is handed on
        if file.name not in ("weights.safetensors", "model.json"):
            file.unlink()
    model = nlcore.load(result.run_dir)
    test = nlcore.dataset("digits").test
    assert isinstance(test.images, np.ndarray)
    accuracy = np.mean(model.predict(test.images).argmax(1) == test.labels)
    assert accuracy == pytest.approx(result.test_accuracy["last"], abs=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_killed_in_any_phase_it_goes_on_to_the_same_bits(name: str, tmp_path: Path) -> None:
    straight = _run(name, "straight", name="run")
    options = [
        f"--{key.replace('_', '-')}={value}" for key, value in {**SETTINGS, **PHASES[name]}.items() if key != "quiet"
    ]
    command = [
        sys.executable,
        "-m",
        "nlcore",
        "run",
        "--strategy",
        name,
        "--runs-dir",
        "killed",
        "--name",
        "run",
        *options,
    ]
    killed = tmp_path / "killed" / "run"
    for epoch in (1, 2, 3):
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        while process.poll() is None and not list(killed.glob(f"checkpoint-{epoch:06d}.pt")):
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.wait()
    resumed = nlcore.resume(killed, quiet=True)
    weights = [(one.run_dir / "weights.safetensors").read_bytes() for one in (straight, resumed)]
    assert weights[0] == weights[1]


@pytest.mark.slow
def test_what_a_method_thinks_is_measured_and_stored(tmp_path: Path) -> None:
    result = _run("divide_mix_short", "runs")
    rows = result.metrics
    assert rows[0]["selection_auc"] is None  # no opinion in the warm-up
    assert 0 <= rows[-1]["selection_auc"] <= 1
    assert 0 <= rows[-1]["correction_accuracy"] <= 1
    lines = (result.run_dir / "selection.csv").read_text().splitlines()
    assert lines[0] == "id,label,clean_probability,suggested_label"
    assert len(lines) == 1 + 1442


@pytest.mark.slow
def test_a_word_to_the_user_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    settings = {**SETTINGS, "epochs": 1, "quiet": False}
    nlcore.run(strategy="divide_mix_short", **settings)
    assert "it never divides" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_the_conformance_suite_reaches_all_phases(name: str) -> None:
    outcomes = run_checks(find(f"strategy:{name}"))
    failed = [(outcome.check, outcome.reason) for outcome in outcomes if outcome.status == "failed"]
    assert not failed
    if getattr(registry().load(registry().find("strategy", name)), "checked_with", ()):
        assert any("=" in outcome.check for outcome in outcomes)  # run once more with these settings


@pytest.mark.slow
def test_suggested_settings_are_taken(tmp_path: Path) -> None:
    result = _run("divide_mix_short", "runs")
    assert "optimizer.lr" not in result.options  # nobody said it
    assert json.loads((result.run_dir / "model.json").read_text())["recipe"]["optimizer"]["lr"] == 0.02
