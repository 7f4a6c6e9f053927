"""
Memory that a CPU's networks take again and again stays with the process.

The C library of most Linux systems, glibc, asks the system for each block of more than some megabytes and gives it back
when it is freed. So the system clears every activation of every step anew, page by page: 190,000 pages in a step of a
ResNet-18 of width 64 on 128 images in float32, a seventh of its time (docs/performance.md). For that the process holds
up to a fifth more than it needs at once.
"""

from __future__ import annotations

import contextlib
import ctypes
import sys
from collections.abc import Iterator
from typing import Any

import torch

# mallopt(3): the option's number, what it is here, and glibc's own value
_TRIM_THRESHOLD = (-1, 2**31 - 1, 64 * 1024**2)  # free bytes at the heap's end that are given back
_MMAP_MAX = (-4, 0, 65_536)  # blocks that may lie outside the heap


@contextlib.contextmanager
def keeping_memory(device: torch.device) -> Iterator[None]:
    """Keep memory that is freed, where this device is a CPU and the C library glibc; give it back in the end."""
    library = _glibc() if device.type == "cpu" else None
    if library is None:
        yield
        return
    for option, here, _ in (_TRIM_THRESHOLD, _MMAP_MAX):
        library.mallopt(option, here)
    try:
        yield
    finally:
        for option, _, usual in (_TRIM_THRESHOLD, _MMAP_MAX):
            library.mallopt(option, usual)
        library.malloc_trim(0)


def _glibc() -> Any:
    if sys.platform != "linux":
        return None
    library = ctypes.CDLL(None)
    return library if hasattr(library, "mallopt") and hasattr(library, "malloc_trim") else None
