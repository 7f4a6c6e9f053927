"""Image files of all sorts as arrays."""

from __future__ import annotations

import os
import struct
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fuzzing import FUZZ
from hypothesis import given
from hypothesis import strategies as some
from numpy.typing import NDArray
from PIL import Image, features

from nlcore import UserError
from nlcore.data.image_files import (
    IMAGE_SUFFIXES,
    UnreadableError,
    left_out_in_words,
    list_folders,
    list_images,
    read_image,
)
from nlcore.data.image_warnings import collected_warnings


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


@pytest.mark.parametrize(("background", "level"), [("white", 255), ("black", 0)])
def test_transparent_parts_show_the_background(background: Any, level: int, tmp_path: Path) -> None:
    """By the formula of compositing, a c + (1 - a) b, for a of 0, 0.4 and 1."""
    alpha = np.array([[0, 102, 255], [255, 102, 0]])
    pixels = np.dstack([some_colours(), alpha.astype(np.uint8)])
    path = save(tmp_path / "clear.png", Image.fromarray(pixels, "RGBA"))
    share = alpha[..., None] / 255
    expected = share * some_colours() + (1 - share) * level
    assert np.abs(read_image(path, (3, 2, 3), background) - expected).max() <= 1
    assert np.array_equal(read_image(path, (3, 2, 3)), read_image(path, (3, 2, 3), "white"))


