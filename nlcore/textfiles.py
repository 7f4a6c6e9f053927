"""Text files as editors on any system write them, and paths as people write them."""

from __future__ import annotations

import codecs
import os
from pathlib import Path


def read_text(path: Path) -> str:
    """
    Return a file's text: UTF-8 with or without a byte order mark, or UTF-16.

    UTF-16 without a mark is known by its zero bytes, as text that begins with an ASCII letter has one in its first two.
    Line ends stay as they are.

    Raises:
        OSError: the file cannot be read.
        UnicodeDecodeError: it is no such text.

    """
    content = path.read_bytes()
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16")
    zeros = [byte == 0 for byte in content[:2]]
    if zeros in ([False, True], [True, False]):
        return content.decode("utf-16-le" if zeros[1] else "utf-16-be")
    return content.decode("utf-8-sig")


def expand_home(path: str) -> Path:
    """Return a path with ``~`` written out; one of a user that is not there stays as it is, and names no file."""
    return Path(os.path.expanduser(path))


class TextInFile(str):
    """A value that stands in a file: where it names another file, that is relative to the folder of this one."""

    __slots__ = ("folder",)

    folder: Path

    def __new__(cls, text: str, folder: Path) -> TextInFile:
        """Return `text` as it stands in a file of `folder`."""
        self = super().__new__(cls, text)
        self.folder = folder
        return self

    def __reduce__(self) -> tuple[type[TextInFile], tuple[str, Path]]:
        """Return what it is made from: it goes to other processes, too."""
        return TextInFile, (str(self), self.folder)
