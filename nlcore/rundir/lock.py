"""One writer for each run directory, wherever the second one comes from."""

from __future__ import annotations

import contextlib
import json
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from nlcore.errors import UserError
from nlcore.rundir import durable


@contextlib.contextmanager
def locked(directory: Path, report: Callable[[str], None]) -> Iterator[None]:
    """
    Hold a run directory inside; the operating system lets go of it when the process dies, however it dies.

    Args:
        directory: of the run; it exists.
        report: is told of a lock that was left by a dead process.

    Raises:
        UserError: another process holds it.
        RunError: nothing can be written there.

    """
    lock, owner = FileLock(directory / ".lock"), directory / ".owner.json"
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise UserError(f"{directory} is being written to by {_describe(owner)}. Wait for it, or stop it.") from None
    except OSError as error:
        raise durable.cannot_write(directory / ".lock", error) from error
    try:
        if owner.exists():
            report(f"{directory}: taken over from {_describe(owner)}, which is no longer running")
        try:
            owner.write_text(json.dumps({"host": socket.gethostname(), "pid": os.getpid()}))
        except OSError as error:
            raise durable.cannot_write(owner, error) from error
        yield
    finally:
        with contextlib.suppress(OSError):
            owner.unlink(missing_ok=True)
        lock.release()


def _describe(owner: Path) -> str:
    try:
        who = json.loads(owner.read_text())
        return f"process {who['pid']} on {who['host']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"
