"""Folders that are made for what a command writes: whether they can be, and what to type where not."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from nlcore.errors import UserError


def is_one_of(path: Path, files: Iterable[Path]) -> bool:
    """Tell whether a path leads to one of several files, whatever they are called."""
    wanted = path.absolute()
    return any(file.absolute() == wanted or (path.exists() and file.exists() and path.samefile(file)) for file in files)


def nearest(path: Path) -> Path:
    """
    Return a path where something is there, else the nearest of the folders above it that is there.

    Raises:
        OSError, ValueError: there could be no such path.

    """
    return next(place for place in (path, *path.absolute().parents) if place.exists())


def check_writable(folder: Path, option: str) -> None:
    """
    See that a folder may be written to.

    Args:
        folder: that is there.
        option: gives another one.

    Raises:
        UserError: it may not.

    """
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UserError(f"There is no permission to write to {folder}. Choose another folder with {option}.")


def make_folder(path: Path, option: str) -> None:
    """
    Make a folder where there is none.

    Args:
        path: of the folder.
        option: gives another one.

    Raises:
        UserError: it cannot be made.

    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        raise cannot_be_made(path, error, option) from None


def cannot_be_made(path: Path, error: OSError | ValueError, option: str) -> UserError:
    """Return what to say where a folder cannot be made."""
    return UserError(
        f"{path} cannot be made: {getattr(error, 'strerror', error)}. Choose another folder with {option}."
    )
