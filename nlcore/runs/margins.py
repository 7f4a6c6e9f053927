"""
The margins that a training goes through: how far ahead the given label was in each epoch.

    m_ei = z_y − max_{k ≠ y} z_k        of sample i in epoch e: the mean over the steps that showed it to a network

These are the margins of the training's own steps, of augmented images and before the step, as Pleiss et al. 2020
(arXiv:2001.10528, section 3) and Toneva et al. 2019 (arXiv:1812.05159, section 3) take them: no image is predicted for
them. A row is kept before the epoch's checkpoint is, so a run that is killed and goes on has them all.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nlcore.config.experiment import Experiment
from nlcore.errors import UserError
from nlcore.rundir.arrays import read_arrays, write_arrays
from nlcore.training.observers import Observer, Start

if TYPE_CHECKING:
    from torch import Tensor

#: The file of a run that was told to keep them.
MARGINS = "margins.npz"

Matrix = NDArray[np.float32]


class Recorder(Observer):
    """Follows one run and keeps the margins of its training samples: ``margins``, float32 (epochs, n), in a file."""

    def __init__(self, run: Path, file: Path) -> None:
        self._run, self._file = run, file

    def start(self, start: Start) -> None:
        """Take up what was recorded before, and have each step's predictions from now on."""
        import torch

        self._given = torch.from_numpy(_labels(self._run)["given"])
        known = read_arrays(self._file)
        rows = np.zeros((0, len(self._given)), np.float32) if known is None else known["margins"]
        self._rows: list[Matrix] = [*rows[: start.done]]
        write_arrays(self._file, {"margins": rows[: start.done]})  # from now on the run is one that keeps them
        self._sums, self._counts = torch.zeros(2, len(self._given))
        start.watch(self._add)

    def progress(self, epoch: int, step: int, steps: int, images_per_second: float, elapsed: float) -> None:
        """Keep an epoch's margins after its last step; NaN for samples that it has not shown to a network."""
        if step < steps:
            return
        shown = self._counts > 0
        row = (self._sums / self._counts).where(shown, float("nan"))
        self._rows.append(row.cpu().numpy())
        self._sums.zero_()
        self._counts.zero_()
        write_arrays(self._file, {"margins": np.stack(self._rows)})

    def _add(self, logits: Tensor, index: Tensor) -> None:
        if self._sums.device != logits.device:  # before the first step: a captured one writes where it did
            self._given, self._sums, self._counts = (
                one.to(logits.device) for one in (self._given, self._sums, self._counts)
            )
        given = self._given[index][:, None]
        z = logits.float()
        margins = z.gather(1, given)[:, 0] - z.scatter(1, given, -float("inf")).amax(1)
        self._sums.index_add_(0, index, margins)
        self._counts.index_add_(0, index, margins.new_ones(len(margins)))


def recorder_of(experiment: Experiment, run: Path) -> list[Recorder]:
    """Return what keeps a run's margins, where it is told to or has begun to."""
    file = run / MARGINS
    return [Recorder(run, file)] if experiment.storage.histories or file.exists() else []


def refuse_without_history(experiment: Experiment) -> None:
    """
    See that a run which is to keep its margins has some.

    Raises:
        UserError: the strategy mixes images or replaces labels, or shows its losses nothing.

    """
    strategy = experiment["strategy"]
    reason = getattr(strategy.sample, "no_history", "")
    if experiment.storage.histories and reason:
        raise UserError(
            f"histories: the strategy {strategy.name} does not tell how far the given label of each image is ahead: "
            f"{reason}. Choose another --strategy, or leave --histories out."
        )


def recorded(run: Path, file: Path, ids: dict[str, int], epochs: int) -> Matrix | None:
    """
    Return what a finished run has recorded, in the order of an audit's samples.

    Args:
        run: its folder.
        file: of its `Recorder`.
        ids: the place of each of N samples, which need not be all of the run's.
        epochs: that it was trained for.

    Returns:
        float32 (epochs, N), NaN where an epoch has not shown a sample to the network; None where epochs are missing.

    """
    known = read_arrays(file)
    if known is None or len(known["margins"]) < epochs:
        return None
    found = np.full((epochs, len(ids)), np.nan, np.float32)
    named = [str(sample) for sample in _labels(run)["ids"].tolist()]
    rows = [row for row, sample in enumerate(named) if sample in ids]
    found[:, [ids[named[row]] for row in rows]] = known["margins"][:epochs, rows]
    return found


def _labels(run: Path) -> dict[str, NDArray[np.generic]]:
    """Return ids and given labels of a run's training samples, in its order."""
    known = read_arrays(run / "labels.npz")
    assert known is not None  # a run writes it before its first epoch
    return known
