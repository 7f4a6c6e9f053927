"""
Real processes that end without warning, at every point of every write and at random, then go on.

Processes are forked from this one, which has everything imported: so a hundred of them take seconds.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import toy

import nlcore

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")

COMBINATIONS = [("elr", "standard"), ("cross_entropy", "mixup"), ("gce", "co_teaching")]
CRASHED = 137


@pytest.fixture(autouse=True)
def _toy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    toy.install(monkeypatch, tmp_path)


def run(name: str, loss: str, strategy: str) -> Path:
    """Run to the end, or go on to it."""
    return nlcore.run(
        quiet=True, name=name, **{**toy.SETTINGS, "loss": loss, "strategy": strategy, "epochs": 2}
    ).run_dir


def forked(work: Callable[[], Any]) -> int:
    """Do something in a process of its own; return the process."""
    process = os.fork()
    if process:
        return process
    code = 1
    try:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115
        work()
        code = 0
    finally:
        os._exit(code)


class Tripwire:
    """Ends the process at the n-th point: before and after each write (and half-way), fsync and rename."""

    def __init__(self, at: int | None = None, log: Path | None = None) -> None:
        self.at, self.log, self.passed = at, log, 0

    def point(self, name: str) -> None:
        """Pass a point, or end."""
        if self.log:
            with open(self.log, "a") as file:
                file.write(name + "\n")
        if self.passed == self.at:
            os._exit(CRASHED)
        self.passed += 1

    def arm(self) -> None:
        """Stretch the wire through everything that is written durably."""
        fsync, replace, opened = os.fsync, os.replace, Path.open

        def fsync_(descriptor: int) -> None:
            self.point("before fsync")
            fsync(descriptor)
            self.point("after fsync")

        def replace_(source: Any, target: Any) -> None:
            self.point(f"before rename {Path(target).name}")
            replace(source, target)
            self.point(f"after rename {Path(target).name}")

        def open_(path: Path, mode: str = "r", *rest: Any, **more: Any) -> Any:
            file = opened(path, mode, *rest, **more)
            return _Halting(file, path.name, self) if mode in ("wb", "ab") else file

        vars(os).update(fsync=fsync_, replace=replace_)
        Path.open = open_  # type: ignore[method-assign, assignment]


class _Halting:
    def __init__(self, file: Any, name: str, wire: Tripwire) -> None:
        self._file, self._name, self._wire = file, name, wire

    def write(self, content: Any) -> None:
        content = bytes(content)
        self._wire.point(f"before write {self._name}")
        self._file.write(content[: len(content) // 2])
        self._file.flush()
        self._wire.point(f"half-way through write {self._name}")
        self._file.write(content[len(content) // 2 :])
        self._file.flush()
        self._wire.point(f"after write {self._name}")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def __enter__(self) -> _Halting:
        return self

    def __exit__(self, *error: Any) -> None:
        self._file.close()


def crash(name: str, loss: str, strategy: str, at: int) -> bool:
    """Run in a process that ends at a point; return whether it got there."""

    def work() -> None:
        Tripwire(at).arm()
        run(name, loss, strategy)

    return os.waitstatus_to_exitcode(os.waitpid(forked(work), 0)[1]) == CRASHED


def points(loss: str, strategy: str) -> list[str]:
    """Return the names of all points that a run passes."""
    log = Path("points").absolute()

    def work() -> None:
        Tripwire(log=log).arm()
        run("counted", loss, strategy)

    assert os.waitpid(forked(work), 0)[1] == 0
    return log.read_text().splitlines()


@pytest.mark.slow
def test_a_crash_at_every_point_of_every_write() -> None:
    pair = COMBINATIONS[0]  # every method is written by the same code
    straight = toy.outcome(run("straight", *pair))
    names = points(*pair)
    for word in ("config.toml", "labels.npz", "metrics.jsonl", "checkpoint-000002.pt", "weights", "summary", "fsync"):
        assert any(word in name for name in names)
    for at in range(len(names)):
        assert crash(f"crash{at}", *pair, at), names[at]
        torn = run(f"crash{at}", *pair)
        assert toy.equal(straight, toy.outcome(torn)), names[at]
        assert not list(torn.glob(".*.tmp")), names[at]


def _kill_at_random(count: int, capsys: pytest.CaptureFixture[str]) -> None:
    seed = int(os.environ.get("NL_KILL_SEED") or random.SystemRandom().randrange(10**6))
    chance = random.Random(seed)
    with capsys.disabled():
        print(f"\n{count} random kills, NL_KILL_SEED={seed}")
    straights = {pair: toy.outcome(run(f"straight-{pair[0]}", *pair)) for pair in COMBINATIONS}
    start = time.monotonic()
    os.waitpid(forked(lambda: run("timed", *COMBINATIONS[0])), 0)
    length = time.monotonic() - start
    killed = number = 0
    while killed < count:
        pair = COMBINATIONS[number % len(COMBINATIONS)]
        name = f"killed{number}"
        process = forked(lambda name=name, pair=pair: run(name, *pair))  # type: ignore[misc]
        time.sleep(chance.uniform(0, length))
        os.kill(process, signal.SIGKILL)
        killed += os.WIFSIGNALED(os.waitpid(process, 0)[1])
        torn = run(name, *pair)
        assert toy.equal(straights[pair], toy.outcome(torn)), f"NL_KILL_SEED={seed}, kill {number}"
        number += 1
        assert number < 3 * count, "nearly every process was done before it could be killed"


@pytest.mark.slow
def test_random_kills(capsys: pytest.CaptureFixture[str]) -> None:
    _kill_at_random(25, capsys)


@pytest.mark.slow
@pytest.mark.skipif(os.environ.get("NL_LONG") != "1", reason="a few minutes; NL_LONG=1 runs it")
def test_many_random_kills(capsys: pytest.CaptureFixture[str]) -> None:
    _kill_at_random(200, capsys)
