"""
Images that lists name, as the official archives of large data sets come: the lists, and what of them is on the disk.

A list is read once and a folder listed once, so that a million files take seconds. What is kept of an image is its name
and its label, in arrays.
"""

from __future__ import annotations

import os
import stat
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nlcore import UserError
from nlcore.contracts import DatasetContext, Labels
from nlcore.toolbox import printable, read_text
from nlcore_builtins.datasets import official
from nlcore_builtins.tables import shorten


@dataclass(frozen=True)
class Listed(Sequence[Path]):
    """
    N images by their names; as a sequence, their files, each path made when it is asked for.

    Attributes:
        folder: what the names are relative to.
        names: (N,) text, with slashes.
        labels: int64 (N,).

    """

    folder: Path
    names: NDArray[np.str_]
    labels: Labels

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, position: int) -> Path:  # type: ignore[override]
        return self.folder / str(self.names[position])

    def only(self, kept: NDArray[np.bool_]) -> Listed:
        """Return those where `kept`, bool (N,), is true."""
        return self if kept.all() else Listed(self.folder, self.names[kept], self.labels[kept])

    @property
    def folders(self) -> list[Path]:
        """The folders that the files are in, sorted."""
        return sorted(self.folder / one for one in {name.rpartition("/")[0] for name in self.names})


def listed(folder: Path, names: Sequence[str], labels: Sequence[int]) -> Listed:
    """Return images by names and labels, N of each."""
    return Listed(folder, np.array(names, dtype=np.str_), np.array(labels, dtype=np.int64))


def find(
    source: DatasetContext, given: str | None, title: str, home: str, *layouts: str, option: str = "folder"
) -> Path:
    """
    Return the folder of a data set that is not downloaded here.

    Args:
        source: where it is looked for.
        given: the folder that the user gave, or None.
        title: the data set's name.
        home: where it is to be had.
        layouts: what its folder is called.
        option: the parameter that gives it.

    Raises:
        UserError: it is not there.

    """
    if given is not None:
        if not Path(given).is_dir():
            raise UserError(f"{title}: there is no folder {given}. Give the right one with --dataset.{option} PATH.")
        return Path(given)
    found = official.find(source.directory, *layouts)
    if found is None:
        raise UserError(
            f"{title} is not there: no {' and no '.join(layouts)} in {source.directory}. It has to be fetched by hand "
            f"({home}): unpack it as {source.directory / layouts[0]}, or give its folder with --dataset.{option} PATH."
        )
    return found


def read_lines(path: Path, title: str) -> list[str]:
    """
    Return the lines of an official list, without spaces at their ends and without empty ones at its end.

    Raises:
        UserError: there is no such list, or it is no text.

    """
    try:
        lines = [line.strip() for line in read_text(path).rstrip().splitlines()]
    except FileNotFoundError:
        raise UserError(
            f"{title} is incomplete: there is no {path}, which the official archive holds. Unpack it there."
        ) from None
    except UnicodeDecodeError:
        raise UserError(f"{title}: {path} is no text in UTF-8. Unpack the official one there.") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{title}: {path} cannot be read: {getattr(error, 'strerror', error)}.") from None
    if not lines:
        raise UserError(f"{title}: {path} is empty. Unpack the official one there.")
    return lines


def read_names(path: Path, title: str, count: int, header: str = "") -> tuple[str, ...]:
    """
    Return the names of the classes, a line each, in the official order, without the line that is the header.

    Raises:
        UserError: there are not `count` different ones.

    """
    names = [line for line in read_lines(path, title) if line != header]
    if len(names) != count or len(set(names)) != count or not all(names):
        raise UserError(f"{title}: {path} does not name {count} different classes, one a line.")
    return tuple(names)


def read_labelled(path: Path, title: str, num_classes: int) -> Iterator[tuple[str, int]]:
    """
    Yield the names of a list whose lines are a name and the number of a class.

    Raises:
        UserError: a line is something else, or the list is not there.

    """
    wrong = []
    for number, line in enumerate(read_lines(path, title), 1):
        name, _, label = line.rpartition(" ")
        if name and label.isdecimal() and len(label) < 10 and int(label) < num_classes:
            yield name.rstrip(), int(label)
        else:
            wrong.append(f"line {number} ({printable(line)[:60]})")
    if wrong:
        raise UserError(
            f"{title}: {path} is to hold a path and a class from 0 to {num_classes - 1} in each line, and does not: "
            f"{shorten(wrong)}. Unpack the official one there."
        )


def refuse_twice(names: Sequence[str], title: str, where: Path) -> None:
    """
    Check that a list names no image twice.

    Raises:
        UserError: it does.

    """
    if len(set(names)) == len(names):
        return
    twice = [name for name, count in Counter(names).items() if count > 1]
    raise UserError(f"{title}: {where} names {len(twice):,} images more than once: {shorten(twice)}.")


def bytes_of(images: Listed, progress: Callable[[int, int, str], None]) -> NDArray[np.int64]:
    """
    Return how many bytes the files have, int64 (N,), 0 where there is no regular file; each folder is listed once.

    Args:
        images: whose files are looked for.
        progress: is told how many are looked up, of how many, and what.

    """
    found = np.zeros(len(images), dtype=np.int64)
    places: dict[str, list[int]] = defaultdict(list)
    for number, name in enumerate(images.names):
        places[name.rpartition("/")[0]].append(number)
    done = 0
    for folder, numbers in places.items():
        there = _listing(images.folder / folder)
        for number in numbers:
            found[number] = there.get(str(images.names[number]).rpartition("/")[2], 0)
        done += len(numbers)
        progress(done, len(images), "files looked up")
    return found


def _listing(folder: Path) -> dict[str, int]:
    """Return the bytes of the regular files in a folder by name; nothing where it cannot be listed."""
    sizes = {}
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                try:
                    status = entry.stat()
                except OSError:  # a link that leads nowhere
                    continue
                if stat.S_ISREG(status.st_mode):
                    sizes[entry.name] = status.st_size
    except (OSError, ValueError):
        return {}
    return sizes
