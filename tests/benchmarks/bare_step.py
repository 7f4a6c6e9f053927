"""
The alternative called *bare step*: nlcore's network and step written by hand, on one synthetic batch that stays there.

No data path, no methods, nothing but forward, backward and update: what is left for an engine to lose.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def make_network(network: nn.Module, device: torch.device) -> nn.Module:
    """Return the network where it is trained, in channels_last."""
    return network.to(device).to(memory_format=torch.channels_last)


def make_optimizer(network: nn.Module) -> torch.optim.Optimizer:
    """Return nlcore's default optimiser, in its fused form."""
    return torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4, fused=True)


def make_batch(size: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return normally distributed images (B, 3, 32, 32) in channels_last, and labels (B,) of ten classes."""
    images = torch.randn(size, 3, 32, 32).to(device, memory_format=torch.channels_last)
    return images, torch.randint(10, (size,)).to(device)


def train_steps(
    network: nn.Module,
    batch: tuple[Tensor, Tensor],
    sizes: Sequence[int],
    optimizer: torch.optim.Optimizer,
    bf16: bool,
) -> float:
    """Do one step for each of the sizes, on so many of the batch's images; return the mean of the steps' losses."""
    images, labels = batch
    network.train()
    total = torch.zeros((), device=images.device)
    for size in sizes:
        with torch.autocast(images.device.type, dtype=torch.bfloat16, enabled=bf16):
            outputs = network(images[:size])
        loss = F.cross_entropy(outputs.float(), labels[:size])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        total += loss.detach()
    return total.item() / len(sizes)
