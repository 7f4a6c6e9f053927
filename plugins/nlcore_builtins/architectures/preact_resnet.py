"""
PreAct ResNet-18 (He et al. 2016b, arXiv:1603.05027) for small images.

    x_{l+1} = x_l + F(ReLU(BN(x_l)))      Fig. 4(e): both activations come before their convolution, none after the sum

Where the shape changes, the 1×1 convolution of the shortcut takes what the first activation gives, as in the authors'
code. As the paper's appendix asks, the first block activates before it splits into its two paths, and another
activation follows the last block; code that is widely copied lacks both, so that it averages features that are not
activated. Depth and widths are those of ResNet-18. The stem is a 3×3 convolution with stride 1 and no max-pooling, as
is usual on CIFAR. Convolutions start normal with variance 2 / (outputs · window), as in He et al. 2015.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional as F

from nlcore import parameter
from nlcore_builtins.architectures.resnet import conv1x1


class Block(nn.Module):
    """BN, ReLU, 3×3 convolution, twice, beside a shortcut."""

    def __init__(self, inputs: int, outputs: int, stride: int, first: bool) -> None:
        super().__init__()
        self.bn1, self.conv1 = nn.BatchNorm2d(inputs), nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.bn2, self.conv2 = nn.BatchNorm2d(outputs), nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        changes = stride != 1 or inputs != outputs
        self.shortcut = conv1x1(inputs, outputs, stride) if changes else nn.Identity()
        self.activates_both = first or changes

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, inputs, H, W) to (B, outputs, H/stride, W/stride)."""
        active = F.relu(self.bn1(x))
        residual: Tensor = self.conv2(F.relu(self.bn2(self.conv1(active))))
        beside: Tensor = self.shortcut(active if self.activates_both else x)
        return residual + beside


class Net(nn.Module):
    """Stem, four stages of two blocks with widths w, 2w, 4w and 8w, activation, global average, linear head."""

    def __init__(self, width: int, channels: int, num_classes: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 3, padding=1, bias=False)
        self.layers = nn.ModuleList()
        inputs = width
        for stage in range(4):
            outputs, stride = width * 2**stage, 1 if stage == 0 else 2
            first, second = Block(inputs, outputs, stride, stage == 0), Block(outputs, outputs, 1, False)
            self.layers.append(nn.Sequential(first, second))
            inputs = outputs
        self.bn = nn.BatchNorm2d(inputs)
        self.head = nn.Linear(inputs, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def features(self, x: Tensor) -> Tensor:
        """Map images (B, C, H, W) to (B, 8w)."""
        x = self.conv1(x)
        for layer in self.layers:
            x = layer(x)
        return F.relu(self.bn(x)).mean((2, 3))

    def forward(self, x: Tensor) -> Tensor:
        """Map images (B, C, H, W) to logits (B, K)."""
        logits: Tensor = self.head(self.features(x))
        return logits

    def stages(self) -> list[nn.Module]:
        """Return stem, the four stages (the last with the activation after it) and the head."""
        *layers, last = self.layers
        return [self.conv1, *layers, nn.ModuleList([last, self.bn]), self.head]


@dataclass(frozen=True)
class PreActResNet18:
    """PreAct ResNet-18 for small images: 3×3 stem with stride 1, no max-pooling."""

    width: int = parameter(
        64, "channels of the first stage; the later ones have 2, 4 and 8 times as many", range="[1, inf)"
    )

    def build(self, num_classes: int, image_shape: tuple[int, int, int]) -> nn.Module:
        """Return the network for images (C, H, W) and K classes."""
        return Net(self.width, image_shape[0], num_classes)
