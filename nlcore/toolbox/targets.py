"""
Pieces of mixup (Zhang et al. 2018, arXiv:1710.09412) and MixMatch (Berthelot et al. 2019, arXiv:1905.02249).

    sharpen(p, T)_c = p_c^{1/T} / Σ_j p_j^{1/T}
    x̃ = λ x + (1 − λ) x_π        λ ~ Beta(α, α), π a random permutation; targets likewise

What is random is drawn ahead, in ``begin_epoch``, as a table with a row for each step (see `nlcore.roles.Batch.row`):

    random = ctx.generator("mixup", epoch)
    self.lam.copy_(beta(alpha, steps, random))                    # MixMatch: lam.maximum(1 - lam)
    self.order.copy_(torch.rand(steps, width, generator=random))  # width: the most rows that are mixed in a step

and in ``step``, where nothing waits for the device and shapes do not depend on values:

    lam, partner = batch.row(self.lam), mixup_pairs(batch.row(self.order), len(images))
    images, targets = mix(images, partner, lam), mix(targets, partner, lam)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch import Tensor


def sharpen(p: Tensor, temperature: float) -> Tensor:
    """
    Return p^{1/T} scaled to sum to 1 along the last dimension.

    Worked out in logarithms, so small temperatures do not underflow. Meant for targets, which take no gradient.

    Args:
        p: probabilities, float (..., K).
        temperature: T > 0; 1 leaves p as it is, towards 0 the largest entry takes all.

    """
    return (p.log() / temperature).softmax(-1)


def beta(alpha: float, steps: int, generator: torch.Generator) -> Tensor:
    """
    Draw λ ~ Beta(α, α) for every step of an epoch, float32 (steps,) on the CPU, 0..1.

    Args:
        alpha: α > 0; 1 is uniform, less is nearer to 0 and 1, more is nearer to 1/2.
        steps: how many to draw.
        generator: a CPU generator. One number is taken from it, so a second call draws others.

    """
    import numpy as np
    import torch

    seed = int(torch.randint(2**63 - 1, (), generator=generator))
    return torch.from_numpy(np.random.default_rng(seed).beta(alpha, alpha, steps)).float()


def mixup_pairs(order: Tensor, count: int) -> Tensor:
    """
    Return for each of `count` rows the one to mix it with: a random permutation, int64 (count,).

    Args:
        order: independent uniform numbers, float (M,) with M ≥ count; the first `count` are used.
        count: how many rows there are.

    """
    return order[:count].argsort(stable=True)


def mixup_pairs_within(order: Tensor, chosen: Tensor) -> Tensor:
    """
    Return for each row the one to mix it with, chosen ones among themselves: a permutation, int64 (B,).

    A mask as an index would make shapes depend on values. Here all rows are mixed, the chosen with the chosen and the
    rest with the rest, and an average over the chosen is ``(chosen * losses).sum() / chosen.sum().clamp(min=1)``.
    Where all or none are chosen this is `mixup_pairs`.

    Args:
        order: independent uniform numbers in [0, 1), float (M,) with M ≥ B; the first B are used.
        chosen: which rows are chosen, bool or 0 and 1 of any dtype, (B,).

    """
    rest = 1 - chosen.to(order.dtype)
    own = rest.argsort(stable=True)  # the chosen first, then the rest, each in the batch's order
    partners = (order[: len(chosen)] + 2 * rest).argsort(stable=True)  # the chosen first, each in random order
    return partners[own.argsort()]


def mix(values: Tensor, partner: Tensor, lam: Tensor | float) -> Tensor:
    """
    Return λ v + (1 − λ) v_partner, in the shape of `values`.

    Args:
        values: float (B, ...): images, or targets as distributions (B, K).
        partner: int64 (B,), see `mixup_pairs`.
        lam: λ, 0..1: one for the batch, a number or a tensor without dimensions; or any shape that broadcasts with
            `values`, such as (B, 1, 1, 1).

    """
    return lam * values + (1 - lam) * values[partner]
