"""A strategy's own networks: what is not saved is said, and what is no prediction is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers import TINY, install_plugin

import nlcore

PLUGIN = """
import copy
from nlcore import Component, hookimpl
from nlcore_builtins.strategies.standard import Standard

NLCORE_API = 1

class Copies(Standard):
    def setup(self, ctx):
        super().setup(ctx)
        self.inner = {"teachers": [copy.deepcopy(self.network)]}

class Keeps(Standard):
    def setup(self, ctx):
        super().setup(ctx)
        self.other = ctx.teacher(self.network, 0.9)
        self.parts = [self.network.head, *self.network.stages()]

class Few(Standard):
    def predict(self, images):
        return super().predict(images)[:, :3]

@hookimpl
def nl_strategies():
    return [Component(name.lower(), "own_networks:" + name, "A strategy.") for name in ("Copies", "Keeps", "Few")]
"""


@pytest.fixture(autouse=True)
def _plugin(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    install_plugin(monkeypatch, tmp_path, "own-networks", PLUGIN)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["copies", "keeps", "standard"])
def test_a_network_that_is_not_saved_is_said(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    nlcore.run(**TINY, strategy=name)
    said = " ".join(capsys.readouterr().err.split())
    assert ("keeps a network of its own (inner['teachers'][0]), which is not saved" in said) == (name == "copies")


@pytest.mark.slow
def test_predictions_of_another_shape_are_refused() -> None:
    with pytest.raises(nlcore.RunError, match=r"Few predicts a tensor of shape .*, 3\); predict must return logits"):
        nlcore.run(**TINY, strategy="few")
