"""
Image files: which of a folder's files are some, and how one becomes an array.

One function lists them and one reads them, for training and for prediction, so that both see the same.
"""

from __future__ import annotations

import os
import re
import stat
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal, Protocol, TypeAlias

from nlcore.data.fitting import Fit, squash
from nlcore.data.image_warnings import reading
from nlcore.errors import UserError

if TYPE_CHECKING:  # the command line lists folders without them
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

#: What lies behind transparent parts.
Background: TypeAlias = Literal["white", "black"]

_HEIC = frozenset({".heic", ".heif", ".hif"})

#: What image files are called: all endings that Pillow reads, and HEIC's.
IMAGE_SUFFIXES = _HEIC | frozenset(
    f".{ending}"
    for line in (
        "apng avif avifs blp bmp bw cur dcx dds dib fit fits flc fli ftc ftu gbr gif icb icns ico iim im j2c j2k jfif",
        "jp2 jpc jpe jpeg jpf jpg jpx msp pbm pcd pcx pfm pgm png pnm ppm psd pxr qoi ras rgb rgba sgi tga tif tiff",
        "vda vst webp xbm xpm",
    )
    for ending in line.split()
)

#: Formats that Pillow knows and does not decode by itself: EPS starts another program, the others need a handler.
_NOT_DECODED = frozenset({"EPS", "WMF", "BUFR", "GRIB", "HDF5", "MPEG"})

#: Folders that systems put beside a user's: they hold thumbnails and the like.
_OF_SYSTEMS = frozenset({"__MACOSX", "@eaDir"})

_SHOWN = 10  # of the endings that were left out

_ORIENTATION = 0x0112  # the EXIF tag
_TURNED = (5, 6, 7, 8)  # its values for images that lie on their side


class ImageInside(Protocol):
    """An image within another file, as in a row of a table. It is hashable, and its text says which it is."""

    def open(self, mode: Literal["rb"]) -> BinaryIO:
        """Return the image as a file; raise `UnreadableError` where there is none."""


#: What `read_image` reads.
ImageFile: TypeAlias = Path | ImageInside


class UnreadableError(Exception):
    """A file that is no image, or none that can be taken; the message is the reason."""


def list_images(folder: Path) -> tuple[list[Path], list[Path]]:
    """
    Return the image files below a folder, and the files there that are none by their endings, both sorted.

    Folders within are looked into and links followed, each folder once. Hidden files and folders, macOS's ``._`` files
    among them, are in neither list.

    Raises:
        UserError: a folder that is not there or cannot be read.

    """
    images: list[Path] = []
    others: list[Path] = []
    for _, files in _walk(folder):
        for file in files:
            (images if file.suffix.lower() in IMAGE_SUFFIXES else others).append(file)
    return sorted(images), sorted(others)


def list_folders(folder: Path) -> list[Path]:
    """
    Return a folder and all that `list_images` looks into, sorted.

    Raises:
        UserError: one is not there or cannot be read.

    """
    return sorted(place for place, _ in _walk(folder))


def visible(folder: Path) -> tuple[list[Path], list[Path]]:
    """
    Return the folders and the files that are directly in a folder and not hidden, both sorted by name.

    Raises:
        UserError: the folder is not there or cannot be read.

    """
    try:
        with os.scandir(folder) as entries:
            seen = [entry for entry in entries if entry.name[0] != "." and entry.name not in _OF_SYSTEMS]
    except FileNotFoundError:
        raise UserError(f"There is no folder {folder}.") from None
    except NotADirectoryError:
        raise UserError(f"{folder} is a file, not a folder.") from None
    except (OSError, ValueError) as error:
        raise UserError(f"The folder {folder} cannot be read: {getattr(error, 'strerror', error)}.") from None
    folders = sorted(Path(entry.path) for entry in seen if _is_folder(entry))
    return folders, sorted({Path(entry.path) for entry in seen} - {*folders})


def left_out_in_words(left_out: Sequence[Path], root: Path) -> str:
    """Return how many files of which endings were left out, and the first of each, relative to `root`."""
    counts = Counter(path.suffix.lower() for path in left_out)
    firsts = {path.suffix.lower(): path for path in reversed(left_out)}
    words = [
        f"{count:,} {ending or 'without an ending'} ({printable(_relative(firsts[ending], root))}"
        f"{', ...' if count > 1 else ''})"
        for ending, count in counts.most_common(_SHOWN)
    ]
    more = sum(counts.values()) - sum(count for _, count in counts.most_common(_SHOWN))
    files = "1 file that does" if len(left_out) == 1 else f"{len(left_out):,} files that do"
    return f"left out {files} not end like images: {', '.join(words)}{f', and {more:,} more' if more else ''}"


