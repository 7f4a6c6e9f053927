"""
Image files as arrays.

One function reads them all, for training and for prediction, so that a model sees a file the same way in both.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the command line lists folders without them
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

#: What image files are called; other files in a folder are no images.
ENDINGS = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"})


class UnreadableError(Exception):
    """A file that is no image, or none that can be taken; the message is the reason."""


def read_image(path: Path, image_shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """
    Return an image file as uint8 (H, W, C): upright as its EXIF data say, grey or RGB, resized (bilinear).

    Palettes become colours, transparency is dropped, of several frames the first is taken.

    Args:
        path: the file.
        image_shape: (C, H, W), with C = 1 for grey and 3 for RGB.

    Raises:
        UnreadableError: it cannot be opened, is damaged or no image, or has more than 8 bits a channel.

    """
    import numpy as np
    from PIL import Image, ImageOps, UnidentifiedImageError

    channels, height, width = image_shape
    try:
        with Image.open(path) as image:
            if _has_more_than_8_bits(image):
                raise UnreadableError(f"it has more than 8 bits a channel (mode {image.mode}); save it with 8")
            # A JPEG can be decoded at 1/2, 1/4 or 1/8 of its size: several times faster, and resized afterwards.
            image.draft(None, (2 * max(width, height),) * 2)
            upright = ImageOps.exif_transpose(image)
            converted = upright.convert("RGBA") if "transparency" in image.info else upright
            converted = converted.convert("RGB" if channels == 3 else "L")
            if converted.size != (width, height):
                converted = converted.resize((width, height), Image.Resampling.BILINEAR)
    except (UnreadableError, MemoryError):
        raise
    except UnidentifiedImageError:
        raise UnreadableError("it is no image of a format that is known") from None
    except OSError as error:
        raise UnreadableError(error.strerror or str(error)) from error
    except Exception as error:  # Pillow's decoders raise what they will when a file is damaged
        raise UnreadableError(str(error) or type(error).__name__) from error
    return np.asarray(converted, dtype=np.uint8).reshape(height, width, channels)


def _has_more_than_8_bits(image: Image.Image) -> bool:
    """Tell by the mode; of colour images by the layout in the file, as Pillow cuts them down to 8 bits unasked."""
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return True
    layouts = [tile[3] for tile in getattr(image, "tile", [])]
    raw_modes = [layout[0] if isinstance(layout, tuple) and layout else layout for layout in layouts]
    return any(re.search(r";(16|32|64)", str(raw_mode)) for raw_mode in raw_modes)
