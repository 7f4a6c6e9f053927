"""Co-teaching's network against the paper's table 2, written out with plain functions."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import nlcore


def build(classes: int, shape: tuple[int, int, int]) -> Any:
    """Return a network with weights drawn for one seed."""
    torch.manual_seed(1)
    return nlcore.create("architecture", "cnn9").build(classes, shape)


def images(count: int, shape: tuple[int, int, int], dtype: torch.dtype = torch.float32) -> Tensor:
    """Return random images (count, C, H, W)."""
    return torch.randn(count, *shape, generator=torch.Generator().manual_seed(3), dtype=dtype)


WIDTHS = (128, 128, 128, 256, 256, 256, 512, 256, 128)


@pytest.mark.parametrize("channels", [1, 3])
def test_parameter_count(channels: int) -> None:
    """By arithmetic: nine 3×3 convolutions with bias, normalised, and the head; 4.4 million."""
    pairs = list(zip((channels, *WIDTHS), WIDTHS, strict=False))
    expected = sum(inputs * outputs * 9 + outputs + 2 * outputs for inputs, outputs in pairs) + 128 * 10 + 10
    assert round(expected / 1e6, 1) == 4.4
    assert sum(p.numel() for p in build(10, (channels, 32, 32)).parameters()) == expected


@pytest.mark.parametrize(("shape", "left"), [((3, 32, 32), (2, 2)), ((1, 28, 28), (1, 1)), ((1, 8, 13), (2, 3))])
def test_forward_is_its_layers(shape: tuple[int, int, int], left: tuple[int, int]) -> None:
    """In evaluation mode, where nothing is dropped; the last three convolutions pad only small images."""
    network = build(5, shape).double().eval()
    with torch.no_grad():
        for part in network.modules():
            if isinstance(part, nn.BatchNorm2d):
                assert part.running_mean is not None
                assert part.running_var is not None
                part.running_mean.uniform_(-0.1, 0.1)
                part.running_var.uniform_(0.2, 0.6)
                part.weight.uniform_(0.5, 1.5)
    convolutions = [part for part in network.modules() if isinstance(part, nn.Conv2d)]
    norms = [part for part in network.modules() if isinstance(part, nn.BatchNorm2d)]
    x = h = images(2, shape, torch.float64)
    for number, (conv, norm) in enumerate(zip(convolutions, norms, strict=True)):
        padding = 1 if number < 6 or min(shape[1:]) < 28 else 0
        h = F.conv2d(h, conv.weight, conv.bias, padding=padding)
        assert norm.running_mean is not None
        assert norm.running_var is not None
        scale = norm.weight / (norm.running_var + 1e-5).sqrt()
        h = (h - norm.running_mean[:, None, None]) * scale[:, None, None] + norm.bias[:, None, None]
        h = torch.where(h > 0, h, 0.01 * h)
        if number in (2, 5):
            h = F.max_pool2d(h, 2, 2)
    assert h.shape[2:] == left
    expected = h.mean((2, 3)) @ network.head.weight.T + network.head.bias
    with torch.no_grad():
        torch.testing.assert_close(network(x), expected, rtol=1e-9, atol=1e-9)


def test_dropout_takes_a_quarter_of_the_channels_in_training_only() -> None:
    """Whole channels are zero, the others are larger by 4/3; after each of the two poolings."""
    network = build(5, (3, 16, 16))
    dropouts = [part for part in network.modules() if isinstance(part, nn.Dropout2d)]
    x = torch.ones(64, 256, 2, 2)
    for part in dropouts:
        channels = part.train()(x).flatten(2)
        assert (channels == channels[:, :, :1]).all()
        assert channels.max().item() == pytest.approx(4 / 3)
        assert (channels[:, :, 0] == 0).double().mean().item() == pytest.approx(0.25, abs=0.02)
        assert torch.equal(part.eval()(x), x)
    assert [type(block[-1]) for block in (network.block1, network.block2)] == [nn.Dropout2d] * 2


def test_stages_are_in_order() -> None:
    """Every parameter once, from the image to the logits."""
    network = build(5, (3, 8, 8))
    order = [id(p) for p in network.parameters()]  # as they are registered, which is the order of the forward pass
    assert [id(p) for stage in network.stages() for p in stage.parameters()] == order
    assert [sum(1 for _ in stage.parameters()) for stage in network.stages()] == [12, 12, 12, 2]


@pytest.mark.parametrize("shape", [(1, 3, 32), (3, 32, 2)])
def test_images_too_small(shape: tuple[int, int, int]) -> None:
    with pytest.raises(nlcore.UserError, match=rf"cnn9 .* at least 4×4 pixels, not {shape[2]}×{shape[1]}"):
        build(10, shape)
