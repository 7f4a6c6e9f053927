"""
What datasets of one's own images share: every image is looked at before training, then split, kept or decoded anew.

Images are RGB of one size, read by `nlcore.data.image_files.read_image` in worker threads. Those that fit the memory
budget are kept; else a store decodes them for each batch, and both give the same numbers. Mean and standard deviation
are those of all pixels of all training images, summed as integers, so that the order does not matter. The fingerprint
is the SHA-256 over size, ids, labels and decoded pixels: a file saved anew with the same pixels is the same data.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nlcore import RunError, UserError, parameter
from nlcore.contracts import Data, Labels, Split
from nlcore.data.image_files import UnreadableError, read_image
from nlcore.training.hardware import available_cpus

CHUNK = 256  # images that are decoded before the first of them is taken: what lies in memory is bounded by it
COPIES = 4  # of the pixels while training: as they are, and padded and mirrored for random crops
SHOWN = 10  # of a list of mistakes


class Item(NamedTuple):
    """An image as it is listed: its file, its id (a relative path) and the name of its class."""

    path: Path
    id: str
    label: str


@dataclass(frozen=True)
class DecodingStore:
    """Images that are decoded whenever they are asked for."""

    paths: Sequence[Path]
    size: int

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W)."""
        return 3, self.size, self.size

    def __len__(self) -> int:
        return len(self.paths)

    def fetch(self, indices: Labels) -> NDArray[np.uint8]:
        """
        Return the images at these positions, uint8 (B, H, W, 3).

        Raises:
            RunError: a file that could be read before can no longer be.

        """
        images = np.empty((len(indices), self.size, self.size, 3), dtype=np.uint8)
        chosen = [self.paths[position] for position in indices.tolist()]
        for number, image in enumerate(_decode(chosen, self.size)):
            if isinstance(image, UnreadableError):
                raise RunError(f"The image {chosen[number]} can no longer be read: {image}.")
            images[number] = image
        return images


@dataclass(frozen=True)
class OwnImages:
    """The parameters that all of one's own images have, and the way from listed files to data."""

    defaults: ClassVar[Mapping[str, object]] = {"noise": "none"}

    size: int = parameter(64, "width and height that images are resized to, in pixels", range="[8, 1024]")
    test_fraction: float = parameter(
        0.2, "share of each class to test on, where no test images are given", range="(0, 1)"
    )
    split_seed: int = parameter(0, "draws which images those are", range="[0, inf)")
    memory: float = parameter(
        2.0, "GB that images may take while training; more are decoded anew for each batch", range="[0, inf)"
    )
    skip_unreadable: bool = parameter(False, "leave out images that cannot be read")
    mean: str | None = parameter(
        None, "of red, green and blue scaled to 0..1, as in 0.485,0.456,0.406; none: of the training images"
    )
    std: str | None = parameter(None, "standard deviations, as in 0.229,0.224,0.225; none: of the training images")

    def __post_init__(self) -> None:
        _three_numbers(self.mean, "mean", lowest=0.0)
        _three_numbers(self.std, "std", lowest=1e-6)

    def assemble(self, train: list[Item], test: list[Item] | None, report: Callable[[str], None]) -> Data:
        """
        Look at all images, split off a test part where there is none, and return the data.

        Args:
            train: training images; where there is no test part, all images.
            test: test images, or None.
            report: takes a line of text for the user.

        Raises:
            UserError: classes that do not agree, too few images, or unreadable ones that are not to be skipped.

        """
        items = [*train, *(test or [])]
        part = np.repeat([0, 1], [len(train), len(test or [])])
        classes = _check_classes(
            [item.label for item in train], None if test is None else [item.label for item in test]
        )
        seen = _look_at([item.path for item in items], self.size, keep=self._fits(len(items)))
        if seen.reasons:
            self._left_out([(items[number].id, reason) for number, reason in seen.reasons.items()], len(items), report)
        good = np.array([number not in seen.reasons for number in range(len(items))])
        trained, tested = np.flatnonzero(good & (part == 0)), np.flatnonzero(good & (part == 1))
        if seen.reasons:
            left = [items[number].label for number in trained]
            tests = None if test is None else [items[number].label for number in tested]
            _check_classes(left, tests, before=classes)
        labels = np.array([classes.index(item.label) for item in items], dtype=np.int64)
        if test is None:
            tested = self._draw_test(labels, trained)
            trained = np.setdiff1d(trained, tested)

        def split(chosen: Labels) -> Split:
            ids = np.array([items[number].id for number in chosen])
            paths = [items[number].path for number in chosen]
            images = DecodingStore(paths, self.size) if seen.images is None else seen.images[chosen]
            return Split(images, labels[chosen], ids, None)

        digest = hashlib.sha256(f"{self.size} {classes}".encode())
        for chosen in (trained, tested):
            for number in chosen.tolist():
                digest.update(f"{items[number].id}\0{labels[number]}\0".encode() + seen.digests[number])
            digest.update(b"\0")
        if seen.images is None:
            report(
                f"{int(good.sum()):,} images of {self.size}×{self.size} do not fit {self.memory:g} GB "
                "(--dataset.memory): they are decoded anew for each batch"
            )
        mean, std = _moments(seen.sums[trained].sum(0), len(trained) * self.size**2)
        return Data(
            train=split(trained),
            test=split(tested),
            classes=classes,
            mean=_three_numbers(self.mean, "mean") or mean,
            std=_three_numbers(self.std, "std") or std,
            fingerprint=digest.hexdigest(),
        )

    def _fits(self, count: int) -> bool:
        return COPIES * 3 * self.size**2 * count <= self.memory * 1e9

    def _draw_test(self, labels: Labels, positions: Labels) -> Labels:
        """Return the sorted positions to test on: of each class `test_fraction`, but one at least and never all."""
        tested = []
        for label in np.unique(labels[positions]).tolist():
            members = positions[labels[positions] == label]
            count = min(max(round(self.test_fraction * len(members)), 1), len(members) - 1)
            tested.append(np.random.default_rng([self.split_seed, label]).permutation(members)[:count])
        return np.sort(np.concatenate(tested))

    def _left_out(self, unreadable: list[tuple[str, str]], count: int, report: Callable[[str], None]) -> None:
        what = shorten([f"{name} ({reason})" for name, reason in unreadable], "; ")
        if not self.skip_unreadable:
            raise UserError(
                f"{len(unreadable):,} of {count:,} images cannot be read: {what}. Repair or remove them, or leave them "
                "out with --dataset.skip_unreadable."
            )
        report(f"left out {len(unreadable):,} of {count:,} images that cannot be read: {what}")


