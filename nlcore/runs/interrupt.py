"""The first Ctrl-C or SIGTERM ends a run cleanly, the second one at once."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Never

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextlib.contextmanager
def stoppable() -> Iterator[None]:
    """
    Raise KeyboardInterrupt inside at the first SIGINT or SIGTERM; leave the second to the operating system.

    Outside the main thread nothing is changed: Python does not allow it there.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: FrameType | None) -> Never:
        for one in _SIGNALS:
            signal.signal(one, signal.SIG_DFL)
        raise KeyboardInterrupt

    before = {one: signal.signal(one, stop) for one in _SIGNALS}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
