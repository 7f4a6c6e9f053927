"""Proportions are kept as torchvision and Pillow keep them, whatever an image's shape, format and orientation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some
from numpy.typing import NDArray
from PIL import Image, ImageOps
from torchvision.transforms import CenterCrop, InterpolationMode, Resize

from nlcore.data.fitting import FITS, crop, pad, squash
from nlcore.data.image_files import read_image

SHAPES = pytest.mark.parametrize("shape", [(50, 37), (37, 50), (500, 375), (333, 501), (16, 16), (9, 5), (13, 200)])


def picture(width: int, height: int) -> Image.Image:
    """Return noise over stripes, so that a shift by a part of a pixel shows."""
    rng = np.random.default_rng([width, height])
    stripes = 60 * np.sin(np.arange(width) / 3)[None, :, None] + 60 * np.sin(np.arange(height) / 2)[:, None, None]
    return Image.fromarray((127 + stripes + rng.integers(-7, 8, (height, width, 3))).astype(np.uint8))


def saved(path: Path, image: Image.Image, **options: Any) -> Path:
    image.save(path, **options)
    return path


def difference(one: NDArray[np.uint8], other: Any) -> int:
    """Return the largest one of two images' values."""
    return int(np.abs(one.astype(int) - np.asarray(other).astype(int)).max())


@SHAPES
@pytest.mark.parametrize("size", [16, 15])
def test_a_crop_has_the_pixels_of_torchvisions_resize_and_centre_crop(
    shape: tuple[int, int], size: int, tmp_path: Path
) -> None:
    image = picture(*shape)
    expected = CenterCrop(size)(Resize(size, InterpolationMode.BILINEAR)(image))
    read = read_image(saved(tmp_path / "one.png", image), (3, size, size), fit=crop)
    assert difference(read, expected) <= 1


@SHAPES
@pytest.mark.parametrize("background", ["white", "black"])
def test_margins_and_pixels_are_those_of_pillows_pad(shape: tuple[int, int], background: Any, tmp_path: Path) -> None:
    image = picture(*shape)
    path = saved(tmp_path / "one.png", image)
    expected = ImageOps.pad(image, (16, 16), Image.Resampling.BILINEAR, background)
    assert difference(read_image(path, (3, 16, 16), background, pad), expected) <= 1
    grey = ImageOps.pad(image.convert("L"), (16, 16), Image.Resampling.BILINEAR, background)
    assert difference(read_image(path, (1, 16, 16), background, pad)[..., 0], grey) <= 1


def test_a_squashed_image_is_what_pillow_resizes(tmp_path: Path) -> None:
    image = picture(50, 37)
    expected = np.asarray(image.resize((16, 16), Image.Resampling.BILINEAR))
    np.testing.assert_array_equal(read_image(saved(tmp_path / "one.png", image), (3, 16, 16)), expected)


@pytest.mark.parametrize("fit", FITS.values(), ids=list(FITS))
@pytest.mark.parametrize("ending", ["jpg", "png", "tif"])
def test_an_image_on_its_side_is_fitted_upright(fit: Any, ending: str, tmp_path: Path) -> None:
    upright = picture(320, 160)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90° clockwise
    lossless = {"quality": 100, "subsampling": 0} if ending == "jpg" else {}
    turned = upright.transpose(Image.Transpose.ROTATE_90)
    path = saved(tmp_path / f"turned.{ending}", turned, exif=exif, **lossless)
    plain = saved(tmp_path / f"plain.{ending}", upright, **lossless)
    assert difference(read_image(path, (3, 16, 16), fit=fit), read_image(plain, (3, 16, 16), fit=fit)) <= 6


@pytest.mark.parametrize("fit", FITS.values(), ids=list(FITS))
def test_a_large_jpeg_is_decoded_smaller_and_still_itself(
    fit: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its values are those of the whole image, up to what JPEG and the smaller scale change of a smooth one."""
    y, x = np.mgrid[:1203, :1601]
    smooth = Image.fromarray(np.stack([x / 7, y / 5, 255 - x / 7], axis=-1).astype(np.uint8))
    path = saved(tmp_path / "large.jpg", smooth, quality=95)
    decoded: list[tuple[int, int]] = []
    exif_transpose: Any = ImageOps.exif_transpose

    def noted(image: Image.Image, **options: Any) -> Any:
        decoded.append(image.size)
        return exif_transpose(image, **options)

    monkeypatch.setattr(ImageOps, "exif_transpose", noted)
    read = read_image(path, (3, 64, 64), fit=fit)
    assert decoded == [(201, 151)]  # an eighth: the smallest scale, and its shorter side still more than 128
    lossless = read_image(saved(tmp_path / "large.png", smooth), (3, 64, 64), fit=fit)
    assert difference(read[2:-2, 2:-2], lossless[2:-2, 2:-2]) <= (4 if fit is not pad else 24)


LENGTHS = some.integers(1, 40_000)


@given(LENGTHS, LENGTHS, some.integers(8, 1024), some.sampled_from([1, 2, 4, 8]))
def test_what_is_shown_lies_within_and_keeps_its_proportions(width: int, height: int, size: int, smaller: int) -> None:
    for fit in (squash, crop, pad):
        placing = fit((width, height), (size, size))
        shrunk = (-(-width // smaller), -(-height // smaller))
        for (left, top, right, bottom), (wide, high) in (
            (placing.box, (width, height)),
            (placing.within((width, height), shrunk).box, shrunk),
        ):
            assert 0 <= np.float32(left) < np.float32(right) <= wide  # Pillow computes in float32, and refuses more
            assert 0 <= np.float32(top) < np.float32(bottom) <= high
        (x, y), (across, down) = placing.corner, placing.size
        assert x >= 0 <= y
        assert x + across <= size >= y + down
        if fit is not squash:  # each side is rounded to whole pixels, and never to none
            left, top, right, bottom = placing.box
            scale = size / (min if fit is crop else max)(width, height)
            whole = (across * width / (right - left), down * height / (bottom - top))
            assert all(abs(one - max(side * scale, 1)) <= 1 for one, side in zip(whole, (width, height), strict=True))
        assert fit is pad or placing.size == (size, size)
