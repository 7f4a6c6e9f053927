"""
What data sets with real label noise share: the way from listed images to data.

Every file that a list names is looked for before training, and the numbers are compared with the official ones. Test
images are decoded once before training, so that a broken one is found then and not after an epoch; so are training
images where there are few. Of a million none is opened before it is used.

The fingerprint is the SHA-256 over ids, labels, how images are cut, and the pixels of what was decoded. Files that
were not opened count by their names alone: a broken one that is unpacked again leaves the run the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nlcore import UserError
from nlcore.contracts import Data, DatasetContext, Split
from nlcore.toolbox import UnreadableError, printable
from nlcore_builtins.datasets.crops import UNPACK, UNPACK_OR_EXCLUDE, Photographs, RandomlyCut
from nlcore_builtins.datasets.listed import Listed, bytes_of
from nlcore_builtins.tables import shorten

IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

FOLDER = "folder of the official archive; none: looked for in --data-dir"
SKIP = "leave out images that are missing or empty, or cannot be read, as far as they are decoded before training"
SHORTER_SIDE = "what the shorter side is resized to, in pixels, before a square is cut out: at random while training"
SIZE = "width and height of the squares, in pixels"

_CHUNK = 1024  # images that are decoded before progress is told


@dataclass(frozen=True)
class Part:
    """
    A part of a data set.

    Attributes:
        name: in words: ``training``.
        images: with their labels.
        official: how many there are officially.
        labels_are_true: whether its labels are, and not those of the web.

    """

    name: str
    images: Listed
    official: int
    labels_are_true: bool = True


@dataclass(frozen=True)
class Cut:
    """
    How images are shown.

    Attributes:
        size: width and height, in pixels.
        shorter_side: what the shorter side is resized to before a square is cut out, while training from anywhere in
            the image; None: all of it is shown, whatever becomes of its proportions.
        mean, std: of red, green and blue scaled to 0..1.
        train_first: whether training images are decoded once before training, as test images are.
        in_memory: whether what was decoded is kept.

    """

    size: int
    shorter_side: int | None
    mean: tuple[float, ...]
    std: tuple[float, ...]
    train_first: bool = False
    in_memory: bool = False


def check_cut(size: int, shorter_side: int) -> None:
    """Raise ValueError where a square would not fit into an image."""
    if shorter_side < size:
        raise ValueError(f"shorter_side = {shorter_side}: must be at least size = {size}")


def assemble(
    title: str,
    parts: Mapping[str, Part],
    classes: Sequence[str],
    cut: Cut,
    source: DatasetContext,
    skip: bool,
    notes: Sequence[str] = (),
) -> Data:
    """
    Look for all files and return the data.

    Args:
        title: the data set's name.
        parts: ``train`` and ``test``; ``trusted`` where there is one; all others are further test sets.
        classes: the names of the classes.
        cut: how images are shown.
        source: is told how far it is.
        skip: whether images that are not there or cannot be read are left out.
        notes: what is to be told already.

    Raises:
        UserError: files that are missing or unreadable and are not to be left out, or a class without training images.

    """
    said = list(notes)
    there = {name: _there(title, part, source, skip, said) for name, part in parts.items()}
    splits: dict[str, Split] = {}
    unreadable: dict[str, str] = {}
    other: list[str] = []  # numbers that are not the official ones
    digest = hashlib.sha256(repr((title, tuple(classes), cut.size, cut.shorter_side)).encode())
    for name, images in there.items():
        part, pixels, digests = parts[name], None, list[bytes]()
        trained_on = name in ("train", "trusted")
        if cut.train_first or not trained_on:
            store = Photographs(images, cut.size, cut.shorter_side)
            pixels, digests, reasons = _decoded(part.name, store, cut.in_memory, source)
            unreadable |= {str(images.names[number]): reason for number, reason in reasons.items()}
            good = np.array([number not in reasons for number in range(len(images))], dtype=bool)
            images, pixels = images.only(good), pixels if pixels is None or good.all() else pixels[good]
            _about_unreadable(title, unreadable, skip)
        if not len(images):
            raise UserError(f"{title}: there are no {part.name} images. Unpack the official archive again.")
        if len(images) != part.official:
            other.append(f"{len(images):,} {part.name} images (officially {part.official:,})")
        digest.update(f"{name}\0".encode())
        for one in images.names:
            digest.update(one.encode("utf-8", "surrogatepass") + b"\0")
        digest.update(images.labels.tobytes() + b"".join(digests))
        splits[name] = _split(images, part, cut, pixels, name)
    said += _about_unreadable(title, unreadable, skip)
    if other:
        said.append(f"{title} is not as it was published: {', '.join(other)}")
    counts = np.bincount(splits["train"].labels, minlength=len(classes))
    without = [classes[number] for number in np.flatnonzero(counts == 0).tolist()]
    if without:
        raise UserError(
            f"{title}: there is no training image of {shorten(without)}. Unpack the official archive again."
        )
    return Data(
        train=splits.pop("train"),
        test=splits.pop("test"),
        classes=tuple(classes),
        mean=cut.mean,
        std=cut.std,
        fingerprint=digest.hexdigest(),
        notes=tuple(said),
        trusted=splits.pop("trusted", None),
        unreadable=unreadable,
        further_tests=splits,
    )


def _about_unreadable(title: str, reasons: Mapping[str, str], skip: bool) -> list[str]:
    """Return what is to be told of images that cannot be read, by name; raise where they are not to be left out."""
    if not reasons:
        return []
    what = shorten([f"{printable(name)} ({reason})" for name, reason in reasons.items()], "; ")
    if not skip:
        raise UserError(
            f"{title}: {len(reasons):,} images cannot be read: {what}. Unpack them again, or leave them out with "
            "--dataset.skip_unreadable."
        )
    return [f"{title}: left out {len(reasons):,} images that cannot be read: {what}"]


def _split(images: Listed, part: Part, cut: Cut, pixels: NDArray[np.uint8] | None, name: str) -> Split:
    varied = name in ("train", "trusted") and cut.shorter_side is not None
    # What was decoded before the run is in its fingerprint: without an image it would be another run.
    advice = UNPACK_OR_EXCLUDE if name == "train" and not cut.train_first else UNPACK
    store = (RandomlyCut if varied else Photographs)(images, cut.size, cut.shorter_side, advice)
    clean = images.labels.copy() if part.labels_are_true else None
    return Split(store if pixels is None else pixels, images.labels, images.names, clean, paths=images)


def _there(title: str, part: Part, source: DatasetContext, skip: bool, said: list[str]) -> Listed:
    """Return the images whose files are there and not empty; raise where some are missing and none may be."""
    sizes = bytes_of(part.images, source.progress)
    missing = part.images.names[sizes == 0].tolist()
    if not missing:
        return part.images
    what = f"{len(missing):,} of {len(part.images):,} {part.name} images"
    named = shorten([printable(name) for name in missing])
    if not skip:
        raise UserError(
            f"{title}: {what} are not in {part.images.folder}, or empty: {named}. Unpack them there, or leave them out "
            "with --dataset.skip_unreadable."
        )
    said.append(f"{title}: left out {what}, which are missing or empty: {named}")
    return part.images.only(sizes > 0)


def _decoded(
    what: str, store: Photographs, keep: bool, source: DatasetContext
) -> tuple[NDArray[np.uint8] | None, list[bytes], dict[int, str]]:
    """
    Decode all images once.

    Returns:
        The images, uint8 (N, size, size, 3), None where they are not to be kept; the SHA-256 of each that can be read;
        and why others cannot, by position.

    """
    pixels = np.zeros((len(store), store.size, store.size, 3), dtype=np.uint8) if keep else None
    digests: list[bytes] = []
    reasons: dict[int, str] = {}
    for start in range(0, len(store), _CHUNK):
        chunk = np.arange(start, min(start + _CHUNK, len(store)))
        for position, image in zip(chunk.tolist(), store.each(chunk, [None] * len(chunk)), strict=True):
            if isinstance(image, UnreadableError):
                reasons[position] = str(image)
                continue
            digests.append(hashlib.sha256(image.tobytes()).digest())
            if pixels is not None:
                pixels[position] = image
        source.progress(int(chunk[-1]) + 1, len(store), f"{what} images decoded")
    return pixels, digests, reasons
