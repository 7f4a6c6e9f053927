r"""
Checkpoints: everything that training needs to go on, in one file an epoch.

    nlcore checkpoint 1\n<SHA-256 of the rest, in hexadecimal>\n<tensors and primitives, as torch saves them>

A file is whole or it is not used: its digest is checked before anything in it is looked at. It is read with
``weights_only=True`` and never otherwise, so that a file from elsewhere cannot run code. The two newest are kept; where
the newest is damaged, the one before it gives the same run, an epoch earlier.
"""

from __future__ import annotations

import hashlib
import io
import pickle
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from nlcore.errors import RunError
from nlcore.rundir import durable

_MAGIC = b"nlcore checkpoint 1\n"
_KEPT = 2


def save(directory: Path, epoch: int, state: Mapping[str, Any]) -> None:
    """
    Write the checkpoint of an epoch, then remove those that are no longer needed.

    Raises:
        RunError: it could not be written; the earlier ones are intact.

    """
    payload = io.BytesIO()
    torch.save(dict(state), payload)
    digest = hashlib.sha256(payload.getbuffer()).hexdigest()
    path = directory / _name(epoch)
    first = not _all(directory)
    durable.write(path, b"".join([_MAGIC, digest.encode(), b"\n", payload.getbuffer()]))
    if first:
        _check_readable(path)
    keep(directory, _KEPT)


def keep(directory: Path, count: int) -> None:
    """Remove all but the newest checkpoints."""
    for path in _all(directory)[count:]:
        path.unlink(missing_ok=True)


def load_newest(directory: Path, report: Callable[[str], None]) -> dict[str, Any] | None:
    """
    Return the newest whole checkpoint, None where there is none at all.

    Args:
        directory: of the run.
        report: is told of each damaged one that is passed over.

    Raises:
        RunError: there are some, and all are damaged.

    """
    paths = _all(directory)
    for path in paths:
        try:
            return _load(path)
        except (ValueError, OSError, pickle.UnpicklingError, RuntimeError, EOFError) as error:
            report(f"{path} is damaged and passed over: {' '.join(str(error).split())[:200]}")
    if paths:
        raise RunError(
            f"All checkpoints in {directory} are damaged, so the run cannot go on. "
            "Start over with the same 'nl run' and --fresh."
        )
    return None


def _check_readable(path: Path) -> None:
    """Find what cannot be read safely at the first checkpoint, not when it is needed."""
    try:
        _load(path)
    except pickle.UnpicklingError as error:
        path.unlink()
        raise RunError(
            "The state of a loss or a strategy holds more than tensors and primitives and cannot be restored safely: "
            f"{' '.join(str(error).split())[:200]}"
        ) from error


def _load(path: Path) -> dict[str, Any]:
    content = path.read_bytes()
    if not content.startswith(_MAGIC):
        raise ValueError("it does not begin as a checkpoint does")
    digest, payload = content[len(_MAGIC) : len(_MAGIC) + 64], memoryview(content)[len(_MAGIC) + 65 :]
    if hashlib.sha256(payload).hexdigest().encode() != digest:
        raise ValueError("its content does not match its digest")
    state: dict[str, Any] = torch.load(io.BytesIO(payload), map_location="cpu", weights_only=True)
    return state


def _name(epoch: int) -> str:
    return f"checkpoint-{epoch:06d}.pt"


def _all(directory: Path) -> list[Path]:
    """Return all checkpoints of a run, the newest first."""
    return sorted(directory.glob("checkpoint-*.pt"), reverse=True)
