"""Arrays and tables, written in one piece: a reader finds the old file or the new one."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlcore.rundir import durable


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write a .npz file."""
    content = io.BytesIO()
    np.savez(content, **arrays)  # type: ignore[arg-type]
    durable.write(path, content.getbuffer())


def read_arrays(path: Path) -> dict[str, NDArray[Any]] | None:
    """Return the arrays of a file that `write_arrays` has written; None where there is none that can be read."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError, TypeError, AttributeError, zipfile.BadZipFile):  # or one array by itself
        return None


def write_rows(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a CSV file."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")  # what ends lines is what it quotes
    writer.writerow(columns)
    writer.writerows(rows)
    durable.write(path, text.getvalue().encode())
