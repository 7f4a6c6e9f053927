"""Image files of all sorts as arrays."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from nlcore.data.image_files import UnreadableError, read_image


def some_colours() -> NDArray[np.uint8]:
    colours = np.zeros((2, 3, 3), np.uint8)
    colours[0, 0], colours[1, 2] = (255, 0, 0), (10, 20, 30)
    return colours


def save(path: Path, image: Image.Image, **options: Any) -> Path:
    image.save(path, **options)
    return path


def png16(path: Path, colours: bool) -> Path:
    """Write a 1×1 PNG of 16 bits a channel by hand: Pillow writes no such colour images."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", 1, 1, 16, 2 if colours else 0, 0, 0, 0)
    row = b"\0" + struct.pack(">HHH" if colours else ">H", *([40_000] * (3 if colours else 1)))
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(row)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)
    return path


def test_an_image_is_read_as_it_is_asked_for(tmp_path: Path) -> None:
    path = save(tmp_path / "colours.png", Image.fromarray(some_colours()))
    assert np.array_equal(read_image(path, (3, 2, 3)), some_colours())
    assert read_image(path, (1, 2, 3)).shape == (2, 3, 1)
    assert read_image(path, (3, 7, 5)).shape == (7, 5, 3)


@pytest.mark.parametrize("mode", ["L", "LA", "1", "P", "RGB", "RGBA", "CMYK"])
def test_every_mode_becomes_rgb(mode: str, tmp_path: Path) -> None:
    picture = Image.fromarray(np.full((4, 4), 255, np.uint8)).convert(mode)
    path = save(tmp_path / ("white.tif" if mode == "CMYK" else "white.png"), picture)
    with Image.open(path) as saved:
        assert saved.mode == mode
    assert np.array_equal(read_image(path, (3, 4, 4)), np.full((4, 4, 3), 255))


def test_transparency_is_dropped(tmp_path: Path) -> None:
    pixels = np.dstack([some_colours(), np.zeros((2, 3), np.uint8)])
    path = save(tmp_path / "clear.png", Image.fromarray(pixels, "RGBA"))
    assert np.array_equal(read_image(path, (3, 2, 3)), some_colours())


def test_a_palette_with_transparent_colours_is_read_without_a_word(
    tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    picture = Image.fromarray(np.arange(6, dtype=np.uint8).reshape(2, 3), mode="P")
    picture.putpalette([level for grey in range(0, 256, 20) for level in (grey, grey, grey)])
    picture.save(tmp_path / "palette.png", transparency=bytes([0, 128, 255]))
    recwarn.clear()
    assert read_image(tmp_path / "palette.png", (1, 2, 3))[..., 0].tolist() == [[0, 20, 40], [60, 80, 100]]
    assert len(recwarn) == 0


def test_an_image_is_turned_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: to be turned by 90° clockwise
    path = save(tmp_path / "turned.png", Image.fromarray(some_colours()), exif=exif)
    expected = np.rot90(some_colours(), -1)
    assert np.array_equal(read_image(path, (3, 3, 2)), expected)


def test_a_large_jpeg_is_still_itself(tmp_path: Path) -> None:
    """Decoded at a part of its size it is what the whole image averages to, up to JPEG's own error."""
    y, x = np.mgrid[:512, :768]
    smooth = np.stack([x / 3, y / 2, 255 - x / 3], axis=-1).astype(np.uint8)
    path = save(tmp_path / "large.jpg", Image.fromarray(smooth), quality=95)
    expected = smooth.reshape(32, 16, 48, 16, 3).mean((1, 3))
    assert np.abs(read_image(path, (3, 32, 48)) - expected).max() < 4


@pytest.mark.parametrize("colours", [False, True], ids=["grey", "colours"])
def test_16_bits_are_refused_with_a_reason(colours: bool, tmp_path: Path) -> None:
    with pytest.raises(UnreadableError, match="more than 8 bits a channel"):
        read_image(png16(tmp_path / "deep.png", colours), (3, 1, 1))


def test_16_bits_by_pillow_are_refused_too(tmp_path: Path) -> None:
    deep = Image.fromarray(np.full((8, 8), 40_000, np.uint16))
    for ending in ("png", "tif"):
        with pytest.raises(UnreadableError, match="more than 8 bits a channel"):
            read_image(save(tmp_path / f"deep.{ending}", deep), (3, 8, 8))


@pytest.mark.parametrize("ending", ["jpg", "png", "bmp", "gif", "webp", "tif"])
@pytest.mark.parametrize("share", [0, 0.02, 0.5, 0.9])
def test_a_truncated_file_is_unreadable(ending: str, share: float, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    path = save(tmp_path / f"whole.{ending}", Image.fromarray(noise))
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(UnreadableError):
        read_image(path, (3, 16, 16))


def test_what_is_no_image_is_said_without_its_path(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("no image")
    for path, reason in (
        (tmp_path / "text.png", "no image"),
        (tmp_path / "gone.png", "No such file"),
        (tmp_path, "Is a directory"),
    ):
        with pytest.raises(UnreadableError, match=reason) as caught:
            read_image(path, (3, 8, 8))
        assert str(caught.value)
        assert str(tmp_path) not in str(caught.value)
