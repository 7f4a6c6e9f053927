"""``nl`` as a function: the real entry point, in this process."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from nlcore.cli import main

TINY = ("--dataset", "digits", "--architecture.width", "4", "--epochs", "1", "--threads", "1", "--precision", "fp32")


@dataclass
class Outcome:
    """What a command leaves behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The last line of stdout, as JSON."""
        return json.loads(self.out.splitlines()[-1])


Nl = Callable[..., Outcome]


@pytest.fixture
def nl(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Nl:
    """Return a function that runs ``nl`` with these words."""

    def call(*words: str) -> Outcome:
        monkeypatch.setattr("sys.argv", ["nl", *words])
        capsys.readouterr()
        with pytest.raises(SystemExit) as exit_info:
            main()
        captured = capsys.readouterr()
        code = exit_info.value.code
        assert isinstance(code, int)
        return Outcome(code, captured.out, captured.err)

    return call


@pytest.fixture
def tiny() -> tuple[str, ...]:
    """Return the options of a run that takes about a second."""
    return TINY
