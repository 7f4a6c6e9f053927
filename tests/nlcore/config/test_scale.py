"""``--scale``: whatever counts epochs is shortened by one factor."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from helpers import TINY

import nlcore
from nlcore.config.experiment import resolve
from nlcore.errors import ParameterError

PEER = {"epochs": 400, "lr_warmup": 5, "loss": "peer", "strategy": "co_teaching"}


def test_the_run_and_all_that_counts_epochs_are_shortened() -> None:
    experiment = resolve(PEER, {"scale": 0.1})
    assert experiment.settings.epochs == 40
    assert experiment.settings.lr_warmup == pytest.approx(0.5)
    assert experiment["loss"].params["warm_up"] == 2
    assert experiment["loss"].params["ramp"] == 32
    assert experiment["strategy"].params["num_gradual"] == 1
    assert experiment.notes == (
        "shortened by --scale 0.1: epochs 400 → 40, lr_warmup 5.0 → 0.5, loss.warm_up 20 → 2, loss.ramp 320 → 32, "
        "strategy.num_gradual 10 → 1",
    )


def test_what_was_at_least_one_epoch_stays_so_and_what_was_none_stays_none() -> None:
    experiment = resolve({**PEER, "loss.warm_up": 0, "scale": 0.001})
    assert experiment.settings.epochs == 1
    assert experiment["loss"].params["warm_up"] == 0
    assert experiment["loss"].params["ramp"] == 1


def test_epochs_become_fewer_and_not_shorter() -> None:
    settings = resolve({"epochs": 80, "epoch_batches": 1000, "scale": 0.1}).settings
    assert (settings.epochs, settings.epoch_batches) == (8, 1000)


def test_no_parameter_falls_below_what_is_allowed() -> None:
    assert resolve({"loss": "cores", "scale": 0.01})["loss"].params["ramp"] == 2


def test_a_scale_of_one_changes_nothing() -> None:
    assert resolve(PEER, {"scale": 1}).config() == resolve(PEER).config()
    assert resolve(PEER, {"scale": 1}).notes == ()


def test_the_configuration_is_that_of_the_shorter_run() -> None:
    """So that ``nl run config.toml`` does not shorten it again."""
    config = resolve(PEER, {"scale": 0.5}).config()
    assert config["epochs"] == 200
    assert "scale" not in config


@pytest.mark.parametrize("wrong", [0, -1, 1.5, "half", None, True])
def test_other_factors_are_refused(wrong: object) -> None:
    with pytest.raises(ParameterError, match=r"scale = .*: must be a number in \(0, 1\]"):
        resolve({"scale": wrong})


@pytest.mark.slow
def test_a_run_says_that_it_was_shortened() -> None:
    settings: dict[str, Any] = {**TINY, "epochs": 4}
    result = nlcore.run(**settings, scale=0.5, quiet=True)
    assert result.epochs == 2
    notes = json.loads((result.run_dir / "environment.json").read_text())["notes"]
    assert notes == ["shortened by --scale 0.5: epochs 4 → 2"]


def test_epochs_of_the_head_alone_are_shortened_and_all_of_them_stay_all(tmp_path: Path) -> None:
    (tmp_path / "weights.pt").touch()
    layer = {"init": str(tmp_path / "weights.pt"), "epochs": 40, "scale": 0.1}
    assert resolve({**layer, "freeze": 10}).settings.freeze == 1
    assert resolve({**layer, "freeze": "all"}).settings.freeze == "all"
