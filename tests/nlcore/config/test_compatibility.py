"""Losses and strategies that refuse each other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from helpers import install_plugin

import nlcore
from nlcore.config.experiment import refusal

#: A loss that refuses a strategy, a strategy that refuses losses, and a dataset that must not be loaded.
PLUGIN = """
from nlcore import Component, hookimpl

NLCORE_API = 1

class Photos:
    def load(self, source):
        raise AssertionError("data were loaded")

class One:
    def __call__(self, logits, targets, index=None):
        raise AssertionError

class Two(One):
    def refuses(self, strategy):
        return "it needs two networks" if type(strategy).__name__ == "Standard" else None

class Picky:
    def setup(self, ctx): ...
    def step(self, batch): ...
    def predict(self, images): ...
    def refuses(self, loss):
        return "it takes no loss of this kind" if isinstance(loss, One) else None

@hookimpl
def nl_datasets():
    return [Component("photos", "picky_plugin:Photos", "Photos.")]

@hookimpl
def nl_losses():
    return [Component("one", "picky_plugin:One", "One."), Component("two", "picky_plugin:Two", "Two.")]

@hookimpl
def nl_strategies():
    return [Component("picky", "picky_plugin:Picky", "Picky.")]
"""

pytestmark = pytest.mark.usefixtures("plugin")


@pytest.fixture
def plugin(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    install_plugin(monkeypatch, tmp_path, "picky-plugin", PLUGIN)


@pytest.mark.parametrize(
    ("loss", "strategy", "reason"),
    [
        ("two", "standard", "it needs two networks"),
        ("two", "mixup", None),
        ("one", "picky", "it takes no loss of this kind"),
        ("gce", "picky", None),
        ("gce", "standard", None),
    ],
)
def test_either_side_may_refuse(loss: str, strategy: str, reason: str | None) -> None:
    made: list[Any] = [nlcore.create("loss", loss), nlcore.create("strategy", strategy)]
    assert refusal(*made) == reason


def test_a_pair_that_makes_no_sense_is_refused_before_data_are_loaded(tmp_path: Path) -> None:
    with pytest.raises(nlcore.UserError, match="loss two and the strategy standard: it needs two networks"):
        nlcore.run(dataset="photos", loss="two", quiet=True)
    assert not (tmp_path / "runs").exists()
