"""
Residual networks (He et al. 2016, arXiv:1512.03385) for small images.

    y = ReLU(F(x) + W_s x)      eq. (2); W_s is the identity where the shapes agree

The stem is a 3×3 convolution with stride 1 and no max-pooling, as is usual on CIFAR; a bottleneck has its stride in the
3×3 convolution. The rest is the ImageNet design, so weights and outputs agree with torchvision's where the stem does.

Weights start as `init` says:

    torch    uniform in ±1/√n, n the inputs to each output: a layer of torch as it is made
    he       convolutions normal with variance 2 / (outputs · window), as in He et al. 2015 (fan-out) and torchvision

Batch normalisation makes a convolution's scale irrelevant to what the network computes, but not to how fast it learns:
a step of SGD turns short weights further. In a ResNet-18 torch's start has less than half the length of He's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from torch import Tensor, nn
from torch.nn import functional as F

from nlcore import parameter


def conv3x3(inputs: int, outputs: int, stride: int = 1) -> nn.Conv2d:
    """Return a 3×3 convolution without bias that keeps the image size at stride 1."""
    return nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)


class OfEverySecond(nn.Conv2d):
    """
    A 1×1 convolution with a stride, computed as one without of the pixels that it looks at.

    With up to 8 channels and images of 64×64 pixels or more, the kernel that torch 2.14 takes on some CPUs for the
    gradient writes beyond its memory, and the process crashes.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, C', H / stride, W / stride)."""
        down, right = self.stride
        return F.conv2d(x[..., ::down, ::right], self.weight, self.bias)


def conv1x1(inputs: int, outputs: int, stride: int) -> nn.Conv2d:
    """Return a 1×1 convolution without bias."""
    kind = OfEverySecond if stride > 1 and inputs <= 8 else nn.Conv2d
    return kind(inputs, outputs, 1, stride, bias=False)


class Block(nn.Module):
    """Two 3×3 convolutions: the F of ResNet-18 and 34."""

    expansion = 1

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = conv3x3(inputs, width, stride), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = conv3x3(width, width), nn.BatchNorm2d(width)
        self.downsample = shortcut(inputs, width, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, inputs, H, W) to (B, width, H/stride, W/stride)."""
        out = F.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        return F.relu(out + self.downsample(x))


class Bottleneck(nn.Module):
    """1×1, 3×3 and 1×1 convolutions: the F of ResNet-50, 101 and 152."""

    expansion = 4

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        outputs = width * self.expansion
        self.conv1, self.bn1 = nn.Conv2d(inputs, width, 1, bias=False), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = conv3x3(width, width, stride), nn.BatchNorm2d(width)
        self.conv3, self.bn3 = nn.Conv2d(width, outputs, 1, bias=False), nn.BatchNorm2d(outputs)
        self.downsample = shortcut(inputs, outputs, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, inputs, H, W) to (B, 4 width, H/stride, W/stride)."""
        out = F.relu(self.bn1(self.conv1(x)))
        out = F.relu(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out))
        return F.relu(out + self.downsample(x))


def shortcut(inputs: int, outputs: int, stride: int) -> nn.Module:
    """Return W_s: the identity, or a 1×1 convolution where the shape changes."""
    if stride == 1 and inputs == outputs:
        return nn.Identity()
    return nn.Sequential(conv1x1(inputs, outputs, stride), nn.BatchNorm2d(outputs))


class ResNet(nn.Module):
    """Stem, four stages of blocks with widths w, 2w, 4w and 8w, global average, linear head."""

    def __init__(
        self, block: type[Block] | type[Bottleneck], depths: Sequence[int], width: int, channels: int, num_classes: int
    ) -> None:
        super().__init__()
        self.conv1, self.bn1 = conv3x3(channels, width), nn.BatchNorm2d(width)
        inputs = width
        self.layers = nn.ModuleList()
        for stage, depth in enumerate(depths):
            blocks: list[nn.Module] = []
            for number in range(depth):
                stride = 2 if stage > 0 and number == 0 else 1
                blocks.append(block(inputs, width * 2**stage, stride))
                inputs = width * 2**stage * block.expansion
            self.layers.append(nn.Sequential(*blocks))
        self.head = nn.Linear(inputs, num_classes)

    def features(self, x: Tensor) -> Tensor:
        """Map images (B, C, H, W) to (B, D)."""
        x = F.relu(self.bn1(self.conv1(x)))
        for layer in self.layers:
            x = layer(x)
        return x.mean((2, 3))

    def forward(self, x: Tensor) -> Tensor:
        """Map images (B, C, H, W) to logits (B, K)."""
        logits: Tensor = self.head(self.features(x))
        return logits

    def stages(self) -> list[nn.Module]:
        """Return stem, the four stages and the head."""
        return [nn.ModuleList([self.conv1, self.bn1]), *self.layers, self.head]


def draw_as_he(network: nn.Module) -> None:
    """Draw all convolutions of a network anew, normal with variance 2 / (outputs · window)."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")


@dataclass(frozen=True)
class ResNet18:
    """ResNet-18 for small images: 3×3 stem with stride 1, no max-pooling."""

    block: ClassVar[type[Block] | type[Bottleneck]] = Block
    depths: ClassVar[Sequence[int]] = (2, 2, 2, 2)

    width: int = parameter(
        64, "channels of the first stage; the later ones have 2, 4 and 8 times as many", range="[1, inf)"
    )
    init: Literal["torch", "he"] = parameter(
        "torch", "how convolutions start: as torch makes them, or normal as in He et al. 2015 (fan-out) and torchvision"
    )

    def build(self, num_classes: int, image_shape: tuple[int, int, int]) -> nn.Module:
        """Return the network for images (C, H, W) and K classes, its weights drawn as `init` says."""
        network = ResNet(self.block, self.depths, self.width, image_shape[0], num_classes)
        if self.init == "he":
            draw_as_he(network)
        return network


@dataclass(frozen=True)
class ResNet34(ResNet18):
    """ResNet-34 for small images: 3×3 stem with stride 1, no max-pooling."""

    depths: ClassVar[Sequence[int]] = (3, 4, 6, 3)


@dataclass(frozen=True)
class ResNet50(ResNet18):
    """ResNet-50 for small images: bottleneck blocks, 3×3 stem with stride 1, no max-pooling."""

    block: ClassVar[type[Block] | type[Bottleneck]] = Bottleneck
    depths: ClassVar[Sequence[int]] = (3, 4, 6, 3)


@dataclass(frozen=True)
class ResNet101(ResNet18):
    """ResNet-101 for small images: bottleneck blocks, 3×3 stem with stride 1, no max-pooling."""

    block: ClassVar[type[Block] | type[Bottleneck]] = Bottleneck
    depths: ClassVar[Sequence[int]] = (3, 4, 23, 3)


@dataclass(frozen=True)
class ResNet152(ResNet18):
    """ResNet-152 for small images: bottleneck blocks, 3×3 stem with stride 1, no max-pooling."""

    block: ClassVar[type[Block] | type[Bottleneck]] = Bottleneck
    depths: ClassVar[Sequence[int]] = (3, 8, 36, 3)
