"""Weights of classes against Cui et al. 2019 in float64, and against torch's cross-entropy with a weight."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from formulas import Array, Case, K, agree, draw, labels_and_soft_targets

import nlcore
from nlcore.training.bound_loss import LossSetup

COUNTS = (1, 10, 100, 4000, 9)


def set_up(counts: tuple[int, ...] = COUNTS, **parameters: Any) -> Any:
    """Return the loss for so many given labels of each class."""
    loss = nlcore.create("loss", "class_weighted", **parameters)
    labels = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
    loss.setup(LossSetup(len(counts), len(labels), labels, torch.device("cpu"), torch.Generator(), lambda: None))
    return loss


def weights(beta: float) -> Array:
    """Return w (K,), by eq. 8 and the paper's normalisation."""
    effective = np.array([(1 - beta**n) / (1 - beta) for n in COUNTS])
    result: Array = K / effective / (1 / effective).sum()
    return result


@labels_and_soft_targets
@pytest.mark.parametrize("beta", [0.0, 0.9, 0.999])
def test_value_and_gradient(case: Case, beta: float) -> None:
    agree(set_up(beta=beta), lambda log_p, y: -(y * weights(beta) * log_p).sum(1), case)


def test_it_is_torch_s_weighted_cross_entropy() -> None:
    logits, targets = draw()
    weight = torch.from_numpy(weights(0.999))
    expected = torch.nn.functional.cross_entropy(logits, targets, weight=weight, reduction="none")
    torch.testing.assert_close(set_up()(logits, targets), expected)


def test_near_one_weights_are_those_of_the_inverse_count() -> None:
    """The mean over all samples of w_y / n_y is the same for each class."""
    inverse = K / np.array(COUNTS) / (1 / np.array(COUNTS)).sum()
    np.testing.assert_allclose(set_up(beta=1 - 1e-9).weights.numpy(), inverse, rtol=1e-4)


def test_beta_zero_is_cross_entropy() -> None:
    logits, targets = draw()
    expected = torch.nn.functional.cross_entropy(logits, targets, reduction="none")
    torch.testing.assert_close(set_up(beta=0)(logits, targets), expected)


def test_classes_that_are_not_there_change_nothing_for_the_others() -> None:
    assert set_up((500, 0, 500, 0, 0)).weights.tolist() == [1, 0, 1, 0, 0]
    torch.testing.assert_close(set_up((0, *COUNTS)).weights[1:], set_up(COUNTS).weights)


def test_it_wants_to_be_set_up() -> None:
    with pytest.raises(RuntimeError, match="setup"):
        nlcore.create("loss", "class_weighted")(*draw())


@pytest.mark.parametrize("beta", [-0.1, 1.0, "abc"])
def test_wrong_parameters(beta: object) -> None:
    with pytest.raises(nlcore.ParameterError, match=r"loss\.beta"):
        nlcore.create("loss", "class_weighted", beta=beta)