def shorten(words: Sequence[str], separator: str = ", ") -> str:
    """Return the first words of a list, and how many more there are."""
    more = f"{separator}and {len(words) - SHOWN:,} more" if len(words) > SHOWN else ""
    return separator.join(words[:SHOWN]) + more


def in_order(names: Sequence[str]) -> tuple[str, ...]:
    """Return names of classes without repetition, sorted: as numbers where all are, else as text."""
    numbers = all(name.isdecimal() for name in names)
    return tuple(sorted(set(names), key=lambda name: (int(name) if numbers else 0, name)))


@dataclass(frozen=True)
class Seen:
    """
    What was seen when all images were looked at.

    Attributes:
        images: uint8 (N, H, W, 3), None where they are not kept.
        sums: int64 (N, 2, 3), of each image's values and of their squares.
        digests: of each image's pixels, SHA-256.
        reasons: why an image cannot be read, by position.

    """

    images: NDArray[np.uint8] | None
    sums: NDArray[np.int64]
    digests: list[bytes]
    reasons: dict[int, str]


def _look_at(paths: Sequence[Path], size: int, keep: bool) -> Seen:
    """Decode every image once."""
    images = np.zeros((len(paths), size, size, 3), dtype=np.uint8) if keep else None
    seen = Seen(images, np.zeros((len(paths), 2, 3), dtype=np.int64), [b""] * len(paths), {})
    for number, image in enumerate(_decode(paths, size)):
        if isinstance(image, UnreadableError):
            seen.reasons[number] = str(image)
            continue
        if images is not None:
            images[number] = image
        pixels = image.reshape(-1, 3)
        seen.sums[number] = pixels.sum(0, dtype=np.int64), np.square(pixels, dtype=np.int32).sum(0, dtype=np.int64)
        seen.digests[number] = hashlib.sha256(image.tobytes()).digest()
    return seen


def _check_classes(train: list[str], test: list[str] | None, before: tuple[str, ...] | None = None) -> tuple[str, ...]:
    """Return the classes, which must be at least two, the same in both parts, and large enough to be split."""
    classes = in_order(train)
    gone = [name for name in before or () if name not in classes]
    if gone:
        raise UserError(f"No training image that can be read is left of: {shorten(gone)}.")
    if len(classes) < 2:
        raise UserError(f"There is one class only, {classes[0]!r}: at least two are needed.")
    if test is not None:
        tested = in_order(test)
        differences = [
            f"only in the {here} part: {shorten(missing)}"
            for here, ours, theirs in (("training", classes, tested), ("test", tested, classes))
            if (missing := [name for name in ours if name not in theirs])
        ]
        if differences:
            raise UserError(f"The classes of training and test images are not the same; {'; '.join(differences)}.")
    else:
        counts = Counter(train)
        single = [name for name in classes if counts[name] == 1]
        if single:
            raise UserError(
                f"These classes have one image only, so none can be split off for testing: {shorten(single)}. Add "
                "images or remove the class, or give test images of their own."
            )
    return classes


def _decode(paths: Sequence[Path], size: int) -> Iterator[NDArray[np.uint8] | UnreadableError]:
    """Yield the images (size, size, 3) in order, decoded by threads; where one cannot be read, the reason."""

    def one(path: Path) -> NDArray[np.uint8] | UnreadableError:
        try:
            return read_image(path, (3, size, size))
        except UnreadableError as error:
            return error

    with ThreadPoolExecutor(min(available_cpus(), 16)) as pool:
        for start in range(0, len(paths), CHUNK):
            yield from pool.map(one, paths[start : start + CHUNK])


def _moments(sums: NDArray[np.int64], count: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return mean and std of values scaled to 0..1 from their sums and sums of squares, (2, 3)."""
    mean, square = sums / (count * 255.0 ** np.array([[1], [2]]))
    std = np.sqrt(np.maximum(square - mean**2, 0)).clip(min=1 / 255)  # images of one colour have none
    return tuple(mean.tolist()), tuple(std.tolist())


def _three_numbers(text: str | None, name: str, lowest: float = 0.0) -> tuple[float, ...] | None:
    """Return what was given as text; raise ValueError where it is not three numbers within `lowest`..1."""
    if text is None:
        return None
    try:
        numbers = tuple(float(word) for word in text.split(","))
    except ValueError:
        numbers = ()
    if len(numbers) != 3 or not all(lowest <= number <= 1 for number in numbers):
        raise ValueError(f"{name} = {text}: must be three numbers within 0..1, as in 0.5,0.5,0.5")
    return numbers
