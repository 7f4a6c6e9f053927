"""An opened image as an array: decoded, upright, in the channels that are wanted, resized and laid in its place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from nlcore.data.fitting import Placing, Size

if TYPE_CHECKING:  # the command line lists folders without them
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

#: What lies behind transparent parts.
Background: TypeAlias = Literal["white", "black"]


def pixels_of(image: Image.Image, channels: int, background: Background) -> NDArray[np.uint8]:
    """Return an image upright, in the channels that are wanted, uint8 (H, W, C)."""
    import numpy as np
    from PIL import Image, ImageOps

    ImageOps.exif_transpose(image, in_place=True)  # nothing is copied here that is right already
    shown: Image.Image = image
    if image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        colours = image.convert("RGBA")
        shown = Image.alpha_composite(Image.new("RGBA", colours.size, background), colours)
    mode = "RGB" if channels == 3 else "L"
    shown = shown if shown.mode == mode else shown.convert(mode)
    return np.array(shown).reshape(shown.height, shown.width, channels)  # a copy: torch wants what can be written to


def resized(pixels: NDArray[np.uint8], placing: Placing) -> NDArray[np.uint8]:
    """Return a part of an image in another size: bilinear as Pillow resamples, up to roundings, and sooner."""
    import torch
    from torch.nn import functional as F

    left, top, right, bottom = placing.box
    part, (wide, high) = pixels[top:bottom, left:right], placing.size
    if part.shape[:2] == (high, wide):
        return part
    tensor = torch.from_numpy(part).permute(2, 0, 1)[None]
    found: NDArray[np.uint8] = (
        F.interpolate(tensor, (high, wide), mode="bilinear", antialias=True)[0].permute(1, 2, 0).numpy()
    )
    return found


def laid(pixels: NDArray[np.uint8], corner: Size, whole: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Lay an image onto another one of (H, W, C), of which it may leave margins or reach out."""
    x, y = corner
    high, wide = whole.shape[:2]
    part = pixels[max(0, -y) : high - y, max(0, -x) : wide - x]
    if part.shape == whole.shape:
        return part
    whole[max(0, y) : max(0, y) + part.shape[0], max(0, x) : max(0, x) + part.shape[1]] = part
    return whole
