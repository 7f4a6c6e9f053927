"""
MixMatch (Berthelot et al. 2019, arXiv:1905.02249), as it is used where labels are divided into trusted and others.

    guess         mean of softmax f(x) over views and networks: what is sharpened to be a target
    mix_halves    x̃ = λ' x + (1 − λ') x_π,  t̃ = λ' t + (1 − λ') t_π,  λ' = max(λ, 1 − λ), over all views of both halves
    L_X           mean_b −Σ_c t̃_c log p_c        over the labelled rows: `soft_cross_entropy`
    L_U           mean_b mean_c (p_c − t̃_c)²     over the others: `squared_error`
    repeated      positions of a half in new orders, as many as an epoch takes

In a strategy, with tables that ``begin_epoch`` draws (see `nlcore.toolbox.targets`) and halves that passes pair:

    x, u = batch.views, batch.paired.views
    images, targets = mix_halves(x, labels, u, guesses, batch.row(self.order), batch.row(self.lam))
    logits, count = network(images), len(x) * len(batch.index)
    L_X, L_U = soft_cross_entropy(logits[:count], targets[:count]), squared_error(logits[count:], targets[count:])

Nothing waits for the device and shapes do not depend on values.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from nlcore.toolbox.targets import mix, mixup_pairs

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn


def guess(network: nn.Module, views: Sequence[Tensor], others: Sequence[nn.Module] = ()) -> Tensor:
    """
    Return the mean of softmax f(x) over views and networks, (B, K), without gradient.

    The network that is trained predicts in the mode that it is in: in training mode, as in DivideMix' code, its
    running statistics see images that are not mixed, as those that are tested are not. The others predict in
    evaluation mode, so that nothing in them moves; every part of them has its own mode again afterwards.

    Args:
        network: the one that is trained.
        views: one or more of the same B images, each (B, C, H, W).
        others: networks that predict with it.

    """
    import torch

    modes = [(part, part.training) for other in others for part in other.modules()]
    try:
        for other in others:
            other.eval()
        with torch.no_grad():
            predicted = [one(view).softmax(1) for one in (network, *others) for view in views]
    finally:
        for part, mode in modes:
            part.training = mode
    return torch.stack(predicted).mean(0)


def mix_halves(
    labelled: Sequence[Tensor],
    labels: Tensor,
    unlabelled: Sequence[Tensor],
    guesses: Tensor,
    order: Tensor,
    lam: Tensor,
) -> tuple[Tensor, Tensor]:
    """
    Return all views of both halves mixed with each other, images (R, C, H, W) and targets (R, K).

    The rows are in order the labelled views and the unlabelled ones, R = M B_x + M B_u, and each is mixed with any of
    all. As λ' ≥ 1/2, a row remains nearer to its own image than to its partner's.

    Args:
        labelled: M views, each (B_x, C, H, W).
        labels: the targets of each of them, float (B_x, K).
        unlabelled: views, each (B_u, C, H, W); none where there is no unlabelled half.
        guesses: their targets, float (B_u, K).
        order: independent uniform numbers, float, R or more.
        lam: λ, 0..1, a tensor without dimensions.

    """
    import torch

    images = torch.cat([*labelled, *unlabelled])
    targets = torch.cat([labels] * len(labelled) + [guesses] * len(unlabelled))
    partner, larger = mixup_pairs(order, len(images)), torch.maximum(lam, 1 - lam)
    return mix(images, partner, larger), mix(targets, partner, larger)


def soft_cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """
    Return the mean of −Σ_c t_c log p_c over a batch, a scalar.

    Args:
        logits: float (B, K), B at least 1; p is their softmax.
        targets: t, float (B, K); with classes weighted by ω, ω t.

    """
    return -(targets * logits.log_softmax(1)).sum(1).mean()


def squared_error(logits: Tensor, targets: Tensor) -> Tensor:
    """
    Return the mean of (p_c − t_c)² over batch and classes, a scalar; 0 for an empty batch.

    Args:
        logits: float (B, K); p is their softmax.
        targets: t, float (B, K).

    """
    return (logits.softmax(1) - targets).square().sum() / max(logits.numel(), 1)


def repeated(indices: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """
    Return `count` positions of a half, int64 on the CPU: all of them in a random order, then again in another one.

    With a count that is a multiple of the batch size every batch of an epoch has the same shape, however many samples
    the half has. Give them to a pass with ``shuffle=False``.

    Args:
        indices: int64 (M,) on any device; of an empty half there is nothing to return.
        count: how many to return.
        generator: a CPU generator.

    """
    import torch

    there = indices.cpu()
    rounds = -(-count // len(there)) if len(there) else 0
    orders = [there[torch.randperm(len(there), generator=generator)] for _ in range(rounds)]
    return torch.cat([there[:0], *orders])[:count]