def printable(name: object) -> str:
    """Return a file's name with bytes that are no text in UTF-8 written out in hexadecimal."""
    return str(name).encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def read_image(
    path: ImageFile, image_shape: tuple[int, int, int], background: Background = "white", fit: Fit = squash
) -> NDArray[np.uint8]:
    """
    Return an image file as uint8 (H, W, C): upright as its EXIF data say, grey or RGB, resized (bilinear).

    Palettes become colours, transparent parts show the background, of several frames the first is taken. HEIC is read
    where pillow-heif is installed.

    Args:
        path: the file, or an image within one.
        image_shape: (C, H, W), with C = 1 for grey and 3 for RGB.
        background: what lies behind transparent parts, and in margins.
        fit: tells for (W, H) of the upright image and of the array where its pixels go (`nlcore.data.fitting`).

    Raises:
        UnreadableError: it cannot be opened, is damaged or no image, or has more than 8 bits a channel.

    """
    import numpy as np
    from PIL import Image, ImageOps

    channels, height, width = image_shape
    try:
        with reading(path), _open(path) as image:
            if _has_more_than_8_bits(image):
                raise UnreadableError(f"it has more than 8 bits a channel (mode {image.mode}); save it with 8")
            size = _size_of_jpeg(image)
            if size is not None:  # can be decoded at 1/2, 1/4 or 1/8 of its size: several times faster
                reduction = fit(size, (width, height)).reduction
                image.draft(None, (image.width // reduction, image.height // reduction))
            ImageOps.exif_transpose(image, in_place=True)  # nothing is copied here that is right already
            placing = fit(size or image.size, (width, height)).within(size or image.size, image.size)
            shown: Image.Image = image
            if image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info:
                colours = image.convert("RGBA")
                shown = Image.alpha_composite(Image.new("RGBA", colours.size, background), colours)
            mode = "RGB" if channels == 3 else "L"
            shown = shown if shown.mode == mode else shown.convert(mode)
            shown = shown.resize(placing.size, Image.Resampling.BILINEAR, box=placing.box)
            if shown.size != (width, height):
                whole = Image.new(shown.mode, (width, height), background)
                whole.paste(shown, placing.corner)
                shown = whole
    except (UnreadableError, MemoryError):
        raise
    except OSError as error:
        raise UnreadableError(error.strerror or str(error)) from error
    except Exception as error:  # Pillow's decoders raise what they will when a file is damaged
        raise UnreadableError(str(error) or type(error).__name__) from error
    return np.asarray(shown, dtype=np.uint8).reshape(height, width, channels)


def _walk(folder: Path) -> Iterator[tuple[Path, list[Path]]]:
    """Yield each folder from `folder` down with the visible files in it; none twice, and none that holds `folder`."""
    seen = {
        os.path.realpath(above) for one in (folder.absolute(), Path(os.path.realpath(folder))) for above in one.parents
    }
    waiting = [folder]
    while waiting:
        place = waiting.pop()
        real = os.path.realpath(place)
        if real in seen:
            continue
        seen.add(real)
        folders, files = visible(place)
        waiting += folders[::-1]
        yield place, files


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads in a circle
        return False


def _open(path: ImageFile) -> Image.Image:
    """Open a file as an image of one of the formats that are decoded here."""
    from PIL import Image, UnidentifiedImageError

    if isinstance(path, Path):
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):  # reading from a pipe would wait for ever
            raise UnreadableError("it is no regular file")
    Image.init()
    formats = [name for name in Image.ID if name not in _NOT_DECODED]
    try:
        return Image.open(path if isinstance(path, Path) else path.open("rb"), formats=formats)
    except UnidentifiedImageError:
        if not _is_heic(path):
            raise UnreadableError("it is no image of a format that is known") from None
    try:
        from pillow_heif import register_heif_opener
    except ImportError:
        raise UnreadableError("it is HEIC, which needs pillow-heif: pip install pillow-heif") from None
    register_heif_opener()
    return Image.open(path if isinstance(path, Path) else path.open("rb"), formats=["HEIF"])


def _size_of_jpeg(image: Image.Image) -> tuple[int, int] | None:
    """Return width and height of a JPEG that has been opened when it is upright; None for other formats."""
    if image.format not in ("JPEG", "MPO"):
        return None
    return image.size[::-1] if image.getexif().get(_ORIENTATION) in _TURNED else image.size


def _is_heic(path: ImageFile) -> bool:
    """Tell by the first bytes, as phones' HEIC files are often called .jpg."""
    with path.open("rb") as file:
        start = file.read(12)
    return start[4:8] == b"ftyp" and start[8:12] in (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1")


def _has_more_than_8_bits(image: Image.Image) -> bool:
    """Tell by the mode; of colour images by the layout in the file, as Pillow cuts them down to 8 bits unasked."""
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return True
    layouts = [tile[3] for tile in getattr(image, "tile", [])]
    raw_modes = [layout[0] if isinstance(layout, tuple) and layout else layout for layout in layouts]
    return any(re.search(r";(16|32|64)", str(raw_mode)) for raw_mode in raw_modes)


def _relative(path: Path, root: Path) -> str:
    return os.path.relpath(path, root) if path.is_relative_to(root) else str(path)
