"""Every built-in loss under every built-in strategy gives the same bits from captured steps as step by step."""

from __future__ import annotations

from typing import Any

import pytest
from pairs import PAIRS

import nlcore
from nlcore.checks.replay import differences
from nlcore.testing.tiny_run import TinyRun

#: What would need more epochs of the tiny problem than are trained to come to something.
OTHERWISE: dict[str, dict[str, Any]] = {
    "backward_correction": {"transition": "known"},
    "forward_correction": {"warm_up": 3},
    "importance_reweighting": {"warm_up": 3},
    "t_revision": {"warm_up": 3},
}
PAIRS_TO_CAPTURE = [
    (loss, strategy) for loss, strategy in PAIRS if getattr(nlcore.create("strategy", strategy), "capturable", False)
]


@pytest.mark.slow
@pytest.mark.parametrize(("loss", "strategy"), PAIRS_TO_CAPTURE)
def test_captured_equals_step_by_step(loss: str, strategy: str) -> None:
    """Losses, weights, optimisers, memories and generators, in the first epochs of a long run and in late ones."""

    def make_run(epochs: int) -> TinyRun:
        return TinyRun(
            nlcore.create("strategy", strategy, **OTHERWISE.get(strategy, {})),
            epochs,
            make_loss=lambda: nlcore.create("loss", loss, **OTHERWISE.get(loss, {})),
        )

    assert differences(make_run) == ""
