"""
Small pictures for a page: so small that thousands fit into one file.

A picture of up to 64 pixels stays as it is, as PNG; a larger one is made smaller and saved as WebP with the best
quality that fits.
"""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nlcore.data.image_files import Background, UnreadableError, read_image
from nlcore.data.image_warnings import dropped_warnings, reading

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

#: The longer side of a thumbnail, in pixels.
LONGEST = 256

#: Up to this side a picture is kept pixel by pixel.
KEPT = 64

#: Bytes of a thumbnail: 2,000 of them are 28 MB, and 37 MB as text in a page.
MOST_BYTES = 14_000

_QUALITIES = (82, 72, 60, 45, 30)


@dataclass(frozen=True)
class Thumbnail:
    """
    A small picture.

    Attributes:
        content: the bytes of an image file.
        type: its MIME type, ``image/png`` or ``image/webp``.
        width, height: in pixels.

    """

    content: bytes
    type: str
    width: int
    height: int

    @property
    def base64(self) -> str:
        """The bytes as text, for a data URI."""
        return base64.b64encode(self.content).decode()


def thumbnail(image: NDArray[np.uint8]) -> Thumbnail:
    """
    Return an image's thumbnail.

    Args:
        image: uint8 (H, W, C), with C = 1 for grey and 3 for RGB.

    """
    from PIL import Image

    height, width, channels = image.shape
    picture = Image.fromarray(image[:, :, 0] if channels == 1 else image)
    if max(width, height) <= KEPT:
        return Thumbnail(_saved(picture, "PNG", optimize=True), "image/png", width, height)
    picture = picture.convert("RGB")
    longest = LONGEST
    while True:
        picture.thumbnail((longest, longest), Image.Resampling.LANCZOS)
        for quality in _QUALITIES:
            content = _saved(picture, "WEBP", quality=quality)
            if len(content) <= MOST_BYTES or (longest <= KEPT and quality == _QUALITIES[-1]):
                return Thumbnail(content, "image/webp", *picture.size)
        longest //= 2


def file_thumbnail(path: Path, background: Background = "white") -> Thumbnail:
    """
    Return the thumbnail of an image file, upright and in its own shape, as `nlcore.data.image_files.read_image` reads.

    Args:
        path: the file.
        background: what lies behind transparent parts.

    Raises:
        UnreadableError: it is no image that can be read.

    """
    width, height = image_size(path)
    scale = min(1.0, LONGEST / max(width, height))
    shape = (3, max(1, round(height * scale)), max(1, round(width * scale)))
    with dropped_warnings:  # they were told when the images were looked at
        return thumbnail(read_image(path, shape, background))


def image_size(path: Path) -> tuple[int, int]:
    """
    Return an image file's width and height in pixels as it is shown, upright; nothing is decoded.

    Raises:
        UnreadableError: it is no image that can be read.

    """
    from PIL import ExifTags, Image, UnidentifiedImageError

    try:
        with dropped_warnings, reading(path):
            try:
                opened = Image.open(path)
            except UnidentifiedImageError:
                read_image(path, (3, 1, 1))  # knows HEIC, which Pillow does afterwards
                opened = Image.open(path)
            with opened as image:
                turned = image.getexif().get(ExifTags.Base.Orientation, 1) >= 5
                return image.size[::-1] if turned else image.size
    except (UnreadableError, MemoryError):
        raise
    except OSError as error:
        raise UnreadableError(error.strerror or str(error)) from error
    except Exception as error:  # Pillow's decoders raise what they will when a file is damaged
        raise UnreadableError(str(error) or type(error).__name__) from error


def _saved(picture: Image.Image, format: str, **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, format, **options)
    return file.getvalue()
