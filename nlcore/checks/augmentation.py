"""What holds for augmentations, on small images in the space that they name."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from nlcore.contracts import Draws
from nlcore.data.views import SPACES

B = 6


def names_its_space(cls: type) -> None:
    """``space`` is ``uint8``, ``unit`` or ``normalised``, or is left out."""
    space = getattr(cls, "space", "uint8")
    assert space in SPACES, f"space = {space!r}: it must be one of {', '.join(SPACES)}."


def draws_a_row_for_each_image(cls: type) -> None:
    """``draw`` gives CPU tensors with a row for each image; of the same generator, the same ones."""
    augmentation = _begun(cls)
    draws, again = _draw(augmentation), _draw(augmentation)
    for name, tensor in draws.items():
        found = f"{type(tensor).__name__} {tuple(getattr(tensor, 'shape', ()))}"
        good = isinstance(tensor, Tensor) and tensor.device.type == "cpu" and tensor.shape[:1] == (B,)
        assert good, f"draw(count) gives {found} as {name!r}, not a CPU tensor (count, ...)."
        assert torch.equal(tensor, again[name]), f"{name!r} differs for the same generator: draw from it alone."


def gives_images(cls: type) -> None:
    """``apply`` gives finite images of its space's type, as many as it was given, and leaves those as they were."""
    augmentation = _begun(cls)
    for channels in (1, 3):
        images = _images(augmentation, channels)
        before = images.clone()
        changed = augmentation.apply(images, _draw(augmentation))
        assert torch.equal(images, before), "apply changes the images that it is given: return others."
        good = changed.dtype == images.dtype and changed.shape[:2] == (B, channels) and changed.ndim == 4
        assert good, f"apply gives {changed.dtype} {tuple(changed.shape)} for {images.dtype} {tuple(images.shape)}."
        assert changed.isfinite().all(), "apply gives pixels that are NaN or infinite."


def each_image_has_draws_of_its_own(cls: type) -> None:
    """A part of the images with its part of the draws gives that part of the result; one image alone, too."""
    augmentation = _begun(cls)
    images, draws = _images(augmentation, 3), _draw(augmentation)
    whole = augmentation.apply(images, draws)
    for part in (slice(0, 2), slice(2, 6), slice(3, 4)):
        alone = augmentation.apply(images[part], {name: tensor[part] for name, tensor in draws.items()})
        assert torch.allclose(alone.double(), whole[part].double(), atol=1e-4), (
            "Images of a batch change with their neighbours: what is random must be in draw(count), a row an image."
        )


def gathers_what_it_applies(cls: type) -> None:
    """``gather`` on a whole training set gives what ``apply`` gives on the images themselves, bit for bit."""
    from nlcore.checks.suite import NotApplicable

    augmentation = _begun(cls)
    if not hasattr(augmentation, "gather"):
        raise NotApplicable("It has no gather.")
    images, draws = _images(augmentation, 3), _draw(augmentation)
    index = torch.tensor([5, 0, 3, 3, 1, 2])
    prepared = augmentation.prepare(images.permute(0, 2, 3, 1).contiguous())
    same = torch.equal(augmentation.gather(prepared, index, draws), augmentation.apply(images[index], draws))
    assert same, "gather(prepare(images), index, draws) is not apply(images at index, draws)."


CHECKS = (
    names_its_space,
    draws_a_row_for_each_image,
    gives_images,
    each_image_has_draws_of_its_own,
    gathers_what_it_applies,
)


def _begun(cls: type) -> Any:
    augmentation = cls()
    if hasattr(augmentation, "begin_epoch"):
        augmentation.begin_epoch(1, 10)
    return augmentation


def _draw(augmentation: Any) -> Draws:
    draws: Draws = augmentation.draw(B, torch.Generator().manual_seed(7))
    return draws


def _images(augmentation: Any, channels: int) -> Tensor:
    random = torch.Generator().manual_seed(3)
    images = torch.randint(256, (B, channels, 16, 16), dtype=torch.uint8, generator=random)
    space = getattr(augmentation, "space", "uint8")
    return images if space == "uint8" else images / 255 if space == "unit" else images / 64 - 2
