"""
Choosing samples: small losses, as many of each class, and what the nearest neighbours say.

    keep_smallest            w_b = 1 for the max(1, ⌊share · B⌋) smallest losses of a batch, else 0
    class_balanced_indices   `count` positions of each class
    knn_votes                v_ic = Σ_{j ∈ kNN(i), j ≠ i} y_jc, neighbours by cosine similarity
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nlcore.errors import UserError

if TYPE_CHECKING:
    import torch
    from torch import Tensor


def keep_smallest(losses: Tensor, share: float | Tensor) -> Tensor:
    """
    Return weights that are 1 for the max(1, ⌊share · B⌋) smallest losses and 0 for the others, (B,).

    They have the dtype and device of the losses and carry no gradient. Shapes do not depend on values and nothing waits
    for the device, so a step that uses it can be recorded. The mean over those kept is
    ``(weights * losses).sum() / weights.sum()``. The small-loss rule of co-teaching (Han et al. 2018,
    arXiv:1804.06872), with its rounding.

    Args:
        losses: float (B,). Of equal losses, those that come first in the batch are kept; NaN counts as the largest.
        share: how much of the batch to keep, 0..1: a number, or a tensor without dimensions on the device of the
            losses, where it changes while a recorded step is replayed. A tensor's product with B is rounded as its
            dtype rounds: only float64 counts exactly as a number does.

    """
    size = len(losses)
    count = max(1, int(share * size)) if isinstance(share, (int, float)) else (share * size).floor().clamp(min=1)
    rank = losses.detach().argsort(stable=True).argsort()
    return (rank < count).to(losses.dtype)


def class_balanced_indices(labels: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """
    Draw positions with equally many of each class, int64 (classes that occur × count,), class by class.

    A class with fewer than `count` samples is drawn from with replacement, any other without. Classes that do not occur
    are left out.

    Args:
        labels: int64 (N,), 0 or more. Of a subset, give ``labels[subset]`` and index `subset` with the result.
        count: how many of each class.
        generator: draws on its device; the result is on the device of the labels.

    """
    import torch

    def draw(members: Tensor) -> Tensor:
        size = len(members)
        if size < count:
            return members[torch.randint(size, (count,), generator=generator, device=generator.device)]
        return members[torch.randperm(size, generator=generator, device=generator.device)[:count]]

    there = labels.to(generator.device)
    classes = torch.split(there.argsort(stable=True), there.bincount().tolist())
    drawn = [draw(members) for members in classes if len(members)]
    return torch.cat(drawn).to(labels.device) if drawn else torch.empty_like(labels)


def knn_votes(features: Tensor, labels: Tensor, k: int, num_classes: int, chunk: int = 512) -> Tensor:
    """
    Return the sum of the labels of each sample's k nearest neighbours, float32 (N, K), on the features' device.

    Near means a large cosine similarity. A sample is no neighbour of its own, and every neighbour counts alike; with
    class labels the votes are counts that sum to k. Which of equally similar samples come in is left open. As in SSR
    (Feng et al. 2022, arXiv:2111.11288), whose released code lets a sample vote for itself, and in Sel-CL (Li et al.
    2022, arXiv:2203.04181).

    Args:
        features: float (N, D).
        labels: classes, int64 (N,), or a distribution for each sample, float (N, K).
        k: how many neighbours, 1..N − 1.
        num_classes: K.
        chunk: how many samples are compared with all others at once; the memory needed is about 4 · chunk · N bytes.

    Raises:
        UserError: k is not in 1..N − 1.

    """
    import torch
    from torch.nn import functional as F

    total = len(features)
    if not 1 <= k < total:
        raise UserError(
            f"{k} nearest neighbours were asked for, but each of the {total} samples has {max(total - 1, 0)} others; "
            f"choose at least 1 and at most {max(total - 1, 1)}."
        )
    unit = F.normalize(features.detach().float())
    targets = labels.to(unit.device)
    targets = (F.one_hot(targets, num_classes) if targets.dim() == 1 else targets).float()
    votes = []
    for begin in range(0, total, chunk):
        similarity = unit[begin : begin + chunk] @ unit.T
        similarity.diagonal(begin).fill_(-torch.inf)  # itself: row i of the chunk is column begin + i
        nearest = similarity.topk(k).indices
        votes.append(F.embedding_bag(nearest, targets, mode="sum"))
    return torch.cat(votes)
