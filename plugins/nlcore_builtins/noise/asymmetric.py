"""
Asymmetric noise: labels are taken for those of a similar class (Patrini et al. 2017, arXiv:1609.03683).

    T[i, j] = (1 − r) [i = j] + r [j = m(i)]        a class that the map m leaves alone stays right

So over ten classes with five in the map, "40 %" makes 20 % of all labels wrong. Maps of the literature:

    cifar10             truck → automobile, bird → airplane, deer → horse, cat ↔ dog
    mnist               7 → 1, 2 → 7, 5 ↔ 6, 3 → 8
    cifar100_superclass each class → the next of its real superclass, in alphabetical order, the last one → the first
    cifar100_blocks     i → the next in its block of five indices. CIFAR-100's indices are alphabetical, so the blocks
                        (apple, aquarium_fish, baby, bear, beaver, ...) are no superclasses; most papers' code uses them

Flips go by the true label alone. Code that changes an array while it reads it sends cats to dogs and some of these dogs
back, so that 24 % of the cats are wrong and not 40 % (ELR's, SOP's and APL's does).

DivideMix draws int(N r) of all samples (``exact``); APL, of each class (``exact_per_class``); Patrini et al. and JoCoR
each sample by itself (``independent``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from nlcore import UserError, parameter
from nlcore.contracts import Labels, NoiseContext, NoiseInfo
from nlcore.toolbox import did_you_mean, read_text
from nlcore_builtins.noise import cifar100_superclasses as cifar100
from nlcore_builtins.noise.drawing import checked, choose, flipping

Classes = tuple[str, ...]

CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
DIGITS = tuple("0123456789")

#: Each map with the classes that it is for, in their order.
MAPS: Mapping[str, tuple[Classes, Mapping[int, int]]] = {
    "cifar10": (CIFAR10, {9: 1, 2: 0, 4: 7, 3: 5, 5: 3}),
    "mnist": (DIGITS, {7: 1, 2: 7, 5: 6, 6: 5, 3: 8}),
    "cifar100_superclass": (cifar100.CLASSES, cifar100.next_in_superclass()),
    "cifar100_blocks": (cifar100.CLASSES, {i: i // 5 * 5 + (i + 1) % 5 for i in range(100)}),
}
AUTO = ("cifar10", "mnist", "cifar100_superclass")


@dataclass(frozen=True)
class Asymmetric:
    """
    Asymmetric noise: labels are taken for those of a similar class, as a map says.

    T[i, j] = (1 − r) [i = j] + r [j = m(i)]; classes that are not in the map stay right, so that 40 % on CIFAR-10 make
    20 % of all labels wrong. The map is one of the literature's or any other: ``9:1,2:0`` or ``cat:dog,dog:cat``.
    ``cifar100_superclass`` goes by CIFAR-100's real superclasses, ``cifar100_blocks`` by blocks of five indices, as
    most papers' code does. Patrini et al. 2017.
    """

    rate: float = parameter(0.4, "r, the fraction of a mapped class's labels that flip", range="[0, 1]")
    map: str = parameter(
        "auto",
        "auto (by the names of the classes), cifar10, mnist, cifar100_superclass, cifar100_blocks, or any as 9:1,2:0",
        commas=True,
    )
    file: str | None = parameter(None, "a text file with any map instead, one from:to a line", path=True)
    draws: Literal["exact", "exact_per_class", "independent"] = parameter(
        "exact", "a fixed number of all samples, one of each class, or each sample by itself"
    )

    def __post_init__(self) -> None:
        if self.file is not None and self.map != "auto":
            raise ValueError("the map stands in a file or in map, not in both. Leave one of them out.")

    def corrupt(
        self, labels: Labels, num_classes: int, rng: np.random.Generator, data: NoiseContext | None = None
    ) -> Labels:
        """
        Return the given labels, int64 (N,), as a new array.

        Args:
            labels: true labels, int64 (N,), 0..K-1.
            num_classes: K.
            rng: the only source of randomness.
            data: for the names of the classes, where the map goes by them.

        Raises:
            UserError: no map for these classes, or one with a class that is not there.
            ValueError: labels outside 0..K-1.

        """
        given = checked(labels, num_classes)
        targets = self._targets(num_classes, data.classes if data else None)
        if targets is None:
            raise UserError("asymmetric: the map goes by the names of the classes, so give them (data=...).")
        flipped = choose(given, self.rate, self.draws, rng)
        given[flipped] = targets[labels[flipped]]
        return given

    def declared(self, num_classes: int, classes: Classes | None = None) -> NoiseInfo:
        """
        Return the expected fraction of wrong labels and T.

        Without the names of the classes, a map that goes by them gives the fraction alone.

        Raises:
            UserError: as `corrupt`.

        """
        targets = self._targets(num_classes, classes)
        if targets is None:
            moved = len(self._map_text().split(",")) if self.map != "auto" or self.file else 5  # of either map of ten
            return NoiseInfo(self.rate * moved / num_classes)
        T = flipping(targets, self.rate)
        return NoiseInfo(float(1 - np.trace(T) / num_classes), T)

    def _targets(self, num_classes: int, classes: Classes | None) -> Labels | None:
        """Return m, int64 (K,), with m(i) = i for classes that stay; None where it needs names that are not given."""
        name = self.map
        if self.file is None and name == "auto":
            fitting = [known for known in AUTO if _fits(known, num_classes, classes)]
            if len(fitting) > 1:
                return None
            if not fitting:
                raise UserError(
                    f"asymmetric: there is no map of the literature for these {num_classes} classes"
                    f"{_in_words(classes)}. Give one: --noise.map 0:1,1:0."
                )
            name = fitting[0]
        if self.file is None and name in MAPS:
            if not _fits(name, num_classes, classes):
                raise UserError(
                    f"asymmetric: map = {name} is for {len(MAPS[name][0])} classes{_in_words(MAPS[name][0])}; "
                    f"here are {num_classes}{_in_words(classes)}. Give another: --noise.map 0:1,1:0."
                )
            pairs: Mapping[int, int] | None = MAPS[name][1]
        else:
            pairs = _parse(self._map_text(), self.file or "noise.map", num_classes, classes)
        if pairs is None:
            return None
        targets = np.arange(num_classes)
        targets[list(pairs)] = list(pairs.values())
        return targets

    def _map_text(self) -> str:
        """Return the map as text, its entries separated by commas."""
        text = self.map
        if self.file is not None:
            try:
                text = read_text(Path(self.file))
            except FileNotFoundError:
                raise UserError(f"There is no file {self.file}, so no map.") from None
            except (OSError, ValueError) as error:
                raise UserError(f"{self.file} cannot be read as a map: {error}.") from None
        return ",".join(entry.strip() for entry in re.split(r"[,\r\n]", text) if entry.strip())


def _fits(name: str, num_classes: int, classes: Classes | None) -> bool:
    return num_classes == len(MAPS[name][0]) if classes is None else classes == MAPS[name][0]


def _parse(text: str, where: str, num_classes: int, classes: Classes | None) -> dict[int, int] | None:
    """Return a map from text; None where it names classes whose names are not known."""
    pairs: dict[int, int] = {}
    for entry in text.split(","):
        words = [word.strip() for word in entry.split(":")]
        if len(words) != 2 or not all(words):
            near = "" if ":" in entry else did_you_mean(entry, ["auto", *MAPS])
            raise UserError(
                f"{where}: {entry!r} is not of the form from:to.{near} A map is one of auto, {', '.join(MAPS)}, "
                "or any as 9:1,2:0 or cat:dog."
            )
        if classes is None and not all(word.isdecimal() for word in words):
            return None
        source, target = (_number(word, where, num_classes, classes) for word in words)
        if source in pairs:
            raise UserError(f"{where}: class {words[0]} stands there twice; each class has one target.")
        if source == target:
            raise UserError(f"{where}: {entry!r} takes a class for itself; leave out what stays.")
        pairs[source] = target
    return pairs


def _number(word: str, where: str, num_classes: int, classes: Classes | None) -> int:
    if word.isdecimal() and len(word) < 10 and int(word) < num_classes:
        return int(word)
    if classes and word in classes:
        return classes.index(word)
    raise UserError(
        f"{where}: there is no class {word!r}.{did_you_mean(word, classes or ())} There are {num_classes}, by number "
        f"0..{num_classes - 1} or by name{_in_words(classes)}."
    )


def _in_words(classes: Classes | None) -> str:
    """Return the first few names in brackets."""
    return f" ({', '.join(classes[:10])}{', ...' if len(classes) > 10 else ''})" if classes else ""
