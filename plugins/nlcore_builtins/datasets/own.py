"""
What datasets of one's own images share: every image is looked at before training, then split, kept or decoded anew.

Images are RGB of one size, read by `nlcore.data.image_files.read_image` in worker threads. Those that fit the memory
budget are kept; else a store decodes them for each batch, and both give the same numbers. Mean and standard deviation
are those of all pixels of all training images, summed as integers, so that the order does not matter. The fingerprint
is the SHA-256 over size, ids, labels and decoded pixels: a file saved anew with the same pixels is the same data.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from nlcore import UserError, parameter
from nlcore.contracts import Data, DatasetContext, Labels, Split
from nlcore.toolbox import FITS, read_image
from nlcore_builtins.datasets.decoding import BoxesStore, DecodingStore, Item, Seen, look_at, moments
from nlcore_builtins.tables import shorten

COPIES = 4  # of the pixels while training: as they are, and padded and mirrored for random crops


@dataclass(frozen=True)
class OwnImages:
    """The parameters that all of one's own images have, and the way from listed files to data."""

    defaults: ClassVar[Mapping[str, object]] = {"noise": "none"}

    size: int = parameter(64, "width and height that images are resized to, in pixels", range="[8, 1024]")
    resize: Literal["squash", "crop", "pad"] = parameter(
        "squash", "how: squash takes no heed of proportions, crop cuts the longer side off, pad leaves margins"
    )
    random_box: float | None = parameter(
        None,
        "train on random boxes, cut from the files themselves, of at least this share of the area; none: on all of it",
        range="(0, 1]",
    )
    test_fraction: float = parameter(
        0.2,
        "share of each class to test on, where no test images are given; 0: one image of each class that has two",
        range="[0, 1)",
    )
    split_seed: int = parameter(0, "draws which images those are", range="[0, inf)")
    memory: float = parameter(
        2.0, "GB that images may take while training; more are decoded anew for each batch", range="[0, inf)"
    )
    skip_unreadable: bool = parameter(False, "leave out images that cannot be read")
    background: Literal["white", "black"] = parameter(
        "white", "what lies behind transparent parts of an image, and in margins"
    )
    mean: str | None = parameter(
        None,
        "of red, green and blue scaled to 0..1, as in 0.485,0.456,0.406; none: of the training images",
        commas=True,
    )
    std: str | None = parameter(
        None, "standard deviations, as in 0.229,0.224,0.225; none: of the training images", commas=True
    )

    def __post_init__(self) -> None:
        _three_numbers(self.mean, "mean", lowest=0.0)
        _three_numbers(self.std, "std", lowest=1e-6)

    def read(self, path: Path, image_shape: tuple[int, int, int]) -> NDArray[np.uint8]:
        """
        Return an image file as the dataset shows it, uint8 (H, W, C), for an `image_shape` of (C, H, W).

        Raises:
            UnreadableError: it is no image that can be read.

        """
        return read_image(path, image_shape, self.background, FITS[self.resize])

    def assemble(
        self,
        train: list[Item],
        test: list[Item] | None,
        source: DatasetContext,
        notes: list[str],
        order: Sequence[str] = (),
    ) -> Data:
        """
        Look at all images, split off a test part where there is none, and return the data.

        Args:
            train: training images; where there is no test part, all images.
            test: test images, or None.
            source: is told how far it is.
            notes: what is to be told already.
            order: names of classes in the order that the source states, which they keep, so that its numbers stay
                right; names that it does not state come after, sorted.

        Raises:
            UserError: classes that do not agree, too few images, or unreadable ones that are not to be skipped.

        """
        items = [item._replace(label=unicodedata.normalize("NFC", item.label)) for item in (*train, *(test or []))]
        part = np.repeat([0, 1], [len(train), len(test or [])])
        classes = _check_classes(
            [item.label for item in items[: len(train)]],
            None if test is None else [item.label for item in items[len(train) :]],
        )
        stated = list(dict.fromkeys(unicodedata.normalize("NFC", name) for name in order))
        unused = [name for name in stated if name not in classes]
        classes = (*(name for name in stated if name in classes), *(name for name in classes if name not in stated))
        if unused:
            notes = [
                *notes,
                f"left out {len(unused):,} classes without a training image, so that those after them have lower "
                f"numbers: {shorten(unused)}",
            ]
        if test is None:
            self._check_can_be_split([item.label for item in items])
        notes = [*notes, *_about_names([item.label for item in (*train, *(test or []))])]
        background, fit = self.background, FITS[self.resize]
        seen = look_at(items, self.size, background, fit, self._fits(len(items)), source.progress)
        unreadable = {items[number].id: reason for number, reason in seen.reasons.items()}
        if unreadable:
            notes.append(self._left_out(unreadable, len(items)))
        notes += self._about_images(items, seen)
        good = np.array([number not in seen.reasons for number in range(len(items))])
        trained, tested = np.flatnonzero(good & (part == 0)), np.flatnonzero(good & (part == 1))
        if seen.reasons:
            left = [items[number].label for number in trained]
            tests = None if test is None else [items[number].label for number in tested]
            _check_classes(left, tests, before=classes)
            if test is None:
                self._check_can_be_split(left)
        labels = np.array([classes.index(item.label) for item in items], dtype=np.int64)
        if test is None:
            tested = self._draw_test(labels, trained)
            trained = np.setdiff1d(trained, tested)

        def split(chosen: Labels, random_box: float | None = None) -> Split:
            ids = np.array([items[number].id for number in chosen])
            files = [items[number].path for number in chosen]
            paths = [file for file in files if isinstance(file, Path)]
            images: NDArray[np.uint8] | DecodingStore
            if random_box is not None:
                images = BoxesStore(files, self.size, background, fit, random_box)
            elif seen.images is not None:
                images = seen.images[chosen]
            else:
                images = DecodingStore(files, self.size, background, fit)
            digests = [seen.digests[number] for number in chosen]
            return Split(images, labels[chosen], ids, None, digests, paths if len(paths) == len(files) else None)

        digest = hashlib.sha256(f"{self.size} {classes}".encode())
        for chosen in (trained, tested):
            for number in chosen.tolist():
                digest.update(f"{items[number].id}\0{labels[number]}\0".encode() + seen.digests[number])
            digest.update(b"\0")
        if seen.images is None:
            notes.append(
                f"{int(good.sum()):,} images of {self.size}×{self.size} do not fit {self.memory:g} GB "
                "(--dataset.memory): they are decoded anew for each batch"
            )
        mean, std = moments(seen.sums[trained].sum(0), len(trained) * self.size**2)
        return Data(
            train=split(trained, self.random_box),
            test=split(tested, self.random_box if test is None else None),  # an audit trains on all of a whole
            classes=classes,
            mean=_three_numbers(self.mean, "mean") or mean,
            std=_three_numbers(self.std, "std") or std,
            fingerprint=digest.hexdigest(),
            notes=tuple(notes),
            unreadable=unreadable,
            whole=test is None,
        )

    def _fits(self, count: int) -> bool:
        return COPIES * 3 * self.size**2 * count <= self.memory * 1e9

    def _check_can_be_split(self, labels: Sequence[str]) -> None:
        """Raise where a class has no image for a test part, or where no class has one."""
        counts = Counter(labels)
        single = [name for name in in_order(labels) if counts[name] == 1]
        if single and (self.test_fraction or len(single) == len(counts)):
            raise UserError(
                f"These classes have one image only, so none can be split off for testing: {shorten(single)}. Add "
                "images or remove the class, or give test images of their own."
            )

    def _draw_test(self, labels: Labels, positions: Labels) -> Labels:
        """Return the sorted positions to test on: of each class `test_fraction`, but one at least and never all."""
        tested = []
        for label in np.unique(labels[positions]).tolist():
            members = positions[labels[positions] == label]
            count = min(max(round(self.test_fraction * len(members)), 1), len(members) - 1)
            tested.append(np.random.default_rng([self.split_seed, label]).permutation(members)[:count])
        return np.sort(np.concatenate(tested))

    def _left_out(self, unreadable: Mapping[str, str], count: int) -> str:
        """Return what is to be told of images that are left out; raise where they are not to be."""
        what = shorten([f"{name} ({reason})" for name, reason in unreadable.items()], "; ")
        if not self.skip_unreadable:
            raise UserError(
                f"{len(unreadable):,} of {count:,} images cannot be read: {what}. Repair or remove them, or leave them "
                "out with --dataset.skip_unreadable."
            )
        return f"left out {len(unreadable):,} of {count:,} images that cannot be read: {what}"

    def _about_images(self, items: Sequence[Item], seen: Seen) -> list[str]:
        """Return what is to be told of images that were read."""
        notes = []
        if seen.empty:
            other = "black" if self.background == "white" else "white"
            notes.append(
                f"{len(seen.empty):,} of {len(items):,} images are of one colour only, transparent parts being "
                f"{self.background} (--dataset.background {other}): {shorten([items[n].id for n in seen.empty])}"
            )
        if seen.warnings:
            what = shorten([f"{items[number].id} ({text})" for number, text in seen.warnings.items()], "; ")
            notes.append(f"{len(seen.warnings):,} of {len(items):,} images were read with a warning: {what}")
        return notes


