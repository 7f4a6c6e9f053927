"""
Tables of images, as Hugging Face's libraries and others write them: Parquet files and Arrow streams.

A column holds images as they were encoded, JPEG and the like: as binary, as a struct of bytes and path, or as paths.
Another holds labels: whole numbers or text. Where the table says what its numbers are called (Hugging Face's
``ClassLabel``), these names are the classes. Arrow streams stay on the disk and are mapped into memory; of a Parquet
file the encoded images are held.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal

from nlcore import UserError
from nlcore.toolbox import ImageFile, UnreadableError, refuse_missing
from nlcore_builtins.datasets.decoding import Item
from nlcore_builtins.tables import shorten


@dataclass(frozen=True, eq=False)
class ImageInRow:
    """
    An image in a table.

    Attributes:
        column: a pyarrow array of binary; None where the row has nothing.
        row: where in it.
        name: what the image is called.

    """

    column: Any
    row: int
    name: str

    def __str__(self) -> str:
        """Return its name."""
        return self.name

    def open(self, mode: Literal["rb"]) -> BinaryIO:
        """Return the encoded image as a file; raise `UnreadableError` where the row has none."""
        content = None if self.column is None else self.column[self.row].as_buffer()
        if content is None:
            raise UnreadableError("the row has no image")
        return io.BytesIO(content)


def images_in(
    files: Sequence[Path], root: Path, image: str, label: str, called: Sequence[str] | None = None
) -> tuple[list[Item], Sequence[str]]:
    """
    Return the images of tables, in their order, and the names of their classes in the order of their numbers.

    Ids are a file's path and the row, from 0: ``train/a.parquet:17``. No names are returned where none are stated.

    Args:
        files: Parquet files, or Arrow streams, which end in ``.arrow``.
        root: the folder that paths in ids are relative to.
        image: the column of images.
        label: the column of labels.
        called: the names of labels that are numbers; None: as the files say, else the numbers.

    Raises:
        UserError: a file is no such table, lacks a column, or has labels that are missing or have no name.

    """
    items: list[Item] = []
    order: Sequence[str] = called or ()
    for file in files:
        table, where = _read(file, image, label), file.relative_to(root).as_posix()
        images = list(_images(file, where, table.column(image), image))
        names = called or _called(table.schema, label)
        order = order or names or ()
        labels = _labels(file, table.column(label), label, names)
        items += [Item(one, f"{where}:{row}", name) for row, (one, name) in enumerate(zip(images, labels, strict=True))]
    if not items:
        raise UserError(f"{shorten([str(file) for file in files])}: there are no rows.")
    return items, order


def names_in(features: Any, label: str) -> Sequence[str] | None:
    """Return what Hugging Face's description of columns says that labels are called, None where it says nothing."""
    about = features.get(label) if isinstance(features, dict) else None
    names = about.get("names") if isinstance(about, dict) else None
    return names if isinstance(names, list) and all(isinstance(name, str) and name for name in names) else None


def _read(file: Path, image: str, label: str) -> Any:
    """Return the two columns as a table of pyarrow's."""
    import pyarrow
    from pyarrow import parquet

    kind = "Arrow stream" if file.suffix == ".arrow" else "Parquet file"
    try:
        if file.suffix == ".arrow":
            table = pyarrow.ipc.open_stream(pyarrow.memory_map(str(file))).read_all()
            known = table.column_names
        else:
            known = parquet.read_schema(file).names
            table = parquet.read_table(file, columns=[one for one in (image, label) if one in known])
        table.validate(full=True)
    except FileNotFoundError:
        raise UserError(f"There is no file {file}.") from None
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(f"{file} is no {kind} that can be read: {reason[:200].rstrip('.')}.") from None
    for name, option in ((image, "image_column"), (label, "label_column")):
        if known.count(name) != 1:
            found = f"{known.count(name)} columns" if name in known else "no column"
            raise UserError(
                f"{file} has {found} {name}: it has {shorten(known)}. Name the right one with --dataset.{option} NAME."
            )
    return table.select([image, label])


def _images(file: Path, where: str, column: Any, name: str) -> Iterator[ImageFile]:
    """Yield the images of a column; paths are relative to the file's folder."""
    from pyarrow import types

    row = 0
    for chunk in column.chunks:
        parts = {"bytes": chunk}
        if types.is_struct(chunk.type):
            parts = dict(zip((field.name for field in chunk.type), chunk.flatten(), strict=True))
        elif _is_text(chunk.type):
            parts = {"path": chunk}
        encoded, path = parts.get("bytes"), parts.get("path")
        paths: Sequence[str | None] = [None] * len(chunk)
        if path is not None and _is_text(path.type):
            paths = path.to_pylist()
        if encoded is not None and types.is_null(encoded.type):
            encoded = None
        elif encoded is not None and not _is_binary(encoded.type):
            raise UserError(
                f"{file}: the column {name} holds {chunk.type} and no encoded images: binary, a struct of bytes and "
                "path, or paths. Name the right one with --dataset.image_column NAME."
            )
        for number, relative in enumerate(paths):
            if relative and (encoded is None or not encoded[number].is_valid):
                yield file.parent / relative
            else:
                yield ImageInRow(encoded, number, f"{where}:{row + number}")
        row += len(chunk)


def _is_text(kind: Any) -> bool:
    from pyarrow import types

    return bool(types.is_string(kind) or types.is_large_string(kind) or str(kind) == "string_view")


def _is_binary(kind: Any) -> bool:
    from pyarrow import types

    return bool(types.is_binary(kind) or types.is_large_binary(kind) or str(kind) == "binary_view")


def _labels(file: Path, column: Any, name: str, called: Sequence[str] | None) -> list[str]:
    """Return the names of the classes of all rows."""
    from pyarrow import types

    kind = column.type.value_type if types.is_dictionary(column.type) else column.type
    if not (types.is_integer(kind) or types.is_boolean(kind) or _is_text(kind)):
        raise UserError(
            f"{file}: the column {name} holds {kind} and no labels: whole numbers or text. Name the right one with "
            "--dataset.label_column NAME."
        )
    values = column.to_pylist()
    text = ["" if value is None else value if isinstance(value, str) else str(int(value)) for value in values]
    refuse_missing(file, "label", [(row, one) for row, one in enumerate(text)], where="row")
    if called is None or not types.is_integer(kind):
        return text
    wrong = [f"row {row} ({value})" for row, value in enumerate(values) if not 0 <= value < len(called)]
    if wrong:
        raise UserError(
            f"{file}: labels are to be from 0 to {len(called) - 1}, the {len(called)} classes that it names, and are "
            f"not in {shorten(wrong)}. A part whose labels are not told has -1: take another one."
        )
    return [called[value] for value in values]


def _called(schema: Any, label: str) -> Sequence[str] | None:
    """Return what a table says that its labels are called."""
    about = (schema.metadata or {}).get(b"huggingface", b"")
    try:
        info = json.loads(about).get("info")
    except (ValueError, AttributeError, RecursionError):
        return None
    return names_in(info.get("features") if isinstance(info, dict) else None, label)
