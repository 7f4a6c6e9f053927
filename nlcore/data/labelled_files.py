"""Image files with the names of their classes: one folder per class, or a table of path and label."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from nlcore.data.image_files import IMAGE_SUFFIXES, list_images, visible
from nlcore.data.tables import path_in_table, read_table, refuse_missing
from nlcore.errors import UserError


def labelled_files(place: Path, classes: Collection[str] = ()) -> list[tuple[Path, str]]:
    """
    Return image files and the names of their classes, in a fixed order and none twice.

    Args:
        place: a folder with a folder for each class, or a CSV with the columns path and label.
        classes: that there are; what tools write for a missing label may be the name of one.

    Raises:
        UserError: no such place, no images in it, or a CSV that lacks a path or a label.

    """
    return _in_table(place, classes) if place.suffix.lower() == ".csv" and not place.is_dir() else _in_folders(place)


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


def _in_table(table: Path, classes: Collection[str]) -> list[tuple[Path, str]]:
    """Return the images that a CSV lists, with the names of their classes; paths are relative to its folder."""
    rows = read_table(table, ["path", "label"], "Name another one.", spaced=True)
    if not rows:
        raise UserError(f"{table} lists no images: it has no line after the first.")
    lines = [(where.removeprefix("line "), row) for where, row in rows]
    refuse_missing(table, "path", [(line, row["path"]) for line, row in lines])
    refuse_missing(table, "label", [(line, row["label"]) for line, row in lines if row["label"] not in classes])
    files: dict[Path, str] = {}
    for where, row in rows:
        path = table.parent / path_in_table(table, row["path"])
        if path in files:
            raise UserError(f"{table}, {where}: {row['path']} stands there twice.")
        files[path] = row["label"]
    return list(files.items())
