"""
Under an optimiser that takes each step twice nothing is remembered twice.

With a ρ that moves nothing, sharpness-aware minimisation is its base: then a strategy must end with the same weights
and the same state. What moves with every call of `step` would have moved twice as often.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from pairs import STRATEGIES

import nlcore
from nlcore.host.registry import registry
from nlcore.testing.tiny_run import TinyRun

EPOCHS = 3


def settings() -> list[tuple[str, dict[str, Any]]]:
    known = registry()
    found: list[tuple[str, dict[str, Any]]] = []
    for name in STRATEGIES:
        cls: Any = known.load(known.find("strategy", name))
        checked: tuple[dict[str, Any], ...] = getattr(cls, "checked_with", ({},))
        found += [(name, dict(params)) for params in checked]
    return found


def outcome(name: str, params: dict[str, Any], optimizer: Any) -> dict[str, torch.Tensor]:
    run = TinyRun(nlcore.create("strategy", name, **params), EPOCHS, optimizer=optimizer)
    run.train()
    found = {
        f"{module}.{key}": value.detach().float()
        for module, one in run.ctx.saved.items()
        for key, value in one.state_dict().items()
        if "num_batches_tracked" not in key  # it decides nothing
    }
    return found | _tensors("state", getattr(run.strategy, "state_dict", dict)())


def _tensors(name: str, state: Any) -> dict[str, torch.Tensor]:
    if isinstance(state, torch.Tensor):
        return {name: state.float()}
    items = state.items() if isinstance(state, dict) else enumerate(state) if isinstance(state, (list, tuple)) else ()
    return {key: value for inner, one in items for key, value in _tensors(f"{name}.{inner}", one).items()}


@pytest.mark.slow
@pytest.mark.parametrize(("name", "params"), settings(), ids=lambda value: value if isinstance(value, str) else "")
def test_nothing_is_remembered_twice(name: str, params: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.nn.Dropout, "forward", lambda self, x: x)  # each half would draw its own
    plain = outcome(name, params, nlcore.create("optimizer", "sgd", lr=0.05, momentum=0.9, weight_decay=0.0))
    twice = outcome(name, params, nlcore.create("optimizer", "sam", lr=0.05, rho=1e-12, weight_decay=0.0))
    assert plain.keys() == twice.keys()
    for key, value in plain.items():
        torch.testing.assert_close(twice[key], value, rtol=1e-4, atol=2e-5, msg=key)