def test_a_palette_with_transparent_colours_is_read_without_a_word(
    tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    picture = Image.fromarray(np.arange(6, dtype=np.uint8).reshape(2, 3), mode="P")
    picture.putpalette([level for grey in range(0, 256, 20) for level in (grey, grey, grey)])
    picture.save(tmp_path / "palette.png", transparency=bytes([0, 128, 255]))
    recwarn.clear()
    shown = round(20 * 128 / 255 + 255 * 127 / 255)
    assert read_image(tmp_path / "palette.png", (1, 2, 3))[..., 0].tolist() == [[255, shown, 40], [60, 80, 100]]
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


HEIC = struct.pack(">I", 24) + b"ftypheic" + bytes(4) + b"mif1heic"


def test_heic_is_named_where_it_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its content: phones call it .jpg, too."""
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    for name in ("phone.heic", "phone.jpg"):
        (tmp_path / name).write_bytes(HEIC)
        with pytest.raises(UnreadableError, match="it is HEIC, which needs pillow-heif"):
            read_image(tmp_path / name, (3, 8, 8))


def test_heic_is_read_where_pillow_heif_is_installed(tmp_path: Path) -> None:
    heif = pytest.importorskip("pillow_heif")
    grey = np.full((64, 64, 3), 128, np.uint8)
    heif.from_bytes(mode="RGB", size=(64, 64), data=grey.tobytes()).save(tmp_path / "phone.heic")
    assert np.abs(read_image(tmp_path / "phone.heic", (3, 64, 64)).astype(int) - 128).max() <= 2
    (tmp_path / "broken.heic").write_bytes(HEIC)
    with pytest.raises(UnreadableError):
        read_image(tmp_path / "broken.heic", (3, 8, 8))


def test_the_endings_are_those_that_pillow_reads() -> None:
    Image.init()
    known = {ending for ending, name in Image.registered_extensions().items() if name in Image.OPEN and name != "HEIF"}
    undecoded = {".eps", ".ps", ".wmf", ".emf", ".bufr", ".grib", ".h5", ".hdf", ".mpg", ".mpeg"}
    newer = {".avif", ".avifs", ".qoi"}  # than the oldest Pillow that is allowed
    assert known - undecoded <= IMAGE_SUFFIXES
    assert IMAGE_SUFFIXES - known <= newer | {".heic", ".heif", ".hif"}


@pytest.mark.parametrize("ending", ["jfif", "jpe", "jp2", "tga", "ico", "pcx", "sgi", "dib", "avif"])
def test_rarer_formats_are_read(ending: str, tmp_path: Path) -> None:
    if ending == "avif" and not features.check("avif"):
        pytest.skip("this Pillow reads no AVIF")
    path = save(tmp_path / f"grey.{ending}", Image.fromarray(np.full((32, 32, 3), 128, np.uint8)))
    assert np.abs(read_image(path, (3, 32, 32)).astype(int) - 128).max() <= 2


def test_postscript_in_disguise_starts_no_other_program(tmp_path: Path) -> None:
    (tmp_path / "trick.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\nshowpage\n")
    with pytest.raises(UnreadableError, match="no image of a format that is known"):
        read_image(tmp_path / "trick.png", (3, 8, 8))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(UnreadableError, match="no regular file"):
        read_image(tmp_path / "pipe.png", (3, 8, 8))


# --------------------------------------------------------------------------------------------------------- lists


def write(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"")


def test_images_are_listed_in_all_folders_without_hidden_ones(tmp_path: Path) -> None:
    write(tmp_path, "b.PNG", "a/c.jpe", "a/d/e.heic", "a/notes.txt", "README")
    write(tmp_path, "._b.png", ".hidden/f.png", "__MACOSX/g.png", "a/@eaDir/h.jpg")
    images, left_out = list_images(tmp_path)
    assert images == [tmp_path / name for name in ("a/c.jpe", "a/d/e.heic", "b.PNG")]
    assert left_out == [tmp_path / name for name in ("README", "a/notes.txt")]
    assert list_folders(tmp_path) == [tmp_path, tmp_path / "a", tmp_path / "a" / "d"]


def test_links_are_followed_and_loops_are_not(tmp_path: Path) -> None:
    write(tmp_path, "photos/cat/1.png", "photos/dog/2.png", "elsewhere/3.png", "elsewhere/more/4.png")
    cat = tmp_path / "photos" / "cat"
    for name, target in (("linked", "elsewhere"), ("again", "elsewhere"), ("up", "photos"), ("itself", "photos/cat")):
        (cat / name).symlink_to(tmp_path / target)
    (cat / "one.png").symlink_to(tmp_path / "elsewhere" / "3.png")
    (cat / "circle").symlink_to(cat / "circle")
    (tmp_path / "elsewhere" / "back").symlink_to(cat)
    images, _ = list_images(cat)
    assert [file.relative_to(cat).as_posix() for file in images if "linked" not in file.parts] in (
        ["1.png", "one.png"],
        ["1.png", "again/3.png", "again/more/4.png", "one.png"],
    )
    assert len(images) == 4  # each folder once, whichever link leads to it
    assert list_images(cat) == (images, [cat / "circle"])
    with pytest.raises(UserError, match="cannot be read"):
        list_images(cat / "circle")


def test_what_was_left_out_is_said_by_ending(tmp_path: Path) -> None:
    left_out = [tmp_path / name for name in ("a.txt", "b.TXT", "c.mp4", "README")]
    assert left_out_in_words(left_out, tmp_path) == (
        "left out 4 files that do not end like images: 2 .txt (a.txt, ...), 1 .mp4 (c.mp4), "
        "1 without an ending (README)"
    )
    odd = tmp_path / os.fsdecode(b"\xff.txt")
    assert left_out_in_words([odd], tmp_path).endswith("1 .txt (\\xff.txt)")


def test_a_folder_that_is_none_is_said(tmp_path: Path) -> None:
    write(tmp_path, "a.png")
    with pytest.raises(UserError, match="is a file"):
        list_images(tmp_path / "a.png")
    with pytest.raises(UserError, match="There is no folder"):
        list_images(tmp_path / "gone")


FORMATS = some.sampled_from(
    ["png", "jpeg", "gif", "bmp", "tiff", "webp", "ppm", "tga", "ico", "pcx", "sgi", "jpeg2000"]
)


@FUZZ
@given(
    kind=FORMATS,
    mode=some.sampled_from(["RGB", "L"]),
    place=some.floats(0, 1),
    junk=some.binary(max_size=8),
    cut=some.booleans(),
)
def test_a_damaged_image_is_read_or_unreadable(
    kind: str, mode: str, place: float, junk: bytes, cut: bool, tmp_path: Path
) -> None:
    path = tmp_path / "image.png"
    Image.fromarray(np.arange(192, dtype=np.uint8).reshape(8, 8, 3)).convert(mode).save(path, format=kind)
    content = path.read_bytes()
    position = int(place * len(content))
    path.write_bytes(content[:position] + junk + (b"" if cut else content[position + len(junk) :]))
    with collected_warnings():
        try:
            image, reason = read_image(path, (3, 5, 4)), ""
        except UnreadableError as error:
            image, reason = None, str(error)
    assert (image.shape == (5, 4, 3) and image.dtype == np.uint8) if image is not None else reason
    assert list(tmp_path.iterdir()) == [path]
