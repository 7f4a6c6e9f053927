"""
What lies in a tar: found by its headers alone, so that images are read in place later, each by itself.

A whole tar ends in a block of 512 zero bytes. One that does not was cut off, in the middle of a download or otherwise.
"""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

from nlcore import UserError
from nlcore.toolbox import UnreadableError

_BLOCK = 512
#: What decompresses a file, by the bytes that it starts with.
_COMPRESSED = {b"\x1f\x8b": "gunzip", b"\x28\xb5\x2f\xfd": "unzstd", b"\xfd7zXZ\0": "unxz", b"BZh": "bunzip2"}


@dataclass(frozen=True)
class InTar:
    """
    A file within a tar.

    Attributes:
        tar: the tar.
        name: of the file, as the tar has it.
        offset, size: where its content is, in bytes.

    """

    tar: Path
    name: str
    offset: int
    size: int

    def __str__(self) -> str:
        """Return its name and the tar's."""
        return f"{self.tar.name}:{self.name}"

    def content(self) -> bytes:
        """Return its bytes, fewer where the tar has become shorter."""
        with self.tar.open("rb") as file:
            file.seek(self.offset)
            return file.read(self.size)

    def open(self, mode: Literal["rb"]) -> BinaryIO:
        """Return it as a file; raise `UnreadableError` where the tar has become shorter."""
        content = self.content()
        if len(content) < self.size:
            raise UnreadableError("the tar has become shorter")
        return io.BytesIO(content)


def members(tar: Path) -> Iterator[InTar]:
    """
    Yield the regular files in a tar, in its order.

    Raises:
        UserError: there is no such tar, it is compressed or none, or it was cut off.

    """
    count = 0
    try:
        with tarfile.open(tar, "r:") as opened:
            for member in opened:
                if member.isreg() and not member.issparse():
                    count += 1
                    yield InTar(tar, member.name, member.offset_data, member.size)
                opened.members.clear()  # type: ignore[attr-defined]  # or it keeps all
            end = opened.offset
        whole = _ends(tar, end)
    except FileNotFoundError:
        raise UserError(f"There is no file {tar}.") from None
    except tarfile.TarError as error:
        if not count:
            raise UserError(f"{tar} is no tar that can be read in place: {error}.{_advice(tar)}") from None
        whole = False
    except (OSError, ValueError) as error:
        raise UserError(f"{tar} cannot be read: {getattr(error, 'strerror', error)}.") from None
    if not whole:
        raise UserError(f"{tar} was cut off or is damaged: it breaks off after {count:,} files. Fetch it again.")


def _advice(tar: Path) -> str:
    """Return what to do about a file that is no tar: decompress it where it starts as compressed files do."""
    with tar.open("rb") as file:
        start = file.read(max(map(len, _COMPRESSED)))
    tool = next((tool for magic, tool in _COMPRESSED.items() if start.startswith(magic)), None)
    return "" if tool is None else f" It is compressed: decompress it first, with {tool}."


def _ends(tar: Path, offset: int) -> bool:
    """Tell whether a tar has its end there."""
    with tar.open("rb") as file:
        file.seek(offset, os.SEEK_SET)
        return file.read(_BLOCK) == bytes(_BLOCK)
