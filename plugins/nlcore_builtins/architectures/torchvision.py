"""
Any classification model of torchvision, by its name there, with weights drawn anew.

    logits = head(features(x))      features: the model up to its last dense layer, which is the head for K classes

The weights start as torchvision starts them. A convolution that is put in the place of the first one (for other than
three channels, or with `small_images`) starts normal with the variance that keeps its outputs' variance what it was:
σ'² n' = σ² n, with n inputs to each output. Auxiliary classifiers (GoogLeNet, Inception) are left out, as a network has
one output here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torchvision import models

from nlcore import UserError, parameter
from nlcore.toolbox import did_you_mean

#: The first convolution and the pooling after it, where there is one, of the families whose stem can be adapted.
STEMS: dict[type[nn.Module], tuple[str, str]] = {
    models.ResNet: ("conv1", "maxpool"),  # ResNeXt and torchvision's wide ResNets too
    models.DenseNet: ("features.conv0", "features.pool0"),
    models.GoogLeNet: ("conv1.conv", "maxpool1"),
    models.ShuffleNetV2: ("conv1.0", "maxpool"),
    models.EfficientNet: ("features.0.0", ""),
    models.MobileNetV2: ("features.0.0", ""),
    models.MobileNetV3: ("features.0.0", ""),
    models.MNASNet: ("layers.0", ""),
    models.RegNet: ("stem.0", ""),
}

#: What only holds the parts that follow each other.
CONTAINERS = ("features", "layers", "blocks", "trunk_output", "encoder", "classifier")
NORMS = (nn.modules.batchnorm._BatchNorm, nn.LayerNorm)


class Net(nn.Module):
    """A model of torchvision that can be taken apart."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        place, head = [(name, part) for name, part in body.named_modules() if isinstance(part, nn.Linear)][-1]
        body.set_submodule(place, nn.Identity())
        self.body, self.head = body, head

    def features(self, x: Tensor) -> Tensor:
        """Map images (B, C, H, W) to (B, D)."""
        features: Tensor = self.body(x)
        return features

    def forward(self, x: Tensor) -> Tensor:
        """Map images (B, C, H, W) to logits (B, K)."""
        logits: Tensor = self.head(self.features(x))
        return logits

    def stages(self) -> list[nn.Module]:
        """Return the model's parts in order, a normalisation with the part before it, and the head."""
        stages: list[nn.Module] = []
        for part in _parts(self.body):
            if stages and isinstance(part, NORMS):
                stages[-1] = nn.ModuleList([stages[-1], part])
            else:
                stages.append(part)
        return [*stages, self.head]


def _parts(module: nn.Module) -> Iterator[nn.Module]:
    """Give the parts of a model that have weights, in order; its own, such as a vision transformer's token, first."""
    own = list(module.parameters(recurse=False))
    if own:
        yield nn.ParameterList(own)
    for name, child in module.named_children():
        if name in CONTAINERS:
            yield from _parts(child)
        elif any(True for _ in child.parameters()):
            yield child


@dataclass(frozen=True)
class Torchvision:
    """
    A classification model of torchvision, without pretrained weights.

    Raises:
        UserError: torchvision has no classification model of this name.

    """

    model: str = parameter("resnet18", "its name in torchvision, such as convnext_tiny or mobilenet_v3_small")
    small_images: bool = parameter(
        False, "adapt the stem to images such as CIFAR's: a 3×3 convolution with stride 1, no pooling after it"
    )

    def __post_init__(self) -> None:
        names = models.list_models(module=models)
        if self.model not in names:
            raise UserError(
                f"architecture.model = {self.model}: torchvision has no such classification model."
                f"{did_you_mean(self.model, names)} https://docs.pytorch.org/vision/stable/models.html lists all."
            )

    def build(self, num_classes: int, image_shape: tuple[int, int, int]) -> nn.Module:
        """
        Return the network for images (C, H, W) and K classes.

        Raises:
            UserError: the model cannot take images of this size, its stem cannot be adapted, or it has no dense layer
                at its end.

        """
        channels, height, width = image_shape
        options: dict[str, Any] = {}
        if self.model in ("googlenet", "inception_v3"):
            options = {"aux_logits": False, "init_weights": True}
        if self.model.startswith("vit_"):
            options = {"image_size": height}
        if self.model.startswith("maxvit_"):
            options = {"input_size": (height, width)}
        try:
            model = models.get_model(self.model, weights=None, num_classes=num_classes, **options)
        except (ValueError, AssertionError) as error:  # the two transformers that are made for one size
            raise self._does_not_take(image_shape, error) from error
        if isinstance(model, models.SqueezeNet):
            raise UserError(
                f"architecture.model = {self.model}: it ends in a convolution and has no dense layer to be its head. "
                "Choose another model."
            )
        if self.small_images:
            self._adapt_stem(model, channels)
        elif channels != 3:
            place, old = next((name, part) for name, part in model.named_modules() if isinstance(part, nn.Conv2d))
            window = {"kernel_size": old.kernel_size, "stride": old.stride, "padding": old.padding}
            _replace(model, place, old, channels, **window)
        network = Net(model)
        self._try(network, image_shape)
        return network

    def _adapt_stem(self, model: nn.Module, channels: int) -> None:
        if type(model) not in STEMS:
            families = ", ".join(family.__name__ for family in STEMS)
            raise UserError(
                f"architecture.small_images: there is no known way to adapt the stem of {self.model} to small images. "
                f"Leave it out, or choose a model of one of these families: {families}."
            )
        conv, pool = STEMS[type(model)]
        old = model.get_submodule(conv)
        assert isinstance(old, nn.Conv2d)
        _replace(model, conv, old, channels, kernel_size=3, stride=1, padding=1)
        if pool:
            model.set_submodule(pool, nn.Identity())

    def _try(self, network: nn.Module, image_shape: tuple[int, int, int]) -> None:
        """Let two images of this size pass; nothing is computed, as torch's meta device has shapes only."""
        tensors = dict([*network.named_parameters(), *network.named_buffers()])
        shapes = {name: tensor.detach().to("meta") for name, tensor in tensors.items()}
        try:
            torch.func.functional_call(network, shapes, torch.empty(2, *image_shape, device="meta"))
        except (RuntimeError, ValueError, AssertionError) as error:
            adaptable = type(network.body) in STEMS and not self.small_images
            hint = "Give --architecture.small_images true, which adapts its stem. " if adaptable else ""
            raise self._does_not_take(image_shape, error, hint) from error

    def _does_not_take(self, image_shape: tuple[int, int, int], error: Exception, hint: str = "") -> UserError:
        _, height, width = image_shape
        return UserError(
            f"architecture.model = {self.model}: it cannot take images of {width}×{height} pixels "
            f"({' '.join(str(error).split())[:150]}). {hint}Choose another model or other images."
        )


def _replace(model: nn.Module, place: str, old: nn.Conv2d, channels: int, **window: Any) -> None:
    """Put a convolution for other channels or with another window in the place of one; its outputs vary as before."""
    new = nn.Conv2d(channels, old.out_channels, bias=old.bias is not None, **window)
    with torch.no_grad():
        new.weight.normal_().mul_(old.weight.std() * (old.weight[0].numel() / new.weight[0].numel()) ** 0.5)
        if new.bias is not None:
            new.bias.zero_()
    model.set_submodule(place, new)
