"""
What is certain of a dataset before any model has seen it: files, copies, classes, colours and sizes.

The same pixels under two labels are an error whatever a model says, and a test image that is trained on too makes every
accuracy too high.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nlcore.audits.duplicates import find_duplicates
from nlcore.audits.looks import look
from nlcore.contracts import Data
from nlcore.errors import plural

#: A class with fewer training images is named.
HANDFUL = 5

#: A size is odd where width by height is so many times that of the median image, or as many times less,
ODD_SHAPE = 3.0
#: or where the shorter side is so many times shorter than that of the median image.
ODD_SIDE = 8.0

#: error: something is wrong; warning: something is probably wrong; note: good to know.
Severity: TypeAlias = Literal["error", "warning", "note"]


@dataclass(frozen=True)
class Finding:
    """
    Something that was found.

    Attributes:
        kind: what, in a word: ``unreadable``, ``contradicting``, ``leaked``, ``near_contradicting``, ``near_leaked``,
            ``repeated``, ``near_repeated``, ``small_class``, ``one_colour`` or ``odd_size``.
        severity: how bad it is.
        words: a sentence.
        groups: the ids of the samples, those together that are copies of each other; the names of small classes.
        lines: what to show of each group.

    """

    kind: str
    severity: Severity
    words: str
    groups: tuple[tuple[str, ...], ...]
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Checks:
    """
    What was found in a dataset.

    Attributes:
        findings: the worst first.
        same: int64 (N,), for each training image the number of its group of images with the same pixels, test images
            among them; 0 where it has no copy.
        near: int64 (N,), the same of images that look nearly the same.

    """

    findings: tuple[Finding, ...]
    same: NDArray[np.int64]
    near: NDArray[np.int64]


@dataclass(frozen=True)
class _Sample:
    part: str
    id: str
    label: str

    def __str__(self) -> str:
        return f"{self.id} ({self.label}{', test' if self.part == 'test' else ''})"


def check_data(
    data: Data,
    unreadable: Mapping[str, str] | None = None,
    sizes: Mapping[Any, tuple[int, int]] | None = None,
    progress: Callable[[int, int, str], None] = lambda done, total, what: None,
) -> Checks:
    """
    Return what is certain of a dataset.

    Args:
        data: as loaded; images in train and test have as many channels. Each is read once.
        unreadable: why files cannot be read, by id; they are not in `data`.
        sizes: width and height of files before they were resized, in pixels, by the id of the sample, where they are
            known.
        progress: is told how many images are done, of how many, and what.

    """
    splits = {"train": data.train, "test": data.test}
    samples = [
        _Sample(part, str(id_), data.classes[label])
        for part, split in splits.items()
        for id_, label in zip(split.ids.tolist(), split.labels.tolist(), strict=True)
    ]
    trained, total = len(data.train.labels), len(samples)
    looks = look(data.train.images, lambda done, _, what: progress(done, total, what))
    looks += look(data.test.images, lambda done, _, what: progress(trained + done, total, what))
    found = find_duplicates(looks)
    same, near = _groups(found.same), _groups(found.near)
    similar = [group for group in near if len({int(found.same[place]) for place in group}) > 1]
    findings = [
        *_unreadable(unreadable or {}),
        *_copies([[samples[place] for place in group] for group in same], near=False),
        *_copies([[samples[place] for place in group] for group in similar], near=True),
        *_small_classes(data),
        *_one_colour([samples[place] for place in np.flatnonzero(looks.one_colour)]),
        *_odd_sizes({str(id_): size for id_, size in (sizes or {}).items()}),
    ]
    order: Sequence[Severity] = ("error", "warning", "note")
    findings.sort(key=lambda one: order.index(one.severity))
    return Checks(tuple(findings), _numbers(same, trained), _numbers(near, trained))


def _groups(firsts: NDArray[np.int64]) -> list[list[int]]:
    """Return the positions of each group of two or more."""
    members = defaultdict(list)
    for place, first in enumerate(firsts.tolist()):
        members[first].append(place)
    return [group for group in members.values() if len(group) > 1]


def _numbers(groups: Sequence[Sequence[int]], count: int) -> NDArray[np.int64]:
    """Return the number of the group of each of the first `count` positions, from 1; 0 of those in none."""
    numbers = np.zeros(count, np.int64)
    for number, group in enumerate(groups, 1):
        for place in group:
            if place < count:
                numbers[place] = number
    return numbers


def _finding(kind: str, severity: Severity, words: str, groups: Sequence[Sequence[_Sample]]) -> Finding:
    return Finding(
        kind,
        severity,
        words,
        tuple(tuple(one.id for one in group) for group in groups),
        tuple(", ".join(map(str, group)) for group in groups),
    )


def _unreadable(reasons: Mapping[str, str]) -> list[Finding]:
    if not reasons:
        return []
    words = f"{plural(len(reasons), 'file')} cannot be read and {'is' if len(reasons) == 1 else 'are'} left out."
    lines = tuple(f"{id_}: {reason}" for id_, reason in reasons.items())
    return [Finding("unreadable", "error", words, tuple((id_,) for id_ in reasons), lines)]


def _copies(groups: Sequence[Sequence[_Sample]], near: bool) -> list[Finding]:
    """Return what groups of copies are: under several labels, in train and test, or neither."""
    prefix, what = ("near_", "look nearly the same") if near else ("", "have the same pixels")
    several = [group for group in groups if len({one.label for one in group}) > 1]
    parted = [group for group in groups if len({one.part for one in group}) > 1]
    others = [group for group in groups if group not in several and group not in parted]
    severities: tuple[Severity, Severity] = ("warning", "note") if near else ("error", "note")
    found = []
    if several:
        count = plural(sum(map(len, several)), "image")
        words = f"{count} in {plural(len(several), 'group')} {what} and have different labels."
        found.append(_finding(f"{prefix}contradicting", severities[0], words, several))
    if parted:
        tests = sum(one.part == "test" for group in parted for one in group)
        subject, verb = ("test image", "looks nearly like") if near else ("test image", "has the same pixels as")
        verb = verb if tests == 1 else {"looks nearly like": "look nearly like"}.get(verb, "have the same pixels as")
        words = f"{plural(tests, subject)} {verb} an image that is trained on: the accuracy on them says little."
        found.append(_finding(f"{prefix}leaked", severities[0], words, parted))
    if others:
        count = plural(sum(map(len, others)), "image")
        words = f"{count} in {plural(len(others), 'group')} {what} and have the same label."
        found.append(_finding(f"{prefix}repeated", severities[1], words, others))
    return found


def _small_classes(data: Data) -> list[Finding]:
    counts = np.bincount(data.train.labels, minlength=len(data.classes)).tolist()
    small = [(name, count) for name, count in zip(data.classes, counts, strict=True) if count < HANDFUL]
    if not small:
        return []
    words = f"{plural(len(small), 'class has', 'classes have')} fewer than {HANDFUL} training images."
    lines = tuple(f"{name}: {plural(count, 'image')}" for name, count in small)
    return [Finding("small_class", "warning", words, tuple((name,) for name, _ in small), lines)]


def _one_colour(samples: Sequence[_Sample]) -> list[Finding]:
    if not samples:
        return []
    words = f"{plural(len(samples), 'image is', 'images are')} of one colour only."
    return [_finding("one_colour", "warning", words, [[one] for one in samples])]


def _odd_sizes(sizes: Mapping[str, tuple[int, int]]) -> list[Finding]:
    if not sizes:
        return []
    width, height = np.array([*sizes.values()], dtype=float).T
    shape, side = np.log(width / height), np.minimum(width, height)
    odd = (np.abs(shape - np.median(shape)) > np.log(ODD_SHAPE)) | (side * ODD_SIDE < np.median(side))
    chosen = [(id_, size) for (id_, size), is_odd in zip(sizes.items(), odd, strict=True) if is_odd]
    if not chosen:
        return []
    words = (
        f"{plural(len(chosen), 'image has', 'images have')} an odd size; the median image is "
        f"{np.median(width):.0f}×{np.median(height):.0f}."
    )
    lines = tuple(f"{id_}: {wide}×{high}" for id_, (wide, high) in chosen)
    return [Finding("odd_size", "note", words, tuple((id_,) for id_, _ in chosen), lines)]
