"""The network of airbench94 against its own definition, written down once more with other means."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import nlcore


def build(classes: int, shape: tuple[int, int, int], width: int = 4) -> Any:
    torch.manual_seed(1)
    return nlcore.create("architecture", "airbench", width=width).build(classes, shape)


def images(count: int, shape: tuple[int, int, int]) -> Tensor:
    return torch.randn(count, *shape, generator=torch.Generator().manual_seed(3))


def test_it_has_as_many_weights_as_the_paper_s() -> None:
    """1.97 million, as the paper says: convolutions, norms, stem and head."""
    convolutions = 9 * (24 * 64 + 64 * 64 + 64 * 256 + 3 * 256 * 256)
    norms = 2 * (2 * 64 + 4 * 256)
    stem, head = 24 * (3 * 4 + 1), 256 * 10 + 10
    network = build(10, (3, 32, 32), width=64)
    count = sum(p.numel() for p in network.parameters())
    assert count == convolutions + norms + stem + head
    assert round(count / 1e6, 2) == 1.97


def test_it_computes_what_its_definition_says() -> None:
    """The same weights in a chain of torch's own modules give the same logits."""
    network = build(10, (3, 32, 32)).eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
    parts: list[nn.Module] = [network.stem, nn.GELU()]
    for block in network.blocks:
        parts += [block.conv1, nn.MaxPool2d(2), block.bn1, nn.ReLU(), block.conv2, block.bn2, nn.ReLU()]
    chain = nn.Sequential(*parts, nn.AdaptiveMaxPool2d(1), nn.Flatten(), network.head)
    x = images(5, (3, 32, 32))
    with torch.no_grad():
        torch.testing.assert_close(network(x), chain(x))
        maps = nn.Sequential(*parts)(x)
    assert maps.shape == (5, 16, 3, 3)  # 32 → 31 → 15 → 7 → 3


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 33, 20), (2, 1, 1), (1, 2, 40)])
def test_any_image_size(shape: tuple[int, int, int]) -> None:
    network = build(7, shape)
    for mode in (True, False):
        logits = network.train(mode)(images(2, shape))
        assert logits.shape == (2, 7)
        assert torch.isfinite(logits).all()
