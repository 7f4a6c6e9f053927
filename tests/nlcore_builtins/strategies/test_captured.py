"""Every built-in loss under every built-in strategy gives the same bits from captured steps as step by step."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

import nlcore
from nlcore.checks.replay import differences
from nlcore.host.registry import registry
from nlcore.testing.tiny_run import TinyRun

#: What would need more epochs of the tiny problem than are trained to come to something.
OTHERWISE: dict[str, dict[str, Any]] = {
    "backward_correction": {"transition": "known"},
    "forward_correction": {"warm_up": 3},
}
LOSSES = sorted(entry.name for entry in registry().of_kind("loss") if entry.distribution == "nlcore")
STRATEGIES = sorted(entry.name for entry in registry().of_kind("strategy") if entry.distribution == "nlcore")


@pytest.mark.slow
@pytest.mark.parametrize(("loss", "strategy"), list(itertools.product(LOSSES, STRATEGIES)))
def test_captured_equals_step_by_step(loss: str, strategy: str) -> None:
    """Losses, weights, optimisers, memories and generators, in the first epochs of a long run and in late ones."""

    def make_run(epochs: int) -> TinyRun:
        return TinyRun(
            nlcore.create("strategy", strategy),
            epochs,
            make_loss=lambda: nlcore.create("loss", loss, **OTHERWISE.get(loss, {})),
        )

    assert differences(make_run) == ""
