"""SGD, Adam and AdamW are torch's, with the defaults that are stated."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import nlcore
from nlcore import UserError

CASES: list[tuple[str, dict[str, Any], type[torch.optim.Optimizer], dict[str, Any]]] = [
    ("sgd", {}, torch.optim.SGD, {"lr": 0.1, "momentum": 0.9, "weight_decay": 5e-4}),
    ("sgd", {"lr": 0.3, "nesterov": True}, torch.optim.SGD,
     {"lr": 0.3, "momentum": 0.9, "weight_decay": 5e-4, "nesterov": True}),
    ("adam", {}, torch.optim.Adam, {}),
    ("adam", {"lr": 0.1, "beta1": 0.5, "beta2": 0.9, "eps": 0.1, "weight_decay": 0.2}, torch.optim.Adam,
     {"lr": 0.1, "betas": (0.5, 0.9), "eps": 0.1, "weight_decay": 0.2}),
    ("adamw", {}, torch.optim.AdamW, {}),
    ("adamw", {"lr": 0.1, "beta1": 0.5, "beta2": 0.9, "eps": 0.1, "weight_decay": 0.2}, torch.optim.AdamW,
     {"lr": 0.1, "betas": (0.5, 0.9), "eps": 0.1, "weight_decay": 0.2}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "parameters", "theirs", "options"), CASES)
def test_steps_are_those_of_torch(
    name: str, parameters: dict[str, Any], theirs: type[Any], options: dict[str, Any]
) -> None:
    random = torch.Generator().manual_seed(1)
    one = [torch.randn(4, 3, generator=random).requires_grad_(), torch.randn(2, generator=random).requires_grad_()]
    other = [p.detach().clone().requires_grad_() for p in one]
    component = nlcore.create("optimizer", name, **parameters)
    ours, reference = component.make([{"params": one}]), theirs(other, **options)
    for _ in range(4):
        for mine, other_one in zip(one, other, strict=True):
            mine.grad = torch.randn(mine.shape, generator=random)
            other_one.grad = mine.grad.clone()
        ours.step()
        reference.step()
    for mine, other_one in zip(one, other, strict=True):
        torch.testing.assert_close(mine, other_one, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("name", ["sgd", "adam", "adamw", "muon", "sam", "cdr"])
def test_a_groups_own_options_go_before_and_unknown_ones_are_kept(name: str) -> None:
    tensor = torch.zeros(3, requires_grad=True)
    component = nlcore.create("optimizer", name)
    (group,) = component.make([{"params": [tensor], "lr": 7.0, "scheduled": False}]).param_groups
    assert (group["lr"], group["scheduled"]) == (7.0, False)


def test_nesterov_without_momentum_is_refused() -> None:
    with pytest.raises(UserError, match="needs a momentum above 0"):
        nlcore.create("optimizer", "sgd", momentum=0.0, nesterov=True)
