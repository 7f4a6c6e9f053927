"""What is seen while a study goes on in a notebook: all of it in one output."""

from __future__ import annotations

import builtins
from typing import Any

import pytest

from nlcore.contracts import Outcome
from nlcore.studies.grid import Cell
from nlcore.studies.progress import Progress
from nlcore.studies.study import State


class ZMQInteractiveShell:
    """The shell of a notebook's kernel, by whose name it is known."""


def test_a_notebook_gets_plain_lines_and_one_that_is_overwritten(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(builtins, "get_ipython", ZMQInteractiveShell, raising=False)
    clock: Any = iter((0.0, 20.0, 30.0))
    monkeypatch.setattr("nlcore.studies.progress.time.monotonic", lambda: next(clock))
    cells = [Cell({"seed": seed}, ({"seed": seed},)) for seed in (1, 2)]
    with Progress([State(cell, None) for cell in cells], quiet=False) as progress:
        for cell in cells:
            progress.ended(cell, Outcome("failed", None, "no memory"))
    first, second = (f"{number}/2  seed {number}  failed: no memory\n" for number in (1, 2))
    left = "1 of 2 runs, about 20 s left"
    shown = capsys.readouterr()
    assert shown.err == ""
    assert shown.out == f"{first}\r{left}\r{' ' * len(left)}\r{second}"
