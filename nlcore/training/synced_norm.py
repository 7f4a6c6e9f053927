"""
Batch normalisation over the whole batch, where several processes compute a slice each.

    μ = (1/n) Σ_r Σ_i x_ri,    σ² = (1/n) Σ_r Σ_i (x_ri − μ)²,    y = γ (x − μ) / √(σ² + ε) + β

for each channel, with n values of it over all processes r. Gradients flow through both sums, so that a step is the one
that a single process would take.
"""

from __future__ import annotations

import functools

import torch
from torch import Tensor, nn

from nlcore.training.processes import Processes


def synchronise(network: nn.Module, processes: Processes) -> None:
    """Let all batch normalisations of a network take the statistics of the whole batch; in place."""
    for part in network.modules():
        if isinstance(part, nn.modules.batchnorm._BatchNorm):
            # torch's own SyncBatchNorm works on GPUs alone
            part.forward = functools.partial(_forward, part, type(part).forward, processes)  # type: ignore[method-assign]


def _forward(part: nn.modules.batchnorm._BatchNorm, usual: object, processes: Processes, x: Tensor) -> Tensor:
    """Return the normalised slice."""
    if not (processes.dividing and part.training):
        return usual(part, x)  # type: ignore[operator,no-any-return]
    channels = x.shape[1]
    over = [axis for axis in range(x.ndim) if axis != 1]
    shape = [1, channels, *[1] * (x.ndim - 2)]
    values = x.float()
    count = values.new_tensor([values.numel() / channels])
    total = processes.sum(torch.cat([values.sum(over), count]))
    n, mean = total[-1].detach(), total[:-1] / total[-1].detach()
    centred = values - mean.view(shape)
    variance = processes.sum((centred**2).sum(over)) / n
    if part.running_mean is not None and part.running_var is not None:
        with torch.no_grad():
            momentum = part.momentum
            if momentum is None:  # the mean over all batches
                assert part.num_batches_tracked is not None
                part.num_batches_tracked += 1
                momentum = 1 / float(part.num_batches_tracked)
            part.running_mean.lerp_(mean.to(part.running_mean.dtype), momentum)
            unbiased = variance * n / (n - 1)
            part.running_var.lerp_(unbiased.to(part.running_var.dtype), momentum)
    normed = centred * torch.rsqrt(variance + part.eps).view(shape)
    if part.affine:
        normed = normed * part.weight.view(shape) + part.bias.view(shape)
    return normed.to(x.dtype)
