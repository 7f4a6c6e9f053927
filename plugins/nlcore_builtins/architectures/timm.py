"""
Any classification model of timm (Wightman 2019), by its name there, drawn anew or from published weights.

    logits = head(features(x))      features: the model up to its last dense layer, which is the head for K classes

The weights start as timm starts them. A name may say which weights are meant, as in ``resnet18.a1_in1k``; without one
they are timm's choice. Models that are made for one size of images are made for that of the data.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from nlcore import UserError, parameter
from nlcore.contracts import DatasetContext
from nlcore.toolbox import did_you_mean
from nlcore_builtins.architectures import published, taken_apart
from nlcore_builtins.installed import require

HUB = "https://huggingface.co"


@dataclass(frozen=True)
class Timm:
    """
    A classification model of timm, drawn anew, or with pretrained weights but for the head.

    Raises:
        NotInstalledError: timm is not installed.
        UserError: timm has no model of this name.

    """

    model: str = parameter("tf_efficientnet_lite0", "its name in timm, such as convnext_atto or resnet18.a1_in1k")
    pretrained: str = parameter("false", published.HELP, path=True, keywords=("true", "false"))
    backbone_lr: float = parameter(1.0, taken_apart.BACKBONE_LR, range="[0, inf)")
    layer_decay: float = parameter(1.0, taken_apart.LAYER_DECAY, range="(0, 1]")

    def __post_init__(self) -> None:
        require("architecture", "timm", "timm")
        import timm

        name, _, tag = self.model.partition(".")
        if not timm.is_model(name):
            raise UserError(
                f"architecture.model = {self.model}: timm {timm.__version__} has no such model."
                f"{did_you_mean(name, timm.list_models())} Its function timm.list_models() lists all."
            )
        if not tag:
            return
        tags = [one.partition(".")[2] for one in timm.list_pretrained() if one.partition(".")[0] == name]
        if tag not in tags:
            raise UserError(
                f"architecture.model = {self.model}: timm {timm.__version__} has no weights {tag!r} of {name}."
                f"{did_you_mean(tag, tags)} It has {', '.join(tags) or 'none'}."
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
        about = self._about
        url, file = about["url"], about["url"].rpartition("/")[2]
        if about["hf_hub_id"]:
            inside = about["hf_hub_filename"] or "model.safetensors"
            url, file = f"{HUB}/{about['hf_hub_id']}/resolve/main/{inside}", about["hf_hub_id"].replace("/", "-")
            file += Path(inside).suffix
        wants = (tuple(about["mean"]), tuple(about["std"]), about["input_size"][1])
        return published.Published(self.model, url, file, *wants, hub=bool(about["hf_hub_id"]))

    @property
    def _about(self) -> dict[str, Any]:
        import timm

        about = timm.get_pretrained_cfg(self.model)
        empty = {"url": "", "hf_hub_id": "", "hf_hub_filename": ""}
        known = {key: value for key, value in vars(about).items() if value is not None}
        return {**empty, **known}

    def build(self, num_classes: int, image_shape: tuple[int, int, int]) -> nn.Module:
        """
        Return the network for images (C, H, W) and K classes.

        Raises:
            UserError: the model cannot take images of this size, or it has no dense layer at its end.

        """
        import timm

        channels, height, width = image_shape
        about = self._about
        fixed = about["fixed_input_size"] and (height, width) != about["input_size"][1:]
        options: dict[str, Any] = {"img_size": (height, width)} if fixed else {}
        try:
            model = timm.create_model(
                self.model, pretrained=False, num_classes=num_classes, in_chans=channels, **options
            )
        except (TypeError, ValueError, RuntimeError, AssertionError) as error:
            raise self._does_not_take(image_shape, error) from error
        place = about.get("classifier")
        if not isinstance(place, str) or not isinstance(dict(model.named_modules()).get(place), nn.Linear):
            raise UserError(
                f"architecture.model = {self.model}: it has no single dense layer at its end to be its head. "
                "Choose another model."
            )
        stem = about.get("first_conv", ()) if channels != 3 else ()
        adapted = tuple(f"{one}.weight" for one in ((stem,) if isinstance(stem, str) else stem))
        depths = None
        if hasattr(model, "group_matcher"):  # the layers as the library counts them
            depths = timm.models.group_parameters(model, model.group_matcher(coarse=False), reverse=True)
        rates = (self.backbone_lr, self.layer_decay)
        network = taken_apart.take_apart(model, place, *rates, adapted=adapted, depths=depths)
        try:
            taken_apart.try_images(network, image_shape)
        except (RuntimeError, ValueError, AssertionError) as error:
            raise self._does_not_take(image_shape, error) from error
        return network

    def _does_not_take(self, image_shape: tuple[int, int, int], error: Exception) -> UserError:
        channels, height, width = image_shape
        return UserError(
            f"architecture.model = {self.model}: it cannot take images of {width}×{height} pixels in {channels} "
            f"channels ({' '.join(str(error).split())[:150]}). Choose another model or other images."
        )
