"""What an epoch iterates, and what a step is given: passes and their batches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

VIEWS = ("weak", "strong", "plain")
SOURCES = ("train", "trusted")


@dataclass(frozen=True)
class Pass:
    """
    One pass over training samples.

    Where a run limits the batches of its epochs (``--epoch-batches``), so many are taken of each pass: of `indices` the
    first ones in the pass's order, of all N samples some that are drawn anew for the pass.

    Attributes:
        indices: int64 (M,), positions to visit, in which a position may occur more than once; a bool mask (N,) stands
            for the positions where it is true. None for all N.
        batch_size: None for the run's. A last batch of one image joins the one before, so that a batch may have one
            more: tables for a step need room for ``batch_size + 1``.
        views: the views of each image that a batch holds, by name: ``weak`` and ``strong`` (what these are is the
            run's choice, ``--augmentation`` and ``--strong``) or ``plain``. A number stands for that many weak ones.
            Views of one name are drawn independently.
        shuffle: whether the order is drawn anew.
        label: whatever the strategy wants to find in its batches, such as which network this pass trains; hashable, as
            steps of each value are captured for themselves.
        source: ``train``, or ``trusted``: the images whose true labels the method is told (``--trusted``); `indices`
            are positions among these then.
        paired: another pass, whose batches come along (`Batch.paired`) and which starts over, shuffled anew, when it is
            used up. Where it is empty, `Batch.paired` is None.

    Raises:
        ValueError: views or a source that are none, or indices that are not int64 positions.

    """

    indices: Tensor | None = None
    batch_size: int | None = None
    views: int | tuple[str, ...] = 1
    shuffle: bool = True
    label: Any = None
    paired: Pass | None = None
    source: str = "train"

    def __post_init__(self) -> None:
        if self.indices is not None:
            object.__setattr__(self, "indices", _positions(self.indices))
        unknown = [name for name in self.view_names if name not in VIEWS]
        if unknown or not self.view_names:
            wrong = unknown[0] if unknown else self.views
            raise ValueError(f"Pass: there is no view {wrong!r}; views are {', '.join(VIEWS)}.")
        if self.source not in SOURCES:
            raise ValueError(f"Pass: there is no source {self.source!r}; sources are {', '.join(SOURCES)}.")

    @property
    def view_names(self) -> tuple[str, ...]:
        """The views by name, in order."""
        return ("weak",) * self.views if isinstance(self.views, int) else tuple(self.views)


@dataclass(frozen=True)
class Batch:
    """
    What a step is given; everything is on the training device.

    Attributes:
        views: normalised images, float32 (B, C, H, W), one tensor for each view that the pass asked for, in order.
        targets: the given labels, int64 (B,); the true ones of trusted images.
        index: positions in the pass's source, int64 (B,).
        step: int64 (1,), counts the steps of this epoch from 0, over all its passes; see `row`.
        label: the pass's.
        paired: the batch of the pass that is paired with this one; its `step` is this one's.

    """

    views: tuple[Tensor, ...]
    targets: Tensor
    index: Tensor
    step: Tensor
    label: Any = None
    paired: Batch | None = None

    @property
    def images(self) -> Tensor:
        """The first view."""
        return self.views[0]

    def row(self, table: Tensor) -> Tensor:
        """
        Return this step's row of a table that was drawn in ``begin_epoch``, without asking the device.

        The table has a row for every step of the epoch, over all its passes in order.
        """
        return table.index_select(0, self.step).squeeze(0)


def _positions(indices: Any) -> Tensor:
    """Return positions as int64 (M,), those of a mask where it is true."""
    import torch

    tensor = torch.as_tensor(indices)
    if tensor.dtype == torch.bool and tensor.ndim == 1:
        return tensor.nonzero().flatten()
    if tensor.ndim != 1 or tensor.dtype != torch.int64:
        raise ValueError(
            f"Pass: indices must be int64 positions (M,) or a bool mask (N,), not {tensor.dtype} {tuple(tensor.shape)}."
        )
    return tensor
