"""Which samples an epoch shows where classes are balanced (`--sampling balanced`)."""

from __future__ import annotations

import torch
from torch import Tensor


def balanced_positions(labels: Tensor, number: int, random: torch.Generator) -> Tensor:
    """
    Draw positions, of each class equally many, in random order, int64 (M,).

    Counts differ by one at most: between the classes that occur, where M is no multiple of their number, and between
    the samples of a class. So an epoch of all N leaves no sample of a rare class out, none of a large one comes twice,
    and of a large one each epoch draws others.

    Args:
        labels: int64 (N,), on the CPU.
        number: M, how many to draw; N for a whole epoch.
        random: draws, on the CPU.

    """
    classes = labels.bincount().nonzero().flatten()
    share, more = divmod(number, max(len(classes), 1))
    counts = torch.full((len(classes),), share)
    counts[torch.randperm(len(classes), generator=random)[:more]] += 1
    drawn = []
    for label, count in zip(classes.tolist(), counts.tolist(), strict=True):
        members = (labels == label).nonzero().flatten()
        times, rest = divmod(count, len(members))
        drawn += [members.repeat(times), members[torch.randperm(len(members), generator=random)[:rest]]]
    positions = torch.cat(drawn) if drawn else torch.empty_like(labels)
    return positions[torch.randperm(len(positions), generator=random)]
