"""What is warned of while image files are read, by whatever thread: kept by file, or dropped."""

from __future__ import annotations

import contextlib
import threading
import warnings
from collections.abc import Iterator
from typing import Any

_thread = threading.local()  # .path: the file that this thread reads


@contextlib.contextmanager
def reading(path: object) -> Iterator[None]:
    """Say which file, or image within one, this thread reads inside."""
    before, _thread.path = _path(), path
    try:
        yield
    finally:
        _thread.path = before


@contextlib.contextmanager
def collected_warnings() -> Iterator[dict[object, str]]:
    """
    Keep what is warned of while `read_image` reads inside, in whatever thread, by file; nothing of it is printed.

    Not to be used in two threads at once: Python keeps the way of warnings for all of them.
    """
    found: dict[object, str] = {}
    with warnings.catch_warnings():
        show = warnings.showwarning

        def keep(message: Warning | str, *about: Any, **more: Any) -> None:
            path = _path()
            if path is None:
                show(message, *about, **more)
            else:
                found[path] = " ".join(str(message).split())

        warnings.simplefilter("always")
        warnings.showwarning = keep
        yield found


class _Dropped:
    """
    Drops what is warned of while `read_image` reads inside, in whatever thread; several threads may be inside at once.

    For files whose warnings were told before. Filters stay as they are: with new ones Python shows again what it had
    shown once, in all threads, and so with each batch that is decoded.
    """

    def __init__(self) -> None:
        self._changing = threading.Lock()
        self._inside = 0
        self._show = warnings.showwarning

    def __enter__(self) -> None:
        with self._changing:
            if not self._inside:
                self._show = warnings.showwarning
                warnings.showwarning = self._show_of_others
            self._inside += 1

    def __exit__(self, *error: object) -> None:
        with self._changing:
            self._inside -= 1
            if not self._inside:
                warnings.showwarning = self._show

    def _show_of_others(self, *warning: Any, **more: Any) -> None:
        if _path() is None:
            self._show(*warning, **more)


#: ``with dropped_warnings:``
dropped_warnings = _Dropped()


def _path() -> object:
    path: object = getattr(_thread, "path", None)
    return path
