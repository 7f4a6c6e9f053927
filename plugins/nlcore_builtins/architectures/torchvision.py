"""
Any classification model of torchvision, by its name there, drawn anew or from published weights.

    logits = head(features(x))      features: the model up to its last dense layer, which is the head for K classes

The weights start as torchvision starts them. A convolution that is put in the place of the first one (for other than
three channels, or with `small_images`) starts normal with the variance that keeps its outputs' variance what it was:
σ'² n' = σ² n, with n inputs to each output. Auxiliary classifiers (GoogLeNet, Inception) are left out, as a network has
one output here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torchvision import models

from nlcore import UserError, parameter
from nlcore.contracts import DatasetContext
from nlcore.toolbox import did_you_mean
from nlcore_builtins.architectures import published, taken_apart

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

#: Trained through a rescaling of their inputs that comes to this mean and standard deviation.
HALVES = ("googlenet", "inception_v3")


@dataclass(frozen=True)
class Torchvision:
    """
    A classification model of torchvision, drawn anew, or with pretrained weights but for the head.

    Raises:
        UserError: torchvision has no classification model of this name.

    """

    model: str = parameter("resnet18", "its name in torchvision, such as convnext_tiny or mobilenet_v3_small")
    small_images: bool = parameter(
        False, "adapt the stem to images such as CIFAR's: a 3×3 convolution with stride 1, no pooling after it"
    )
    pretrained: str = parameter("false", published.HELP, path=True, keywords=("true", "false"))
    backbone_lr: float = parameter(1.0, taken_apart.BACKBONE_LR, range="[0, inf)")
    layer_decay: float = parameter(1.0, taken_apart.LAYER_DECAY, range="(0, 1]")

    def __post_init__(self) -> None:
        names = models.list_models(module=models)
        if self.model not in names:
            raise UserError(
                f"architecture.model = {self.model}: torchvision has no such classification model."
                f"{did_you_mean(self.model, names)} https://docs.pytorch.org/vision/stable/models.html lists all."
            )

    @property
    def normalisation(self) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
        """Mean and std of each channel that pretrained weights want; None without."""
        return None if self.pretrained == "false" else (self._published.mean, self._published.std)

    @property
    def trained_size(self) -> int | None:
        """The size in pixels of the images that pretrained weights were trained on; None without."""
        return None if self.pretrained == "false" else self._published.size

    def weights_file(self, source: DatasetContext) -> Path | None:
        """
        Return the file of weights that the network starts from, downloaded where that is needed; None without.

        Raises:
            UserError: there is none, or it could not be downloaded.

        """
        return published.weights_file(self.pretrained, self._published, source)

    @property
    def _published(self) -> published.Published:
        best = models.get_model_weights(self.model).DEFAULT
        wants = best.transforms()
        mean, std = ((0.5,) * 3,) * 2 if self.model in HALVES else (tuple(wants.mean), tuple(wants.std))
        return published.Published(self.model, best.url, best.url.rpartition("/")[2], mean, std, wants.crop_size[0])

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
        adapted = ""
        if self.small_images:
            adapted = self._adapt_stem(model, channels)
        elif channels != 3:
            adapted, old = next((name, part) for name, part in model.named_modules() if isinstance(part, nn.Conv2d))
            window = {"kernel_size": old.kernel_size, "stride": old.stride, "padding": old.padding}
            _replace(model, adapted, old, channels, **window)
        stem = (f"{adapted}.weight",) if adapted else ()
        head = taken_apart.last_dense_layer(model)
        network = taken_apart.take_apart(model, head, self.backbone_lr, self.layer_decay, _renamed, stem)
        self._try(network, image_shape)
        return network

    def _adapt_stem(self, model: nn.Module, channels: int) -> str:
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
        return conv

    def _try(self, network: taken_apart.Net, image_shape: tuple[int, int, int]) -> None:
        try:
            taken_apart.try_images(network, image_shape)
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


def _renamed(name: str) -> str | None:
    """
    Return the name in a model of a tensor of its published weights, None where it belongs to an auxiliary classifier.

    The files of DenseNets and vision transformers are older than the names of some of their parts.
    """
    if name.startswith(("aux1.", "aux2.", "AuxLogits.")):
        return None
    name = re.sub(r"(denselayer\d+\.(?:norm|conv))\.([12])\.", r"\1\2.", name)
    return re.sub(r"\.mlp\.linear_([12])\.", lambda found: f".mlp.{0 if found[1] == '1' else 3}.", name)
