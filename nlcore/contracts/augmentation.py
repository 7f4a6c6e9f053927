"""What an augmentation is: random changes of training images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol, TypeAlias

if TYPE_CHECKING:
    import torch
    from torch import Tensor

#: What is random for M images: CPU tensors by name, each with M rows.
Draws: TypeAlias = "Mapping[str, Tensor]"


class Augmentation(Protocol):
    """
    Random changes of training images, batched, each image of a batch with draws of its own.

    Draws are made for a whole pass ahead, on the CPU, from a keyed generator, so that every epoch can be replayed.
    Several augmentations may follow each other, each in the space that it names or a later one.

    Attributes:
        space: what `apply` takes and gives: ``uint8`` (0..255), ``unit`` (float32, 0..1) or ``normalised`` (float32,
            after mean and std). ``uint8`` where it is not said.

    Optional:
        ``begin_epoch(epoch, epochs)``: before the draws of each epoch, for what changes over a run.
        ``prepare(images)`` and ``gather(prepared, index, draws)``: the same as `apply`, for a training set that lies
        whole on the device. ``prepare`` is given all of it once, uint8 (N, H, W, C), and may return whatever makes
        ``gather`` fast; ``gather`` returns the changed images at `index`, uint8 (B, C, H, W). Used where the
        augmentation is the first of its view.
    """

    space: ClassVar[Literal["uint8", "unit", "normalised"]]

    def draw(self, count: int, generator: torch.Generator) -> Draws:
        """Draw what is random for `count` images: CPU tensors (count, ...), whatever the images and their size."""

    def apply(self, images: Tensor, draws: Draws) -> Tensor:
        """
        Return the changed images, never changing those given.

        Args:
            images: (B, C, H, W), C 1 or 3, on the training device, in this augmentation's space.
            draws: the batch's rows of what was drawn, (B, ...), still on the CPU: what Python decides can be decided
                from them without waiting for the device.

        Returns:
            (B, C, h, w) of the same dtype; all sizes but B may differ.

        """
