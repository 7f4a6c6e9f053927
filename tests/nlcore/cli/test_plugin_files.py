"""``nl --plugin FILE``: a method in a single file."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

METHOD = '''
from dataclasses import dataclass

import torch
from torch.nn import functional as F

from nlcore import Component, hookimpl, parameter

NLCORE_API = 1


@hookimpl
def nl_losses():
    return [Component("first_try", "first_try:FirstTry", "A first try.")]


@dataclass
class FirstTry:
    """Cross-entropy times a factor."""

    factor: float = parameter(1.0, "the factor", range="(0, inf)")

    def __call__(self, logits, targets, index=None):
        return self.factor * F.cross_entropy(logits.float(), targets, reduction="none")
'''


@pytest.fixture(autouse=True)
def _method(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Write the file into the working directory; forget it when the test ends."""
    monkeypatch.setenv("NL_PLUGIN_PATH", "")
    Path("first_try.py").write_text(METHOD)
    yield
    sys.modules.pop("first_try", None)


@pytest.mark.slow
def test_its_components_are_there_for_every_command(nl: Any, tiny: tuple[str, ...]) -> None:
    (row,) = nl("--plugin", "first_try.py", "list-plugins", "first*", "--json").json
    assert (row["name"], row["distribution"], row["version"]) == ("first_try", "first-try", "file")
    assert "the factor" in nl("--plugin", "first_try.py", "run", "--loss", "first_try", "--help").out
    done = nl("--plugin", "first_try.py", "run", *tiny, "--loss", "first_try", "--loss.factor", "2", "--json")
    assert (done.code, done.json["loss"]) == (0, "first_try")
    page = nl("show", "first_try")  # this process has been told already
    assert "Cross-entropy times a factor." in page.out
    assert str(Path("first_try.py").absolute()) in page.out


@pytest.mark.slow
def test_in_a_process_of_its_own_and_only_where_it_is_asked_for() -> None:
    command = [sys.executable, "-m", "nlcore"]
    for words, listed in ((["--plugin", "first_try.py"], 2), ([], 0)):
        asked = [*command, *words, "list-plugins", "first_try"]
        done = subprocess.run(asked, capture_output=True, text=True, check=False)
        assert len(done.stdout.splitlines()) == listed, done.stderr


def test_several_files(nl: Any) -> None:
    Path("second_try.py").write_text(METHOD.replace("first_try", "second_try"))
    rows = nl("--plugin", "first_try.py", "--plugin", "second_try.py", "list-plugins", "*_try", "--json").json
    assert [row["name"] for row in rows] == ["first_try", "second_try"]
    del sys.modules["second_try"]


@pytest.mark.parametrize("words", [("run", "--loss", "first_try"), ("list-plugins",), ("show", "gce")])
def test_a_file_that_does_not_work_stops_the_command(words: tuple[str, ...], nl: Any) -> None:
    Path("bad_try.py").write_text(METHOD.replace('"A first try."', '"A first try.", colour="red"'))
    refused = nl("--plugin", "bad_try.py", *words)
    assert (refused.code, refused.out) == (2, "")
    assert all(word in refused.err for word in ("bad_try.py", "TypeError", "doctor --traceback"))
    assert "Traceback" not in refused.err


def test_a_file_that_is_not_there(nl: Any) -> None:
    refused = nl("--plugin", "no_such_file.py", "table")
    assert refused.code == 2
    assert "no_such_file.py" in refused.err


def test_it_goes_before_the_command(nl: Any) -> None:
    for command in ("run", "list-plugins"):
        refused = nl(command, "--plugin", "first_try.py")
        assert refused.code == 2
        assert "before the command: nl --plugin FILE" in refused.err


@pytest.fixture
def without_it(nl: Any, tiny: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the directory of a run made with the file, in a process that no longer has it."""
    made = nl("--plugin", "first_try.py", "run", *tiny, "--loss", "first_try", "--name", "my run")
    assert made.code == 0
    monkeypatch.setenv("NL_PLUGIN_PATH", "")
    return Path("runs") / "my run"


@pytest.mark.slow
@pytest.mark.parametrize(("command", "more"), [("resume", ["--epochs", "2"]), ("predict", ["image.png"])])
def test_a_run_says_which_file_it_was_made_with(command: str, more: list[str], nl: Any, without_it: Path) -> None:
    """What the message says to type works when it is typed."""
    Image.new("L", (8, 8)).save("image.png")
    refused = nl(command, str(without_it), *more)
    assert refused.code == 2
    assert "no loss 'first_try'" in refused.err
    typed = shlex.split(refused.err[refused.err.index("nl --plugin") :].strip().rstrip("."))
    assert typed[:5] == ["nl", "--plugin", str(Path("first_try.py").absolute()), command, str(without_it)]
    assert nl(*typed[1:5], *more).code == 0


@pytest.mark.slow
def test_a_file_that_has_gone_is_told(nl: Any, without_it: Path) -> None:
    Path("first_try.py").rename("second_place.py")
    refused = nl("resume", str(without_it))
    assert refused.code == 2
    assert "no longer there" in refused.err


@pytest.mark.slow
def test_what_has_nothing_to_do_with_the_file_is_told_as_ever(nl: Any, without_it: Path) -> None:
    refused = nl("--plugin", "first_try.py", "resume", str(without_it), "--epochs", "many")
    assert refused.code == 2
    assert "epochs = many" in refused.err
    assert "--plugin" not in refused.err


def test_an_interrupted_run_says_how_to_go_on_with_it(
    nl: Any, tiny: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("nlcore.runs.terminal.Terminal.progress", stop)
    stopped = nl("--plugin", "first_try.py", "run", *tiny, "--loss", "first_try", "--name", "one")
    assert stopped.code == 130
    assert f"nl --plugin {shlex.quote(str(Path('first_try.py').absolute()))} resume runs/one" in stopped.err
