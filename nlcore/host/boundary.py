"""One boundary for other people's code: what a third party raises becomes a sentence that says whose it is."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from types import FrameType, TracebackType

from nlcore.errors import ComponentError, RunError, UserError
from nlcore.host.discovery import Entry, reason


@contextlib.contextmanager
def attributed(entries: Iterable[Entry]) -> Iterator[None]:
    """
    Turn what a third party's component raises inside into one sentence; all else is raised as it is.

    The innermost frame of the traceback that lies in a third party's package tells whose code it was. With
    ``NL_STRICT=1`` errors stay as they are.

    Args:
        entries: the components in use.

    Raises:
        ComponentError: names component, distribution, version and method.

    """
    try:
        yield
    except (UserError, RunError):
        raise
    except Exception as error:
        found = _culprit(error.__traceback__, [entry for entry in entries if not entry.builtin])
        if found is None or os.environ.get("NL_STRICT", "") == "1":
            raise
        entry, method = found
        whence = "a single file" if entry.version == "file" else f"version {entry.version}"
        raise ComponentError(
            f"The {entry.kind} {entry.full_name} ({whence}) failed in {method}: {reason(error).removesuffix('.')}."
        ) from error


def _culprit(trace: TracebackType | None, entries: list[Entry]) -> tuple[Entry, str] | None:
    """Return the component in whose package an error was raised, and the function."""
    frames: list[FrameType] = []
    while trace is not None:
        frames.append(trace.tb_frame)
        trace = trace.tb_next
    for frame in reversed(frames):
        module = str(frame.f_globals.get("__name__", ""))
        same = [entry for entry in entries if _package(entry) == module.partition(".")[0]]
        exact = [entry for entry in same if entry.component.target.partition(":")[0] == module]
        owner = _of_class(frame, exact or same)
        if owner:
            return owner, frame.f_code.co_qualname
    return None


def _of_class(frame: FrameType, entries: list[Entry]) -> Entry | None:
    """Return the entry whose class a method belongs to, else the first one."""
    cls = frame.f_code.co_qualname.partition(".")[0]
    named = [entry for entry in entries if entry.component.target.partition(":")[2] == cls]
    return next(iter(named or entries), None)


def _package(entry: Entry) -> str:
    return entry.component.target.partition(":")[0].partition(".")[0]
