"""Logit adjustment against Menon et al. 2021, eq. 10 in float64, and the balanced error that it is for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from formulas import Array, Case, K, agree, draw, labels_and_soft_targets
from scipy.special import logsumexp

import nlcore
from nlcore.training.bound_loss import LossSetup

COUNTS = (1, 10, 100, 40, 9)


def set_up(counts: tuple[int, ...] = COUNTS, **parameters: Any) -> Any:
    """Return the loss for so many given labels of each class."""
    loss = nlcore.create("loss", "logit_adjusted", **parameters)
    labels = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
    loss.setup(LossSetup(len(counts), len(labels), labels, torch.device("cpu"), torch.Generator(), lambda: None))
    return loss


@labels_and_soft_targets
@pytest.mark.parametrize("tau", [0.5, 1.0, 2.0])
def test_value_and_gradient(case: Case, tau: float) -> None:
    """A shift of f by a constant, log Σ exp f, changes nothing: so the formula may take log p for f."""
    adjustment = tau * np.log(np.array(COUNTS) / sum(COUNTS))

    def formula(log_p: Array, y: Array) -> Array:
        f = log_p + adjustment
        result: Array = -(y * (f - logsumexp(f, axis=1, keepdims=True))).sum(1)
        return result

    agree(set_up(tau=tau), formula, case)


@pytest.mark.parametrize(("counts", "tau"), [((7,) * K, 1.0), (COUNTS, 0.0)])
def test_equal_classes_or_tau_zero_give_cross_entropy(counts: tuple[int, ...], tau: float) -> None:
    logits, targets = draw()
    expected = torch.nn.functional.cross_entropy(logits, targets, reduction="none")
    torch.testing.assert_close(set_up(counts, tau=tau)(logits, targets), expected)


def test_what_is_learned_is_the_likelihood_and_not_the_share() -> None:
    """Of images that all look alike, 10 and 100 of two classes, it learns equal logits; cross-entropy learns log n."""
    targets = torch.tensor([0] * 10 + [1] * 100)
    for loss, learned in (
        (set_up((10, 100)), [0.0, 0.0]),
        (torch.nn.functional.cross_entropy, [np.log(10), np.log(100)]),
    ):
        logits = torch.tensor([learned], dtype=torch.float64, requires_grad=True)
        loss(logits.expand(110, 2), targets).mean().backward()
        assert logits.grad is not None
        assert logits.grad.abs().max() < 1e-12
        other = torch.tensor([[learned[0], learned[1] + 1]], dtype=torch.float64, requires_grad=True)
        loss(other.expand(110, 2), targets).mean().backward()
        assert other.grad is not None
        assert other.grad.abs().max() > 0.01


def test_a_class_that_is_not_there_counts_as_one_image() -> None:
    logits, _ = draw()
    targets = torch.arange(5).repeat(2)[: len(logits)]
    expected = set_up((1, 10, 100, 40, 9))(logits, targets)
    torch.testing.assert_close(set_up((0, 10, 100, 40, 9))(logits, targets), expected)


def test_it_wants_to_be_set_up() -> None:
    with pytest.raises(RuntimeError, match="setup"):
        nlcore.create("loss", "logit_adjusted")(*draw())


@pytest.mark.parametrize("tau", [-1, "abc", float("inf")])
def test_wrong_parameters(tau: object) -> None:
    with pytest.raises(nlcore.ParameterError, match=r"loss\.tau"):
        nlcore.create("loss", "logit_adjusted", tau=tau)
