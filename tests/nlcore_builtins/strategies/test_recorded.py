"""Every built-in loss under every built-in strategy gives the same bits from recorded steps as step by step."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

import nlcore
from nlcore.checks.replay import differences
from nlcore.checks.tiny_run import TinyRun
from nlcore.registry import registry

EPOCHS = 6

#: What begins late in a long run begins here, so that epochs differ.
SHORT: dict[str, dict[str, Any]] = {
    "backward_correction": {"transition": "known"},
    "cores": {"warm_up": 1, "ramp": 3, "sieve": 4},
    "forward_correction": {"warm_up": 3},
    "peer": {"warm_up": 1, "ramp": 4},
    "selc": {"start": 0.5},
    "truncated_gce": {"start": 3, "every": 2},
}
LOSSES = sorted(entry.name for entry in registry().of_kind("loss") if entry.distribution == "nlcore")
STRATEGIES = sorted(entry.name for entry in registry().of_kind("strategy") if entry.distribution == "nlcore")


@pytest.mark.parametrize(("loss", "strategy"), list(itertools.product(LOSSES, STRATEGIES)))
def test_recorded_equals_step_by_step(loss: str, strategy: str) -> None:
    """Weights, optimisers, memories and generators after six epochs; the first recording is of the second epoch."""

    def make_run() -> TinyRun:
        return TinyRun(
            nlcore.create("strategy", strategy),
            EPOCHS,
            make_loss=lambda: nlcore.create("loss", loss, **SHORT.get(loss, {})),
        )

    assert differences(make_run) == ""
