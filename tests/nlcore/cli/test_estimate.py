"""``nl estimate``, and the rate that a strategy has estimated with ``auto``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import TINY

import nlcore
from nlcore.contracts import Evidence
from nlcore.runs import estimation


@pytest.mark.slow
def test_says_what_each_estimator_finds_and_assumes(nl: Any, tiny: tuple[str, ...]) -> None:
    nl("run", *tiny, "--epochs", "1", "--name", "mine")
    done = nl("estimate", "mine", "--folds", "2", "--epochs", "1")
    assert done.code == 0, done.err
    for name in ("confident_joint", "anchors", "dual_t", "agreement", "hoc", "gmm", "bmm"):
        assert f"\n{name} " in done.out
    assert "an upper bound" in done.out
    assert "in truth: 45.08%" in done.out
    assert "how often each true class (row) is given as which" in done.out
    kept = json.loads(Path("runs/mine/estimate.json").read_text())
    assert kept["folds"] == 2
    assert kept["true_rate"] == pytest.approx(0.4508, abs=1e-4)
    one = nl("estimate", "runs/mine", "--estimator", "anchors", "--folds", "2", "--epochs", "1", "--json").json
    assert [found["name"] for found in one["estimates"]] == ["anchors"]
    np.testing.assert_allclose(np.sum(one["estimates"][0]["transition"], axis=1), 1, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nowhere",), "is no run"),
        (("mine", "--estimator", "anchor"), "Did you mean 'anchors'"),
        (("mine", "--folds", "1"), "--folds"),
        (("mine", "--epochs", "0"), "--epochs"),
        (("mine", "--estimator", "anchors", "--estimator.percent", "9"), "has no parameter 'percent'"),
        (("mine", "--estimator", "anchors", "--estimator.percentile", "101"), "[0, 100]"),
        (("mine", "--estimator.percentile", "100"), "name it alone"),
        (("mine", "--fold", "2"), "--estimator.NAME VALUE"),
    ],
)
def test_wrong_input(nl: Any, tiny: tuple[str, ...], words: tuple[str, ...], said: str) -> None:
    nl("run", *tiny, "--epochs", "1", "--name", "mine")
    refused = nl("estimate", *words)
    assert refused.code == 2
    assert said in refused.err


@pytest.mark.slow
def test_an_estimator_takes_its_parameters(nl: Any, tiny: tuple[str, ...]) -> None:
    nl("run", *tiny, "--epochs", "1", "--name", "mine")

    def rate(*words: str) -> float:
        done = nl("estimate", "mine", "--folds", "2", "--epochs", "1", "--estimator", "agreement", *words, "--json")
        return float(done.json["estimates"][0]["rate"])

    agreed = 1 - rate()  # a = A (1 − r) + (1 − A) r / 9
    assert rate("--estimator.accuracy", "0.9") == pytest.approx((0.9 - agreed) / (0.9 - 0.1 / 9), abs=1e-6)
    assert rate("--estimator.accuracy=1.0") == pytest.approx(1 - agreed, abs=1e-6)


AUTO: dict[str, Any] = {**TINY, "strategy": "co_teaching", "strategy.forget_rate": "auto", "quiet": True}


@pytest.mark.slow
def test_a_rate_that_is_estimated_is_no_oracle_and_is_kept_with_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def evidence(experiment: Any, data: Any, folds: int, epochs: int, progress: Any) -> Evidence:
        asked.append((folds, epochs))
        p = np.full((len(data.train), 10), 0.02)
        p[np.arange(len(p)), (data.train.labels + (np.arange(len(p)) % 4 == 0)) % 10] = 0.82
        return Evidence(data.train.labels, p)

    monkeypatch.setattr(estimation, "out_of_sample", evidence)
    result = nlcore.run(**AUTO, name="mine")
    assert result.oracles == ()
    about = json.loads((result.run_dir / "environment.json").read_text())
    assert about["estimated_noise"]["rate"] == pytest.approx(0.25, abs=0.01)
    assert any("forget_rate: 0.25" in note for note in about["notes"])
    assert len(asked) == 1
    nlcore.resume(result.run_dir, epochs=2, quiet=True)  # has it from the run
    nlcore.load(result.run_dir)
    assert len(asked) == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    "asked",
    [
        {"strategy": "mentor_mix", "strategy.gamma_p": "auto"},
        {"strategy": "promix", "strategy.rho": "auto"},
        {"optimizer": "cdr", "optimizer.tau": "auto"},
    ],
)
def test_whatever_needs_the_rate_takes_the_estimate(asked: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """It is there when the network that holds samples out is trained, too: that must not wait for itself."""
    monkeypatch.setattr(estimation, "warm_up_epochs", lambda samples, folds, batch_size: 1)
    result = nlcore.run(**{**TINY, **asked, "quiet": True})
    about = json.loads((result.run_dir / "environment.json").read_text())
    rate = about["estimated_noise"]["rate"]
    assert 0 < rate < 1
    assert any(f"{rate:.4f}, estimated" in note for note in about["notes"])
    assert result.oracles == ()
    nlcore.load(result.run_dir)


@pytest.mark.slow
def test_with_networks_that_hold_samples_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estimation, "warm_up_epochs", lambda samples, folds, batch_size: 1)
    result = nlcore.run(**AUTO)
    rate = json.loads((result.run_dir / "environment.json").read_text())["estimated_noise"]["rate"]
    assert 0 < rate < 1
