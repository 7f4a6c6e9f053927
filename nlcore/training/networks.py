"""Drawing networks: the same seed and name give the same weights."""

from __future__ import annotations

import types
from typing import Any

import torch
from torch import nn

from nlcore.contracts import Architecture
from nlcore.data.seeds import derive_seed


def draw_network(
    architecture: Architecture, num_classes: int, image_shape: tuple[int, int, int], seed: int, name: str
) -> nn.Module:
    """Return a network whose initial weights depend on seed and name alone; torch's generator is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(seed, name))
        network = architecture.build(num_classes, image_shape)
    _count_no_batches(network)
    return network


def _count_no_batches(network: nn.Module) -> None:
    """
    Take the counters of batches out of batch normalisation: each costs an operation a step.

    Nothing reads them where there is a momentum. States that were saved with counters can be loaded as before.
    """
    for part in network.modules():
        counts = isinstance(part, (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)) and part.track_running_stats
        if counts and part.momentum is not None:
            part.num_batches_tracked = None  # type: ignore[assignment]
            # torch's own wants the counter
            part.reset_running_stats = types.MethodType(_reset_running_stats, part)  # type: ignore[assignment]
    network.register_load_state_dict_post_hook(_pass_over_counters)  # type: ignore[no-untyped-call]


def _reset_running_stats(part: nn.BatchNorm2d) -> None:
    assert part.running_mean is not None
    assert part.running_var is not None
    part.running_mean.zero_()
    part.running_var.fill_(1)


def _pass_over_counters(network: nn.Module, incompatible: Any) -> None:
    keys = incompatible.unexpected_keys
    keys[:] = [key for key in keys if not key.endswith(".num_batches_tracked")]
