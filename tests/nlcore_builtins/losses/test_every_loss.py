"""What holds for every built-in loss, whatever its formula, beside what the conformance suite checks."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from nlcore_builtins.losses import nl_losses

import nlcore
from nlcore.training.context import LossSetup

K, N = 4, 12
#: Those that take distributions for targets.
SOFT = (
    *("cross_entropy", "soft_bootstrap", "hard_bootstrap", "mae", "sce", "nce_rce", "nce_mae", "nfl_rce", "focal"),
    *("label_smoothing", "jensen_shannon", "anl_ce", "forward_correction", "backward_correction", "peer", "cores"),
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


def test_which_losses_take_distributions_for_targets() -> None:
    """The others are defined for one label; the suite leaves out what a loss does not declare."""
    assert {name for name in LOSSES if getattr(nlcore.create("loss", name), "soft_targets", False)} == set(SOFT)
