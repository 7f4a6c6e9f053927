"""How far a study is, and how long the rest takes by what was measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nlcore.contracts import Outcome
from nlcore.rundir.result import Result
from nlcore.studies.grid import Cell
from nlcore.studies.study import State, count, seconds_left


def state(loss: str, seed: int, status: str | None = None, seconds: float | None = None, epochs: int = 10) -> State:
    words = {"loss": loss, "seed": seed}
    cell = Cell(words, ({**words, "epochs": 10},))
    if status is None:
        return State(cell, None)
    components = {"loss": loss}
    return State(cell, Result(Path("runs/none"), status, components, seed, 1, epochs, seconds=seconds))


def test_the_rest_takes_what_runs_of_the_same_method_took() -> None:
    """Gce takes 2 s and 4 s an epoch, so 30 s for ten; elr is not measured and takes the mean of all, 4 s."""
    measured = [state("gce", 1, "done", 20.0), state("gce", 2, "done", 40.0), state("ce", 1, "done", 60.0)]
    assert seconds_left([*measured, state("gce", 3)], 1) == pytest.approx(30.0)
    assert seconds_left([*measured, state("elr", 1)], 1) == pytest.approx(40.0)
    assert seconds_left([*measured, state("gce", 3), state("elr", 1)], 2) == pytest.approx(35.0)
    assert seconds_left(measured, 2) == 0.0


def test_where_nothing_is_measured_nobody_knows() -> None:
    assert seconds_left([state("gce", 1)], 1) is None
    assert seconds_left([state("gce", 1, "diverged", 3.0)], 1) is None


def test_what_was_begun_lacks_fewer_epochs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(State, "epochs", property(lambda self: 0 if self.result is None else 6))
    assert seconds_left([state("gce", 1, "done", 20.0), state("gce", 2, "interrupted", 9.0)], 1) == pytest.approx(8.0)


def test_each_run_is_counted_by_how_far_it_is() -> None:
    every: list[Any] = [state("gce", 1, "done"), state("gce", 2, "diverged"), state("gce", 3, "interrupted")]
    every += [state("gce", 4, "failed"), state("gce", 5, "running"), state("gce", 6)]
    assert count(every) == "6 runs: 1 done, 1 diverged, 1 failed, 2 going on, 1 missing"
    assert [one.ended for one in every] == [True, True, False, False, False, False]
    crashed = State(every[5].cell, None, Outcome("failed", message="no space"))
    assert (crashed.word, crashed.message) == ("failed", "no space")
