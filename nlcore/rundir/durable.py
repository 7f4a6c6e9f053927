"""
Writing that survives being killed at any moment.

A file is written beside its place, forced to disk and renamed over the old one: a reader finds the old content or the
new, whatever happens in between. What is left of a killed write is removed by the next.
"""

from __future__ import annotations

import os
from pathlib import Path

from nlcore.errors import RunError


def write(path: Path, content: bytes | memoryview) -> None:
    """
    Replace a file by `content` in one piece.

    Raises:
        RunError: it could not be written; what was there before is intact.

    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        _sync_directory(path.parent)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise cannot_write(path, error) from error


def append(path: Path, line: str) -> None:
    """
    Add a line to a file and force it to disk.

    Raises:
        RunError: it could not be written; a part of the line may be.

    """
    try:
        with path.open("ab") as file:
            file.write(line.encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise cannot_write(path, error) from error


def remove_leftovers(directory: Path) -> None:
    """Remove what killed writes have left in a directory that nobody else writes to."""
    for leftover in directory.glob(".*.tmp"):
        leftover.unlink(missing_ok=True)


def cannot_write(path: Path, error: OSError) -> RunError:
    """Return the error for a file that could not be written."""
    return RunError(f"{path} could not be written: {error.strerror or error}.")


def _sync_directory(directory: Path) -> None:
    if os.name == "nt":  # there, directories cannot be opened and renames are not lost
        return
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
