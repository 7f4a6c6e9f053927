"""
The five contracts, and the records that pass between the engine and the components.

Letters: B batch, K classes, N training samples, C/H/W channels, height, width. Labels are int64 and 0..K-1. Epochs
count from 1. A component has the methods of its protocol; those under "Optional" in its docstring are used where they
are there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray
    from torch import Tensor, nn

#: int64 (N,). A name for a type only: nothing is imported for it.
Labels: TypeAlias = "NDArray[np.int64]"

#: The methods that a class must have to fit its role; all others are optional.
REQUIRED: Mapping[str, tuple[str, ...]] = {
    "dataset": ("load",),
    "noise": ("corrupt",),
    "architecture": ("build",),
    "loss": ("__call__",),
    "strategy": ("setup", "step", "predict"),
}


# --------------------------------------------------------------------------------------------------- datasets


class ImageStore(Protocol):
    """Images of one size. An array of uint8 (N, H, W, C) is one too: it is wrapped by `nlcore.data.stores`."""

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W) of every image."""

    def __len__(self) -> int:
        """Return N."""

    def fetch(self, indices: Labels) -> NDArray[np.uint8]:
        """Return the images at these positions, uint8 (B, H, W, C)."""


@dataclass(frozen=True)
class Split:
    """
    One part of a dataset, train or test.

    Attributes:
        images: uint8 (N, H, W, C), or a store that decodes on demand.
        labels: int64 (N,), the labels that come with the dataset.
        ids: (N,) integers or strings, stable: they name a sample whatever subset is taken.
        clean: int64 (N,), the true labels where they are known (-1: not one of our classes), else None.

    """

    images: NDArray[np.uint8] | ImageStore
    labels: Labels
    ids: NDArray[Any]
    clean: Labels | None


@dataclass(frozen=True)
class Augmentation:
    """Random shifts by up to `padding` pixels in each direction (zeros outside the image), and horizontal flips."""

    padding: int = 4
    flip: bool = True


@dataclass(frozen=True)
class Data:
    """
    What a dataset loads.

    Attributes:
        train, test: the samples.
        classes: the names of the K classes.
        mean, std: per channel, of values scaled to 0..1.
        augmentation: how training images are varied.
        fingerprint: names the content, so that a run is never taken for one on other data; needed for stores that
            decode on demand only (of arrays it is computed).

    """

    train: Split
    test: Split
    classes: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    augmentation: Augmentation = field(default_factory=Augmentation)
    fingerprint: str | None = None


@dataclass(frozen=True)
class DataSource:
    """
    Where a dataset may look.

    Attributes:
        directory: the folder for data files.
        download: whether it may download what is not there.
        report: takes a line of text for the user.

    """

    directory: Path
    download: bool = True
    report: Callable[[str], None] = lambda line: None


class Dataset(Protocol):
    """
    A source of images and labels.

    Optional:
        ``defaults``: a mapping of settings that suit the dataset, as in a recipe: ``{"architecture.width": 16}``.
    """

    def load(self, source: DataSource) -> Data:
        """Return train and test. Raise `nlcore.UserError` where the files are not there or not what they should be."""


# ----------------------------------------------------------------------------------------------- noise models


@dataclass(frozen=True)
class NoiseInfo:
    """
    What a noise model *declares*, before any label is drawn.

    Attributes:
        rate: the expected (or published) fraction of wrong labels for balanced classes, 0..1; images that are of no
            class count as wrong.
        transition: (K, K), row-stochastic: T[i, j] = P(given = j | true = i), of images that are of a class; None where
            it depends on the image.

    """

    rate: float
    transition: NDArray[np.float64] | None = None


@dataclass(frozen=True)
class SampleData:
    """
    What a noise model may want to know of the samples.

    Attributes:
        ids: (N,), the dataset's stable sample ids.
        images: of the samples, uint8.
        classes: the names of the K classes.
        directory: the folder for data files.
        source: where datasets may look, for those that need another one.

    """

    ids: NDArray[Any]
    images: ImageStore
    classes: tuple[str, ...]
    directory: Path | None = None
    source: DataSource | None = None


