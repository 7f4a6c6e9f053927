"""
Views of images: how an image becomes what a network sees.

    uint8 (N, H, W, C) on the device → gathered (B, C, H, W) → augmented → (x / 255 − mean) / std, channels_last

A view is a row of augmentations, each of which works in a space of its own, uint8, unit or normalised, in this order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from nlcore.contracts import Augmentation, Draws
from nlcore.errors import UserError

SPACES = ("uint8", "unit", "normalised")


class Normalise:
    """(x / 255 − mean) / std per channel, as one multiply-add: uint8 (B, C, H, W) to float32."""

    def __init__(self, mean: Sequence[float], std: Sequence[float], device: torch.device) -> None:
        m = torch.tensor(mean, dtype=torch.float64).view(1, -1, 1, 1)
        s = torch.tensor(std, dtype=torch.float64).view(1, -1, 1, 1)
        self._shift = (-m / s).float().to(device)
        self._scale = (1 / (255 * s)).float().to(device)
        self._unit_scale = (1 / s).float().to(device)
        self._written_out: dict[torch.Size, tuple[Tensor, ...]] = {}

    def __call__(self, images: Tensor) -> Tensor:
        """Return normalised float32 images of the same layout."""
        shift, scale, _ = self._of(images)
        floats = images.to(torch.float32, copy=True)
        return torch.addcmul(shift, floats, scale, out=floats)  # in place: of large images half the time goes to memory

    def unit(self, images: Tensor) -> Tensor:
        """Return normalised images for float32 images within 0..1."""
        shift, _, scale = self._of(images)
        return torch.addcmul(shift, images, scale)

    def _of(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return the constants for each pixel of such images: on a CPU twice as fast as one for each channel."""
        size = images.shape[1:]
        if size not in self._written_out:
            self._written_out[size] = tuple(
                one.expand(1, *size).contiguous(memory_format=torch.channels_last)
                for one in (self._shift, self._scale, self._unit_scale)
            )
        return self._written_out[size]


@dataclass(frozen=True)
class View:
    """A row of augmentations, by name in `names` for messages; an empty row is the plain view."""

    augmentations: Sequence[Augmentation] = ()
    names: Sequence[str] = ()
    _spaces: tuple[str, ...] = field(default=(), init=False)

    def __post_init__(self) -> None:
        """
        Check the order.

        Raises:
            UserError: an augmentation works in a space that comes before that of the one before it.

        """
        spaces = tuple(str(getattr(one, "space", "uint8")) for one in self.augmentations)
        object.__setattr__(self, "_spaces", spaces)
        for number in range(1, len(spaces)):
            if SPACES.index(spaces[number]) < SPACES.index(spaces[number - 1]):
                before, after = self.names[number - 1 : number + 1]
                raise UserError(
                    f"{before}+{after}: {after} works on {spaces[number]} images and cannot follow {before}, which "
                    f"works on {spaces[number - 1]} ones. Change their order."
                )

    def begin_epoch(self, epoch: int, epochs: int) -> None:
        """Announce an epoch."""
        for one in self.augmentations:
            if hasattr(one, "begin_epoch"):
                one.begin_epoch(epoch, epochs)

    def draw(self, count: int, generator: torch.Generator) -> list[Draws]:
        """Draw for `count` images, one augmentation after the other."""
        return [one.draw(count, generator) for one in self.augmentations]

    @property
    def gathers(self) -> Any:
        """The first augmentation where it reads a whole training set on the device by itself, else None."""
        first = self.augmentations[0] if self.augmentations else None
        return first if first is not None and hasattr(first, "gather") and self._spaces[0] == "uint8" else None

    def finish(self, images: Tensor, draws: Sequence[Draws], normalise: Normalise, done: int = 0) -> Tensor:
        """
        Return normalised images, float32 (B, C, H, W) channels_last.

        Args:
            images: uint8 (B, C, H, W).
            draws: for each augmentation of the row, the batch's part of what was drawn.
            normalise: of the data.
            done: how many augmentations of the row are applied already.

        """
        space = "uint8"
        for number in range(done, len(self.augmentations)):
            images = _into(self._spaces[number], space, images, normalise)
            space = self._spaces[number]
            images = self.augmentations[number].apply(images, draws[number])
        return _into("normalised", space, images, normalise).contiguous(memory_format=torch.channels_last)


PLAIN = View()


def part_of(draws: Sequence[Draws], part: slice) -> list[Draws]:
    """Return a batch's rows of what was drawn for a pass."""
    return [{name: tensor[part] for name, tensor in one.items()} for one in draws]


def _into(wanted: str, space: str, images: Tensor, normalise: Normalise) -> Tensor:
    """Return images of one space in another, later or the same one."""
    if wanted == space:
        return images
    if wanted == "unit":
        return images.float() / 255
    return normalise(images) if space == "uint8" else normalise.unit(images)


Views = Mapping[str, View]
