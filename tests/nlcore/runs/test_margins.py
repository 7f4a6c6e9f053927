"""The margins that a training goes through: by the formula, over epochs, after a stop."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from helpers import Rows, make_data, make_trainer, prepared, squares
from numpy.typing import NDArray
from torch import Tensor

from nlcore.checks.replay import ReplayedCalls
from nlcore.runs.margins import Recorder, recorded
from nlcore.testing.toy import Plain
from nlcore.training.capture import StepCapture
from nlcore.training.observers import Start

GIVEN = np.array([0, 2, 1, 1])
IDS = ("b", "d", "a", "c")  # in the run's order


def margins_of(logits: NDArray[np.float32], given: NDArray[np.int64]) -> list[float]:
    """Return z_y − max_{k ≠ y} z_k of each row."""
    return [z[y] - max(np.delete(z, y)) for z, y in zip(logits, given, strict=True)]


def begun(run: Path, done: int = 0) -> tuple[Recorder, Callable[[Tensor, Tensor], None]]:
    """Return a recorder that a run has told of its start, and what shows it a step."""
    run.mkdir(exist_ok=True)
    np.savez(run / "labels.npz", ids=np.array(IDS), given=GIVEN)
    watchers: list[Callable[[Tensor, Tensor], None]] = []
    recorder = Recorder(run, run / "history.npz")
    recorder.start(Start({}, 3, done, 0, watch=watchers.append))
    return recorder, watchers[0]


def test_an_epochs_margins_are_the_formulas_and_samples_shown_twice_count_by_their_mean(tmp_path: Path) -> None:
    recorder, show = begun(tmp_path)
    z = np.random.default_rng(0).normal(size=(3, 4, 3)).astype(np.float32)
    show(torch.from_numpy(z[0, [2, 0]]), torch.tensor([2, 0]))
    show(torch.from_numpy(z[0, 1:2]), torch.tensor([1]))
    recorder.progress(1, 2, 2, 0, 0)
    for once in (1, 2):
        show(torch.from_numpy(z[once]), torch.arange(4))
    recorder.progress(2, 1, 2, 0, 0)  # within an epoch: nothing is kept yet
    recorder.progress(2, 2, 2, 0, 0)
    found = recorded(tmp_path, tmp_path / "history.npz", dict(zip("abcde", range(5), strict=True)), 2)
    assert found is not None
    one, two, three = (dict(zip(IDS, margins_of(part, GIVEN), strict=True)) for part in z)
    nan = float("nan")  # c was not shown in the first epoch, e is no sample of this run
    np.testing.assert_allclose(found[0], [one["a"], one["b"], nan, one["d"], nan], rtol=1e-5)
    np.testing.assert_allclose(found[1], [*((two[name] + three[name]) / 2 for name in "abcd"), nan], rtol=1e-5)


def test_epochs_that_come_again_after_a_stop_replace_what_was_kept_of_them(tmp_path: Path) -> None:
    first, show = begun(tmp_path)
    for epoch in (1, 2):
        show(torch.full((4, 3), 1.0), torch.arange(4))
        first.progress(epoch, 1, 1, 0, 0)
    second, show = begun(tmp_path, done=1)  # the second epoch had no checkpoint yet
    for epoch in (2, 3):
        show(torch.eye(3)[[0, 0, 0, 0]], torch.arange(4))
        second.progress(epoch, 1, 1, 0, 0)
    kept = recorded(tmp_path, tmp_path / "history.npz", dict(zip(IDS, range(4), strict=True)), 3)
    assert kept is not None
    assert kept.tolist() == [[0, 0, 0, 0], [1, -1, -1, -1], [1, -1, -1, -1]]
    assert recorded(tmp_path, tmp_path / "history.npz", {}, 4) is None  # an epoch is missing
    assert recorded(tmp_path, tmp_path / "nothing.npz", {}, 1) is None


class _Watched(Rows):
    """An observer that hands a training to a recorder as a run does."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__()
        self.progress = recorder.progress  # type: ignore[method-assign]


def test_steps_that_are_captured_and_replayed_leave_the_same_margins(tmp_path: Path) -> None:
    """On the stand-in for a CUDA graph, which runs no Python of a step again."""
    data = prepared(make_data(*squares(96)))
    found = []
    for name, captured in (("alone", False), ("captured", True)):
        run = tmp_path / name
        run.mkdir()
        np.savez(run / "labels.npz", ids=data.train.ids, given=data.train.labels)
        trainer = make_trainer(Plain(), data, epochs=6)
        trainer.ctx.optimizers.lr_as_tensor = True
        if captured:
            trainer.capture = StepCapture(trainer.strategy, trainer.ctx, ReplayedCalls)
        recorder = Recorder(run, run / "history.npz")
        recorder.start(Start({}, 6, 0, 0, watch=trainer.ctx.watchers.append))
        trainer.run([_Watched(recorder)])
        known = recorded(run, run / "history.npz", {str(one): place for place, one in enumerate(data.train.ids)}, 6)
        assert known is not None
        assert np.isfinite(known).all()
        found.append(known)
    np.testing.assert_array_equal(found[1], found[0])
    assert len({row.tobytes() for row in found[0]}) == 6  # the network changes
