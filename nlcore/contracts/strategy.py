"""What a strategy is: what happens in an epoch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from nlcore.contracts.noise import NoiseInfo

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn


@dataclass(frozen=True)
class Pass:
    """
    One walk over training samples.

    Attributes:
        indices: int64 (M,), positions to visit; None for all N.
        batch_size: None for the run's.
        views: how many independently augmented copies of each image a batch holds.
        augment: whether images are augmented; without it every view is the plain image.
        shuffle: whether the order is drawn anew.
        label: whatever the strategy wants to find in its batches, such as which network this pass trains; hashable, as
            steps of each value are recorded for themselves.
        beside: another pass, whose batches come along (`Batch.beside`) and which starts over when it is used up.

    """

    indices: Tensor | None = None
    batch_size: int | None = None
    views: int = 1
    augment: bool = True
    shuffle: bool = True
    label: Any = None
    beside: Pass | None = None


@dataclass(frozen=True)
class Batch:
    """
    What a step is given; everything is on the training device.

    Attributes:
        views: normalised images, float32 (B, C, H, W), as many as the pass asked for.
        targets: the given labels, int64 (B,).
        index: positions in the training set, int64 (B,).
        step: int64 (1,), counts the steps of this epoch from 0; see `row`.
        label: the pass's.
        beside: the batch of the pass beside this one.

    """

    views: tuple[Tensor, ...]
    targets: Tensor
    index: Tensor
    step: Tensor
    label: Any = None
    beside: Batch | None = None

    @property
    def images(self) -> Tensor:
        """The first view."""
        return self.views[0]

    def row(self, table: Tensor) -> Tensor:
        """Return this step's row of a table that was drawn in ``begin_epoch``, without asking the device."""
        return table.index_select(0, self.step).squeeze(0)


class StrategyContext(Protocol):
    """What a strategy is given in ``setup``: the facts of the run, and the makers of everything that is trained."""

    num_classes: int
    num_samples: int
    batch_size: int
    epochs: int
    given_labels: Tensor
    device: torch.device

    def declared_noise(self) -> NoiseInfo | None:
        """Return what the noise model declares. Asking marks the run as an oracle."""

    def network(self) -> nn.Module:
        """Return a new network on the device, in the run's precision; the engine saves, averages and evaluates it."""

    def loss(self, network: nn.Module) -> Any:
        """Return a new instance of the run's loss for this network, set up; its `observe` may always be called."""

    def optimizer(
        self, networks: nn.Module | Sequence[nn.Module], losses: Any = (), **overrides: Any
    ) -> torch.optim.Optimizer:
        """
        Return an optimiser over these networks and losses; its learning rate follows the run's schedule.

        It takes the place of one that was made before for the same networks.
        """

    def minimise(self, optimizer: torch.optim.Optimizer, objective: Tensor) -> Tensor:
        """Do one step on `objective` and its losses' penalties; return what was minimised, detached."""

    def predict(self, network: Callable[[Tensor], Tensor]) -> Tensor:
        """Return `network`'s logits (N, K) on the unaugmented training images, in evaluation mode."""

    def generator(self, purpose: str, epoch: int = 0) -> torch.Generator:
        """Return a CPU generator for this purpose and epoch; the same arguments give the same stream."""

    def steps(self, walk: Pass | None = None) -> int:
        """Return how many steps a pass takes; by default one over all samples."""


class Strategy(Protocol):
    """
    What happens in an epoch.

    Optional:
        ``begin_epoch(epoch)``: before the passes of each epoch, after the losses' own; draws its randomness ahead as
        device tensors.
        ``passes(epoch) -> Iterable[Pass]``: what is iterated; one shuffled pass over all samples by default.
        ``clean_probability() -> (N,)``: float, 0..1: how likely each given label is right, where it has an opinion.
        ``state_dict()`` and ``load_state_dict(state)``: what is not in networks, losses and optimisers; tensors and
        primitives, nothing else. Restored before them, so that optimisers that were made anew can be made anew again.
        ``refuses(loss) -> str | None``: why it makes no sense with this loss.
        ``capturable = True``: a step may be recorded once and replayed on a GPU. Then whatever changes from step to
        step is in tensors that stay where they are (``copy_``, ``fill_``), and none is asked for its value
        (``.item()``, ``if``, a mask as an index).
        ``variant(epoch)``: a value on which a step's Python depends, such as a phase of training; asked after
        ``begin_epoch``. Steps are recorded anew when it changes.
    """

    def setup(self, ctx: StrategyContext) -> None:
        """Make networks, losses and optimisers through the context."""

    def step(self, batch: Batch) -> Tensor:
        """Train on one batch, with fixed shapes; return the mean loss, a scalar on the device, detached."""

    def predict(self, images: Tensor) -> Tensor:
        """Return logits (B, K) for normalised images, in evaluation mode."""