def in_order(names: Sequence[str]) -> tuple[str, ...]:
    """Return names of classes without repetition, sorted: as numbers where all are, else as text."""
    numbers = all(name.isdecimal() and len(name) < 100 for name in names)
    return tuple(sorted(set(names), key=lambda name: (int(name) if numbers else 0, name)))


def _about_names(names: Sequence[str]) -> list[str]:
    """Return what is to be told of names of classes that are written in several ways."""
    forms, alike = defaultdict(set), defaultdict(set)
    for name in set(names):
        one = unicodedata.normalize("NFC", name)
        forms[one].add(name)
        alike["".join(unicodedata.normalize("NFKC", one).casefold().split())].add(one)
    same = sorted(repr(name) for name, written in forms.items() if len(written) > 1)
    notes = [f"one class each, though written in several forms of Unicode: {shorten(same)}"] if same else []
    similar = [" and ".join(map(repr, sorted(group))) for group in alike.values() if len(group) > 1]
    if similar:
        notes.append(f"classes whose names look alike, taken as different ones: {shorten(sorted(similar), '; ')}")
    return notes


def _check_classes(train: list[str], test: list[str] | None, before: tuple[str, ...] | None = None) -> tuple[str, ...]:
    """Return the classes, which must be at least two, and the same in both parts."""
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
    return classes


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
