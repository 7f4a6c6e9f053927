"""What the user sees while a run goes on."""

from __future__ import annotations

import builtins
import io
from typing import Any

import pytest
from rich.console import Console

from nlcore.runs.terminal import Terminal, print_plan, seconds_in_words
from nlcore.training.observers import Start


def row(epoch: int, seconds_train: float, seconds_evaluation: float = 0.0) -> dict[str, Any]:
    """Return an epoch's metrics."""
    accuracies = {"test_accuracy": 0.5, "validation_accuracy": None, "memorised": 0.1}
    seconds = {"seconds_train": seconds_train, "seconds_evaluation": seconds_evaluation}
    return {"epoch": epoch, "train_loss": 1.0, **accuracies, **seconds}


def started(epochs: int, evaluated: int = 0, done: int = 0) -> Terminal:
    """Return a terminal that follows a run."""
    terminal = Terminal()
    terminal.start(Start({"data": "digits"}, epochs, done, evaluated, ("--preset quick",)))
    return terminal


def test_durations() -> None:
    assert [seconds_in_words(seconds) for seconds in (42, 720, 8280)] == ["42 s", "12 min", "2.3 h"]


def test_the_estimate_leaves_out_what_the_first_steps_wait_for(capsys: pytest.CaptureFixture[str]) -> None:
    """Ten seconds of set-up, then ten steps a second: 10 epochs of 600 steps take about 600 seconds."""
    terminal = started(epochs=10)
    terminal.progress(1, 1, 600, 10.0, 10.0)
    assert "about" not in capsys.readouterr().err
    terminal.progress(1, 41, 600, 410 / 14, 14.0)
    assert "about 10 min at 29 training images/s" in capsys.readouterr().err


def test_the_estimate_counts_evaluation(capsys: pytest.CaptureFixture[str]) -> None:
    """600 steps of 10 images take 60 s; 18,000 images are evaluated in 60 s more, at three times the speed."""
    terminal = started(epochs=10, evaluated=18_000)
    terminal.progress(1, 10, 600, 100.0, 1.0)
    terminal.progress(1, 50, 600, 100.0, 5.0)
    assert "about 20 min" in capsys.readouterr().err


def test_an_estimate_that_was_wrong_is_said_again(capsys: pytest.CaptureFixture[str]) -> None:
    terminal = started(epochs=10)
    terminal.progress(1, 10, 600, 100.0, 1.0)
    terminal.progress(1, 50, 600, 100.0, 5.0)
    assert "about 10 min at" in capsys.readouterr().err
    terminal.epoch(row(1, 62))
    terminal.epoch(row(2, 65))
    assert "about" not in capsys.readouterr().err  # within a third
    terminal.epoch(row(3, 200))
    assert "about 23 min more" in capsys.readouterr().err
    terminal.epoch(row(4, 200))
    assert "about" not in capsys.readouterr().err


def test_short_epochs_are_estimated_once_the_first_is_over(capsys: pytest.CaptureFixture[str]) -> None:
    terminal = started(epochs=1002, done=2)
    terminal.progress(3, 10, 10, 50.0, 2.5)
    terminal.epoch(row(3, 2.5))
    assert "about" not in capsys.readouterr().err
    terminal.progress(4, 10, 10, 500.0, 0.2)
    terminal.epoch(row(4, 0.2, 0.1))
    said = capsys.readouterr().err
    assert "about 5 min at 500 training images/s" in said
    assert "quicker" not in said


def test_a_long_run_is_told_what_is_quicker(capsys: pytest.CaptureFixture[str]) -> None:
    terminal = started(epochs=100)
    terminal.epoch(row(1, 70))
    assert "quicker: --preset quick" in capsys.readouterr().err


def test_a_short_run_needs_no_estimate(capsys: pytest.CaptureFixture[str]) -> None:
    terminal = started(epochs=3)
    for epoch in (1, 2, 3):
        terminal.progress(epoch, 10, 10, 500.0, 1.0)
        terminal.epoch(row(epoch, 1.0))
    assert "about" not in capsys.readouterr().err


def test_a_path_in_the_plan_is_never_cut() -> None:
    path = "runs/" + "-".join(["a_rather_long_name"] * 8)
    written = io.StringIO()
    words = "digits: 1,442 training images and a path to somewhere/else/where/there/is/more/to/be/read"
    print_plan({"data": words, "run": path}, Console(file=written, force_terminal=True, width=40, no_color=True))
    *folded, last = written.getvalue().splitlines()
    assert last == f"\x1b[1mrun   \x1b[0m{path}"  # the name alone is bold
    folded = [line[-34:].strip() for line in folded]
    assert "".join(folded).replace(" ", "") == words.replace(" ", "")


class ZMQInteractiveShell:
    """The shell of a notebook's kernel, by whose name it is known."""


@pytest.fixture
def _notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make this a notebook."""
    monkeypatch.setattr(builtins, "get_ipython", ZMQInteractiveShell, raising=False)


@pytest.mark.usefixtures("_notebook")
def test_a_notebook_gets_plain_lines_and_one_that_is_overwritten(capsys: pytest.CaptureFixture[str]) -> None:
    terminal = started(epochs=2)
    for step in (5, 10):
        terminal.progress(1, step, 10, 500.0, 1.0)
    terminal.epoch(row(1, 1.0))
    terminal.stop()
    first, second = "epoch 1/2  50%  500 images/s", "epoch 1/2  100%  500 images/s"
    line = "epoch 1/2  loss 1.0000  test 50.00%  wrong labels memorised 10.00%  (1.0 s)\n"
    shown = capsys.readouterr()
    assert shown.err == ""
    assert shown.out == f"data  digits\n\r{first}\r{second}\r{' ' * len(second)}\r{line}"


@pytest.mark.usefixtures("_notebook")
def test_a_quiet_run_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    terminal = Terminal(quiet=True)
    terminal.start(Start({"data": "digits"}, 2, 0, 0))
    terminal.progress(1, 5, 10, 500.0, 1.0)
    terminal.epoch(row(1, 100.0))
    assert capsys.readouterr() == ("", "")


@pytest.mark.usefixtures("_notebook")
def test_only_what_takes_long_gets_a_bar(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    now, shown = 0.0, ""
    monkeypatch.setattr("nlcore.runs.terminal.time.perf_counter", lambda: now)
    terminal = Terminal()
    for second in range(5):
        now = float(second)
        terminal.progress_of(25 * second, 100, "reading images")
        shown += capsys.readouterr().out
        assert ("reading images  75%  75 of 100" in shown) == (second >= 3)
    assert shown.endswith("\r")  # taken away
    now = 100.0
    terminal.progress_of(1, 2, "something else")
    assert capsys.readouterr().out == ""


def test_a_pipe_gets_no_bar(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(0, 1000, 10))
    monkeypatch.setattr("nlcore.runs.terminal.time.perf_counter", lambda: float(next(clock)))
    terminal = Terminal()
    for done in range(4):
        terminal.progress_of(done, 4, "reading images")
    assert capsys.readouterr().err == ""
