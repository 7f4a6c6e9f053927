"""Image files with the names of their classes: one folder per class, or a table of path and label."""

from __future__ import annotations

from pathlib import Path

from nlcore.data.image_files import IMAGE_SUFFIXES, list_images, visible
from nlcore.data.tables import read_table
from nlcore.errors import UserError


def labelled_files(place: Path) -> list[tuple[Path, str]]:
    """
    Return image files and the names of their classes, in a fixed order and none twice.

    Args:
        place: a folder with a folder for each class, or a CSV with the columns path and label.

    Raises:
        UserError: no such place, or no images in it.

    """
    return _in_table(place) if place.suffix.lower() == ".csv" and not place.is_dir() else _in_folders(place)


def _in_folders(folder: Path) -> list[tuple[Path, str]]:
    """Return the images of a folder with a folder for each class, with the names of their classes."""
    folders, _ = visible(folder)
    files = [(file, one.name) for one in folders for file in list_images(one)[0]]
    if not files:
        endings = ", ".join(sorted(IMAGE_SUFFIXES & {".jpg", ".png", ".webp"}))
        raise UserError(
            f"{folder} holds no images in folders of classes, such as {folder}/cat/1.jpg. Images end in {endings} or "
            "another ending that Pillow reads."
        )
    return files


def _in_table(table: Path) -> list[tuple[Path, str]]:
    """Return the images that a CSV lists, with the names of their classes; paths are relative to its folder."""
    rows = read_table(table, ["path", "label"], "Name another one.")
    if not rows:
        raise UserError(f"{table} lists no images: it has no line after the first.")
    files: dict[Path, str] = {}
    for where, row in rows:
        if not (row["path"].strip() and row["label"].strip()):
            raise UserError(f"{table}, {where}: the path or the label is missing.")
        path = table.parent / row["path"]
        if path in files:
            raise UserError(f"{table}, {where}: {row['path']} stands there twice.")
        files[path] = row["label"].strip()
    return list(files.items())
