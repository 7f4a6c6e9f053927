"""What holds for every built-in loss, whatever its formula, beside what the conformance suite checks."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from nlcore_builtins.losses import nl_losses

import nlcore
from nlcore.training.bound_loss import LossSetup

K, N = 4, 12
#: Those that are defined for one label, and mean over labels where they are given a distribution.
LINEAR = ("gce", "agce", "aul", "ael", "nce_agce", "taylor_ce", "elr")
#: Those that take distributions for targets.
SOFT = (
    *("cross_entropy", "soft_bootstrap", "hard_bootstrap", "mae", "sce", "nce_rce", "nce_mae", "nfl_rce", "focal"),
    *("label_smoothing", "jensen_shannon", "anl_ce", "forward_correction", "backward_correction", "peer", "cores"),
    *("vol_min_net", "importance_reweighting", "gjs", "logit_adjusted", "class_weighted"),
    *LINEAR,
)
LOSSES = tuple(component.name for component in nl_losses())
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
def test_a_sample_s_loss_does_not_depend_on_the_others(name: str) -> None:
    """A batch of one gives the same."""
    loss = make(name)
    logits, targets, index = draw(5)
    losses = loss(logits, targets, index)
    assert losses.shape == (5,)
    for i in range(5):
        alone = loss(logits[i : i + 1], targets[i : i + 1], index[i : i + 1])
        assert alone.shape == (1,)
        torch.testing.assert_close(alone[0], losses[i])


@every_loss
def test_a_shift_of_all_logits_changes_nothing(name: str) -> None:
    """Losses see logits through the softmax."""
    loss = make(name)
    logits, targets, index = draw(5)
    shifted = loss(logits.double() + 7.5, targets, index)
    torch.testing.assert_close(shifted, loss(logits.double(), targets, index))


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


def test_which_losses_take_distributions_for_targets() -> None:
    """The others judge or correct each label by itself; the suite leaves out what a loss does not declare."""
    assert {name for name in LOSSES if getattr(nlcore.create("loss", name), "soft_targets", False)} == set(SOFT)
