"""What the contract asks of every built-in loss, whatever its formula."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch

import nlcore
from nlcore.testing.same import equal
from nlcore.training.context import LossSetup

K, N = 4, 12
#: Those that are defined for one label, and mean over labels where they are given a distribution.
LINEAR = ("gce", "agce", "aul", "ael", "nce_agce", "taylor_ce", "elr")
#: Those that take distributions for targets.
SOFT = (
    *("cross_entropy", "soft_bootstrap", "hard_bootstrap", "mae", "sce", "nce_rce", "nce_mae", "nfl_rce", "focal"),
    *("label_smoothing", "jensen_shannon", "anl_ce", "forward_correction", "backward_correction", "peer", "cores"),
    *LINEAR,
)
#: Those that are defined for one label.
ONE_LABEL = ("selc", "truncated_gce", "sop")
LOSSES = (*SOFT, *ONE_LABEL)
every_loss = pytest.mark.parametrize("name", LOSSES)


def make(name: str) -> Any:
    """Return a loss, set up where it keeps state, with something in its memory."""
    loss = nlcore.create("loss", name)
    random = torch.Generator().manual_seed(1)
    if hasattr(loss, "setup"):
        labels = torch.zeros(N, dtype=torch.int64)
        loss.setup(LossSetup(K, N, labels, torch.device("cpu"), random, lambda: None))
    if hasattr(loss, "observe"):
        loss.observe(torch.randn(N, K, generator=random), torch.arange(N))
    return loss


def draw(size: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return logits float32 (size, K), labels and positions."""
    random = torch.Generator().manual_seed(2)
    logits = 2 * torch.randn(size, K, generator=random)
    return logits, torch.randint(K, (size,), generator=random), torch.randperm(N, generator=random)[:size]


@every_loss
def test_one_value_for_each_sample_by_itself(name: str) -> None:
    """(B,), and a sample's loss does not depend on the others: a batch of one gives the same."""
    loss = make(name)
    logits, targets, index = draw(5)
    losses = loss(logits, targets, index)
    assert losses.shape == (5,)
    for i in range(5):
        alone = loss(logits[i : i + 1], targets[i : i + 1], index[i : i + 1])
        assert alone.shape == (1,)
        torch.testing.assert_close(alone[0], losses[i])


@every_loss
def test_calling_changes_nothing(name: str) -> None:
    """A strategy may evaluate a loss to select samples: the same call gives the same again."""
    loss = make(name)
    before = copy.deepcopy(vars(loss))
    logits, targets, index = draw(5)
    given = [logits.clone(), targets.clone(), index.clone()]
    first = loss(logits.requires_grad_(), targets, index)
    first.sum().backward()
    assert torch.equal(loss(logits, targets, index), first)
    assert equal(vars(loss), before)
    assert all(torch.equal(now, then) for now, then in zip((logits, targets, index), given, strict=True))


@every_loss
def test_same_under_autocast(name: str) -> None:
    """The loop runs networks in bf16; the loss of bf16 logits stays in float32 there."""
    loss = make(name)
    logits, targets, index = draw(5)
    logits = logits.bfloat16()
    outside = loss(logits, targets, index)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = loss(logits, targets, index)
    assert inside.dtype == torch.float32
    torch.testing.assert_close(inside, outside, rtol=1e-6, atol=1e-6)


@every_loss
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
def test_finite_for_extreme_logits(name: str, dtype: torch.dtype) -> None:
    """Values and gradients, for every label against every sure prediction of ±10,000."""
    sure = 2e4 * torch.eye(K, dtype=dtype) - 1e4
    logits = torch.cat([sure.repeat_interleave(K, 0), torch.full((K, K), 1e4), torch.full((K, K), -1e4)])
    logits = logits.to(dtype).requires_grad_()
    targets = torch.arange(K).repeat(K + 2)
    index = torch.arange(len(logits)) % N
    losses = make(name)(logits, targets, index)
    losses.sum().backward()
    assert torch.isfinite(losses).all()
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()


@every_loss
def test_a_shift_of_all_logits_changes_nothing(name: str) -> None:
    """Losses see logits through the softmax."""
    loss = make(name)
    logits, targets, index = draw(5)
    shifted = loss(logits.double() + 7.5, targets, index)
    torch.testing.assert_close(shifted, loss(logits.double(), targets, index))


@pytest.mark.parametrize("name", SOFT)
def test_soft_targets_agree_with_labels(name: str) -> None:
    """A loss that declares soft targets takes a one-hot (B, K) for the label."""
    loss = make(name)
    assert loss.soft_targets
    logits, targets, index = draw(5)
    soft = loss(logits, torch.nn.functional.one_hot(targets, K).float(), index)
    torch.testing.assert_close(soft, loss(logits, targets, index))


@pytest.mark.parametrize("name", LINEAR)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_distribution_has_the_mean_loss_over_its_labels(name: str, dtype: torch.dtype) -> None:
    """Σ_k y_k ℓ(f, k), with its gradient, and finite where a prediction excludes a label."""
    loss = make(name)
    logits, _, index = draw(5)
    logits[0] = torch.tensor([1e4, -1e4, 0.0, 5.0])
    logits = logits.to(dtype).requires_grad_()
    y = torch.distributions.Dirichlet(torch.ones(K)).sample((5,))
    y[1] = torch.tensor([0.5, 0.0, 0.5, 0.0])
    y = y / y.sum(1, keepdim=True)
    soft = loss(logits, y, index)
    one_by_one = [y[:, k] * loss(logits, torch.full((5,), k), index) for k in range(K)]
    expected = torch.stack(one_by_one).sum(0)
    torch.testing.assert_close(soft, expected.to(soft.dtype), rtol=1e-5, atol=1e-6)
    (gradient,) = torch.autograd.grad(soft.sum(), logits)
    (wanted,) = torch.autograd.grad(expected.sum(), logits)
    assert gradient.isfinite().all()
    torch.testing.assert_close(gradient, wanted, rtol=1e-5, atol=1e-6)


def test_the_others_do_not_declare_soft_targets() -> None:
    """They judge or correct each label by itself."""
    assert not any(getattr(nlcore.create("loss", name), "soft_targets", False) for name in ONE_LABEL)


@pytest.mark.parametrize("name", [name for name in LOSSES if name not in ("soft_bootstrap", "sop")])
def test_gradients_are_those_of_the_value(name: str) -> None:
    """Against finite differences in float64; those that detach a part have their own tests."""
    loss = make(name)
    logits, targets, index = draw(5)
    assert torch.autograd.gradcheck(lambda f: loss(f, targets, index), logits.double().requires_grad_())
