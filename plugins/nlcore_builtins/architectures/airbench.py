"""
The network of airbench94 (Jordan 2024, arXiv:2404.00498, section 2), made for training on CIFAR-10 in few steps.

    stem    convolution 2×2 to 24 channels, GELU
    block   convolution 3×3, max-pooling 2×2, BN, ReLU, convolution 3×3, BN, ReLU: with w, 4w and 4w channels
    head    maximum over positions, linear

Pooling comes right after each block's first convolution, so that most of the arithmetic happens on small maps. Unlike
there, the stem is learned and not set to whiten the training images, the blocks have ReLU instead of GELU, batch
normalisation is torch's own (it learns its scale, with momentum 0.1 and ε = 1e-5 instead of 0.4 and 1e-12), the head
has a bias, and the logits are not divided by 9: this is the network alone, for any optimiser. All weights start as
torch starts them; there a convolution begins as the identity as far as it can (Dirac), and the head is scaled to a
standard deviation of 1.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional as F

from nlcore import parameter

_STEM = 24


class _Block(nn.Module):
    """Two convolutions; the map is halved after the first unless it is a single row or column already."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs)
        self.conv2, self.bn2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, D, H/2, W/2)."""
        x = self.conv1(x)
        x = F.max_pool2d(x, (min(2, x.shape[2]), min(2, x.shape[3])))
        return F.relu(self.bn2(self.conv2(F.relu(self.bn1(x)))))


class _Network(nn.Module):
    def __init__(self, width: int, channels: int, num_classes: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(channels, _STEM, 2, padding=0)
        self.blocks = nn.ModuleList([_Block(_STEM, width), _Block(width, 4 * width), _Block(4 * width, 4 * width)])
        self.head = nn.Linear(4 * width, num_classes)

    def features(self, x: Tensor) -> Tensor:
        """Map images (B, C, H, W) to (B, D)."""
        x = F.gelu(self.stem(F.pad(x, (0, int(x.shape[3] < 2), 0, int(x.shape[2] < 2)))))
        for block in self.blocks:
            x = block(x)
        return x.amax((2, 3))

    def forward(self, x: Tensor) -> Tensor:
        """Map images (B, C, H, W) to logits (B, K)."""
        logits: Tensor = self.head(self.features(x))
        return logits

    def stages(self) -> list[nn.Module]:
        """Return stem, the three blocks and the head."""
        return [self.stem, *self.blocks, self.head]


@dataclass(frozen=True)
class Airbench:
    """
    A plain network of seven convolutions that learns CIFAR-10 in few steps: that of airbench94.

    A 2×2 stem, three blocks of two 3×3 convolutions with w, 4w and 4w channels, each pooled after its first one, the
    maximum over positions and a linear head. Jordan 2024, section 2, where w = 64.
    """

    width: int = parameter(64, "channels of the first block; the others have 4 times as many", range="[1, inf)")

    def build(self, num_classes: int, image_shape: tuple[int, int, int]) -> nn.Module:
        """Return the network for images (C, H, W) and K classes."""
        return _Network(self.width, image_shape[0], num_classes)
