"""Thumbnails: small images as they are, large ones small enough, files upright and in their own shape."""

from __future__ import annotations

import base64
import io
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nlcore.audits.thumbnails import KEPT, LONGEST, MOST_BYTES, Thumbnail, file_thumbnail, image_size, thumbnail
from nlcore.data.image_files import UnreadableError


def pixels(one: Thumbnail) -> np.ndarray:
    """Return what a browser shows."""
    assert base64.b64decode(one.base64) == one.content
    picture = Image.open(io.BytesIO(one.content))
    assert picture.get_format_mimetype() == one.type
    assert picture.size == (one.width, one.height)
    return np.asarray(picture)


def noise(height: int, width: int, channels: int = 3) -> np.ndarray:
    """Return an image of random pixels, which compresses worst."""
    return np.random.default_rng(0).integers(0, 256, (height, width, channels), dtype=np.uint8)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(1, 1), (32, 32), (KEPT, 20)])
def test_a_small_image_stays_as_it_is(size: tuple[int, int], channels: int) -> None:
    image = noise(*size, channels)
    assert np.array_equal(pixels(thumbnail(image)).reshape(image.shape), image)


def test_a_large_image_is_small_enough_and_looks_the_same() -> None:
    rows, columns = np.mgrid[0:600, 0:900]
    image = np.stack([rows * 255 // 600, columns * 255 // 900, (rows + columns) % 256], axis=2).astype(np.uint8)
    one = thumbnail(image)
    assert (one.width, one.height) == (LONGEST, 171)  # 256 · 600 / 900 = 170.7
    assert len(one.content) <= MOST_BYTES
    expected = np.asarray(Image.fromarray(image).resize((256, 171), Image.Resampling.BOX)).astype(float)
    assert np.abs(pixels(one)[:, :, :2] - expected[:, :, :2]).mean() < 6


@pytest.mark.parametrize("size", [(65, 65), (400, 400), (2_000, 30), (1, 3_000)])
def test_whatever_the_image_the_bytes_are_few(size: tuple[int, int]) -> None:
    one = thumbnail(noise(*size))
    pixels(one)
    assert len(one.content) <= MOST_BYTES
    assert max(one.width, one.height) <= LONGEST


def test_what_pillow_warns_of_was_told_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
) -> None:
    warnings.simplefilter("always")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    Image.fromarray(noise(36, 30)).save(tmp_path / "large.png")
    assert image_size(tmp_path / "large.png") == (30, 36)
    assert file_thumbnail(tmp_path / "large.png").height == 36
    assert not recwarn.list


def test_a_grey_photo_stays_grey() -> None:
    grey = np.full((100, 100, 1), 77, np.uint8)
    assert np.abs(pixels(thumbnail(grey)).astype(int) - 77).max() <= 2


def test_a_file_is_upright_and_in_its_shape(tmp_path: Path) -> None:
    image = np.zeros((60, 120, 3), np.uint8)
    image[:, :60] = 255  # the left half is white
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90° clockwise: left becomes top
    Image.fromarray(image).save(tmp_path / "turned.jpg", exif=exif, quality=95)
    assert image_size(tmp_path / "turned.jpg") == (60, 120)
    one = file_thumbnail(tmp_path / "turned.jpg")
    assert (one.width, one.height) == (60, 120)
    shown = pixels(one)
    assert shown[:50].mean() > 240
    assert shown[70:].mean() < 15


def test_a_large_file(tmp_path: Path) -> None:
    Image.new("RGB", (4_000, 1_000), "red").save(tmp_path / "large.png")
    one = file_thumbnail(tmp_path / "large.png")
    assert (one.width, one.height) == (256, 64)


def test_heic(tmp_path: Path) -> None:
    heif = pytest.importorskip("pillow_heif", reason="pillow-heif is not installed")
    heif.from_pillow(Image.new("RGB", (300, 150), "blue")).save(tmp_path / "phone.heic")
    assert image_size(tmp_path / "phone.heic") == (300, 150)
    assert file_thumbnail(tmp_path / "phone.heic").width == 256


@pytest.mark.parametrize("content", [b"", b"no image", b"\x89PNG\r\n\x1a\n broken"])
def test_what_is_no_image_is_said(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "broken.png").write_bytes(content)
    with pytest.raises(UnreadableError):
        file_thumbnail(tmp_path / "broken.png")
    with pytest.raises(UnreadableError):
        image_size(tmp_path / "nothing.png")
