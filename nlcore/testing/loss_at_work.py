"""A loss at work: set up through the contract, in its first epoch, and a batch for it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from nlcore.testing.toy import declared_noise
from nlcore.training.bound_loss import LossSetup

K, N, B = 4, 12, 5

#: How a loss begins that is computed in at least float32.
PROMOTE = "logits = logits.to(torch.promote_types(logits.dtype, torch.float32))"


def set_up(cls: type, *, predictions: bool = True) -> Any:
    """Return a new loss, set up through the contract, in its first epoch, with `predictions` for all samples seen."""
    random = torch.Generator().manual_seed(1)
    given = torch.arange(N) % K
    loss = cls()
    if hasattr(loss, "setup"):
        loss.setup(LossSetup(K, N, given, torch.device("cpu"), random, lambda: declared_noise(K)))
    begin(loss, 1)
    if predictions and hasattr(loss, "observe"):
        loss.observe(torch.randn(N, K, generator=torch.Generator().manual_seed(3)), torch.arange(N))
    return loss


def begin(loss: Any, epoch: int) -> None:
    """Let an epoch begin for a loss that wants to know; its network is sure of every sample's label."""
    if hasattr(loss, "begin_epoch"):
        logits = 2 * F.one_hot(torch.arange(N) % K, K).float()
        loss.begin_epoch(epoch, 10, lambda: logits.clone())


def learned(loss: Any) -> list[Tensor]:
    """Return the tensors that a loss hands to the optimiser."""
    groups = loss.param_groups() if hasattr(loss, "param_groups") else []
    return [tensor for group in groups for tensor in group["params"]]


def batch(size: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return logits float32 (size, K), labels and positions."""
    random = torch.Generator().manual_seed(2)
    logits = 2 * torch.randn(size, K, generator=random)
    return logits, torch.randint(K, (size,), generator=random), torch.randperm(N, generator=random)[:size]
