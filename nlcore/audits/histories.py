"""
Histories of trainings: how far ahead the given label was in each epoch.

    m_ei = z_y − max_{k ≠ y} z_k        of sample i in epoch e: the mean over the steps that showed it to a network

These are the margins of the training's own steps, of augmented images and before the step, as Pleiss et al. 2020
(arXiv:2001.10528, section 3) and Toneva et al. 2019 (arXiv:1812.05159, section 3) take them: no image is predicted for
them. A row is kept before the epoch's checkpoint is, so a run that is killed and goes on has them all.
"""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nlcore.rundir.arrays import read_arrays, write_arrays
from nlcore.training.observers import Observer, Start

if TYPE_CHECKING:
    from torch import Tensor

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


def recorded(run: Path, file: Path, ids: dict[str, int], epochs: int) -> Matrix | None:
    """
    Return what a finished run has recorded, in the order of an audit's samples.

    Args:
        run: its folder.
        file: of its `Recorder`.
        ids: the place of each of N samples.
        epochs: that it was trained for.

    Returns:
        float32 (epochs, N), NaN where an epoch has not shown a sample to the network; None where epochs are missing.

    """
    known = read_arrays(file)
    if known is None or len(known["margins"]) < epochs:
        return None
    found = np.full((epochs, len(ids)), np.nan, np.float32)
    found[:, [ids[str(sample)] for sample in _labels(run)["ids"].tolist()]] = known["margins"][:epochs]
    return found


def shown_in_each_epoch(margins: Matrix | None) -> bool:
    """Return whether each epoch of a training, (E, N), has shown some sample; not where none was recorded."""
    return margins is not None and not bool(np.isnan(margins).all(1).any())


class Histories:
    """
    The histories of several trainings as one: the mean over those that have seen the sample.

    A network that an epoch did not show a sample is taken to hold of it what it held before.
    """

    def __init__(self, samples: int) -> None:
        self._sums: NDArray[np.float64] | None = None
        self._counts = np.zeros(samples)
        self.complete = True

    def add(self, margins: Matrix | None) -> None:
        """Take the margins of one training, (E, N); None where they were not recorded."""
        if margins is None:
            self.complete = False
            return
        held = margins.copy()
        for before, row in itertools.pairwise(held):
            np.copyto(row, before, where=np.isnan(row))
        for after, row in itertools.pairwise(held[::-1]):  # before it was shown for the first time
            np.copyto(row, after, where=np.isnan(row))
        seen = ~np.isnan(held[0])
        if self._sums is None:
            self._sums = np.zeros(held.shape)
        self._sums[:, seen] += held[:, seen]
        self._counts += seen

    def margins(self, otherwise: NDArray[np.floating]) -> Matrix | None:
        """
        Return the mean margins, float32 (E, N), or None where a training has recorded none.

        Args:
            otherwise: (N,), for samples that no network was trained on.

        """
        if self._sums is None or not self.complete or not self._counts.any():
            return None
        mean = self._sums / np.maximum(self._counts, 1)
        found: Matrix = np.where(self._counts > 0, mean, otherwise).astype(np.float32)
        return found


def _labels(run: Path) -> dict[str, NDArray[np.generic]]:
    """Return ids and given labels of a run's training samples, in its order."""
    known = read_arrays(run / "labels.npz")
    assert known is not None  # a run writes it before its first epoch
    return known
