"""Weights as torchvision publishes them, and its networks without any: made up, so that nothing is downloaded."""

from __future__ import annotations

from typing import Any

import torch
import torchvision
from torch import Tensor

import nlcore


def torchvision_net(model: str, classes: int = 5, channels: int = 3, **options: Any) -> Any:
    """Return one of its networks, all of whose tensors are 0."""
    network: Any = nlcore.create("architecture", "torchvision", model=model, **options).build(
        classes, (channels, 64, 64)
    )
    for tensor in network.state_dict().values():
        tensor.zero_()
    return network


def published_tensors(model: str, classes: int = 1000) -> dict[str, Tensor]:
    """Return random tensors by the names and in the shapes of torchvision's own model."""
    options = {"init_weights": True} if model == "googlenet" else {}
    with torch.device("meta"):
        shapes = torchvision.models.get_model(model, weights=None, num_classes=classes, **options).state_dict()
    random = torch.Generator().manual_seed(2)
    return {key: torch.rand(value.shape, generator=random).to(value.dtype) for key, value in shapes.items()}
