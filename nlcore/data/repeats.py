"""
Images that occur more than once: tested on though they were trained on, or under two labels.

Both are certain, not guessed: the pixels are the same to the last bit.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nlcore.contracts import Data, Split
from nlcore.errors import plural


@dataclass(frozen=True)
class Repeated:
    """
    One place where an image occurs that occurs in others, too.

    Attributes:
        group: the same number for the same pixels, from 1.
        part: ``train`` or ``test``.
        id: the sample's.
        label: the name of its class, as it comes with the dataset.

    """

    group: int
    part: str
    id: Any
    label: str


def find_repeats(data: Data) -> tuple[list[Repeated], list[str]]:
    """
    Return where images occur that are in train and test, or in train under several labels, and sentences on both.

    Args:
        data: as loaded. Images that a store decodes on demand are compared where the dataset gives their digests.

    """
    places: dict[bytes, list[tuple[str, int]]] = defaultdict(list)
    splits = {"train": data.train, "test": data.test}
    for part, split in splits.items():
        for position, digest in enumerate(_digests(split)):
            places[digest].append((part, position))
    leaked = contradicting = group = 0
    found: list[Repeated] = []
    for where in (where for where in places.values() if len(where) > 1):
        tests = sum(part == "test" for part, _ in where)
        labels = {int(data.train.labels[position]) for part, position in where if part == "train"}
        leaked += tests if labels else 0
        contradicting += len(where) - tests if len(labels) > 1 else 0
        if (tests and labels) or len(labels) > 1:
            group += 1
            found += [
                Repeated(group, part, splits[part].ids[n], data.classes[int(splits[part].labels[n])])
                for part, n in where
            ]
    said = []
    if leaked:
        said.append(f"{plural(leaked, 'test image is', 'test images are')} trained on, too (repeats.csv).")
    if contradicting:
        said.append(f"{plural(contradicting, 'training image')} occur under different labels (repeats.csv).")
    return found, said


def _digests(split: Split) -> Sequence[bytes]:
    if split.digests is not None:
        return split.digests
    if not isinstance(split.images, np.ndarray):
        return ()
    return [hashlib.blake2b(image.tobytes(), digest_size=16).digest() for image in split.images]