class NoiseModel(Protocol):
    """
    How given labels come to differ from true ones.

    Optional:
        ``declared(num_classes) -> NoiseInfo``: what can be expected of it. One whose matrix goes by the names of the
        classes takes them, too: ``declared(num_classes, classes=None)``.
        ``replace_images(data, rng) -> (positions, images)``: images from elsewhere, uint8 (M, H, W, C), for the samples
        at these positions; their true label becomes -1. Called before `corrupt`.
    """

    def corrupt(
        self, labels: Labels, num_classes: int, rng: np.random.Generator, data: SampleData | None = None
    ) -> Labels:
        """Return the given labels, int64 (N,), as a new array. Draw from `rng` alone."""


# ---------------------------------------------------------------------------------------------- architectures


class Network(Protocol):
    """
    What an architecture builds: an ``nn.Module`` that can be called, and taken apart.

    Optional: ``capturable = False`` where Python decides what ``forward`` does from call to call, so that a step with
    it must not be recorded and replayed.
    """

    head: nn.Module

    def features(self, x: Tensor) -> Tensor:
        """Map images (B, C, H, W) to what the head takes, (B, D)."""

    def stages(self) -> list[nn.Module]:
        """Return the parts in order from input to head; together they hold every parameter."""


class Architecture(Protocol):
    """A network for any number of classes and any image size. Weights are drawn from torch's global generator."""

    def build(self, num_classes: int, image_shape: tuple[int, int, int]) -> nn.Module:
        """Return a network that maps (B, C, H, W) to logits (B, K) and has what `Network` says."""


# ------------------------------------------------------------------------------------------------------ losses


class LossContext(Protocol):
    """What a loss is given in ``setup``. `generator` draws on the CPU and is the loss's own; its state is saved."""

    num_classes: int
    num_samples: int
    given_labels: Tensor
    device: torch.device
    generator: torch.Generator

    def declared_noise(self) -> NoiseInfo | None:
        """Return what the noise model declares. Asking marks the run as an oracle."""


class Loss(Protocol):
    """
    One value for each sample. Calling a loss changes nothing in it: a strategy may evaluate it to select samples.

    Optional, for a loss that keeps state (one instance for each network):
        ``soft_targets = True``: it also takes float targets (B, K).
        ``setup(ctx: LossContext)``: make the state; once, before the first epoch.
        ``begin_epoch(epoch, epochs, predict)``: write this epoch's coefficients into device tensors. ``predict()``
        gives its network's logits (N, K) on the unaugmented training images, computed when it is called.
        ``observe(logits, index)``: the network's predictions for these training samples, once a step, before the loss
        of that step; where a loss keeps a memory of past predictions, it is updated here.
        ``penalty(network) -> scalar``: added to the objective once a step.
        ``param_groups() -> list[dict]``: learned tensors, for the network's optimiser; each may set its own ``lr``,
        which follows the run's schedule unless it also sets ``"scheduled": False``.
        ``lr_scale(epoch) -> float``: multiplies the learning rate; of several losses in one optimiser, their mean does.
        ``state_dict()`` and ``load_state_dict(state)``: tensors and primitives, nothing else.
        ``refuses(strategy) -> str | None``: why it makes no sense with this strategy.
        ``capturable = True``: its part of a step may be recorded once and replayed on a GPU. Then whatever changes from
        step to step is in tensors that stay where they are (``fill_``, ``copy_``), and none is asked for its value. A
        loss without state is taken to be so.
        ``variant(epoch)``: as a strategy's.
    """

    def __call__(self, logits: Tensor, targets: Tensor, index: Tensor | None = None) -> Tensor:
        """
        Return the losses (B,).

        Args:
            logits: (B, K), any float dtype; computed in at least float32, float64 is kept.
            targets: int64 (B,), or float (B, K) where the loss declares ``soft_targets``.
            index: int64 (B,), positions in the training set; a loss without state needs none.

        """


# -------------------------------------------------------------------------------------------------- strategies


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
