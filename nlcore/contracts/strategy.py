"""What a strategy is: what happens in an epoch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from nlcore.contracts.noise import NoiseInfo

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

VIEWS = ("weak", "strong", "plain")
SOURCES = ("train", "trusted")


@dataclass(frozen=True)
class Pass:
    """
    One pass over training samples.

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


class StrategyContext(Protocol):
    """
    What a strategy is given in ``setup``: the facts of the run, and the makers of everything that is trained.

    ``num_trusted`` images with true labels, ``trusted_labels`` int64 (M,), stand apart from the ``num_samples``
    training images where the run has them (``--trusted``); a method that needs them raises `nlcore.UserError` in
    ``setup`` where ``num_trusted`` is 0.

    A trained model is loaded by the strategy's ``setup`` too, so that ``predict`` works: there are no training images
    then, and `predict` and `steps` raise RuntimeError; call them in ``begin_epoch``.
    """

    num_classes: int
    num_samples: int
    batch_size: int
    epochs: int
    given_labels: Tensor
    num_trusted: int
    trusted_labels: Tensor
    device: torch.device

    def declared_noise(self) -> NoiseInfo | None:
        """Return what the noise model declares, None where it declares nothing. Asking marks the run as an oracle."""

    def estimated_noise(self) -> NoiseInfo:
        """
        Return noise rate and matrix as they are estimated without the truth.

        That is by the confident joint (Northcutt et al. 2021), from predictions of networks that hold samples out: the
        first time it takes some epochs of training. The estimate is kept with the run; a run that goes on, and a model
        that is loaded, have it from there.
        """

    def report(self, text: str) -> None:
        """Tell the user something, below the plan or between two epochs. It is kept with the run, as its notes."""

    def network(self, *, spare: bool = False) -> nn.Module:
        """
        Return a new network on the device, in the run's precision, in training mode.

        The engine saves, averages and evaluates it; where `spare`, it does none of these: it is for drawing initial
        weights anew, or a helper that is thrown away. The engine never changes its mode outside of `evaluating`.
        """

    def module(self, module: nn.Module) -> nn.Module:
        """
        Return a module of the strategy's own, placed on the device: a projection head, a matrix, prototypes.

        It is saved with the run and loaded again with the model, and averaged where weights are (``--ema``). What is
        trained must come from here or from `network`.
        """

    def teacher(self, network: nn.Module, decay: float) -> nn.Module:
        """
        Return a copy of a network that follows it: θ̄ ← d θ̄ + (1 − d) θ after every step that trains the network.

        It has no gradients; running statistics are averaged too. It is saved and loaded with the run, and left out of
        ``--ema``.
        """

    def reset(self, network: nn.Module, part: nn.Module | None = None, *, round: int = 0) -> None:
        """
        Draw initial weights of a network, or of a part of it, anew, in place; optimisers forget what they keep of them.

        Args:
            network: of `network`.
            part: one of its modules; all of it where None.
            round: tells the draws of one network apart; the same round gives the same weights.

        """

    def loss(self, network: nn.Module) -> Any:
        """Return a new instance of the run's loss for this network, set up; its `observe` may always be called."""

    def optimizer(
        self,
        modules: Any,
        losses: Any = (),
        *,
        kind: str | None = None,
        scheduled: bool = True,
        **overrides: Any,
    ) -> torch.optim.Optimizer:
        """
        Return an optimiser over these modules and the learned tensors of these losses.

        It takes the place of every earlier one that shares a parameter with it.

        Args:
            modules: networks, parts of networks (``network.head``, ``network.stages()[-2:]``) or modules of `module`;
                each may be a pair with options of its own, ``(module, {"lr_factor": 0.1, "weight_decay": 0.0})``.
            losses: of `loss`.
            kind: an optimiser by name, such as ``adam``; None for the run's.
            scheduled: whether its rate follows the run's schedule.
            overrides: its parameters (``lr=1e-3``), in place of the run's, or of the defaults of `kind`.

        Raises:
            UserError: no such optimiser or parameter.
            ValueError: parameters that belong to nothing this context made: they would not be saved.

        """

    def minimise(self, optimizer: torch.optim.Optimizer, objective: Tensor) -> Tensor:
        """Do one step on `objective` and its losses' penalties; return what was minimised, detached."""

    def gradients(self, optimizer: torch.optim.Optimizer, objective: Tensor) -> Tensor:
        """Do the first half of `minimise`: set the gradients of objective and penalties; return both, detached."""

    def update(self, optimizer: torch.optim.Optimizer) -> None:
        """Do the second half of `minimise`: clip the gradients where the run does (``--clip-norm``), and step."""

    def predict(
        self,
        network: Callable[[Tensor], Tensor],
        indices: Tensor | None = None,
        view: str = "plain",
        epoch: int = 0,
        source: str = "train",
    ) -> Tensor:
        """
        Return what `network` gives for training images, without gradients, in evaluation mode: logits (M, K).

        Args:
            network: a network, its ``features``, or any function of normalised images (B, C, H, W) to (B, D).
            indices: int64 (M,), which samples; all N where None.
            view: ``plain``, ``weak`` or ``strong``; the draws of the last two are keyed by `epoch`.
            epoch: of the draws.
            source: ``train`` or ``trusted``, see `Pass`.

        The weights are those that are trained, not their average (``--ema``).
        """

    def generator(self, purpose: str, epoch: int = 0) -> torch.Generator:
        """Return a CPU generator for this purpose and epoch; the same arguments give the same stream."""

    def seed(self, purpose: str, epoch: int = 0) -> int:
        """Return a seed below 2³² for this purpose and epoch, for numpy and scikit-learn."""

    def steps(self, of: Pass | None = None) -> int:
        """Return how many steps a pass takes, not counting its paired one; by default one over all samples."""


class Strategy(Protocol):
    """
    What happens in an epoch.

    Optional:
        ``begin_epoch(epoch)``: before the passes of each epoch, after the losses' own; draws its randomness ahead as
        device tensors.
        ``passes(epoch) -> Iterable[Pass]``: what is iterated; one shuffled pass over all samples by default. All of
        them are listed before the first step of the epoch.
        ``clean_probability() -> (N,)``: float, 0..1: how likely each given label is right; None while it has no
        opinion.
        ``suggested_labels() -> (N,)``: int64, the labels that it holds for right, None while it has no opinion. Both
        are measured after each epoch and stored with the run.
        ``stage(epoch) -> (first, last)``: the epochs of the stage that `epoch` belongs to; the learning-rate schedule
        runs anew over each stage.
        ``checked_with``: a tuple of mappings of parameters, ``({"warm_up": 1},)``: what ``nl check`` trains with
        besides the defaults, so that it reaches later phases in a few epochs.
        ``defaults``: settings that it was published with, see `nlcore.contracts`.
        ``state_dict()`` and ``load_state_dict(state)``: what is not in networks, modules, losses and optimisers;
        tensors and primitives, nothing else. Restored before them, so that optimisers that were made anew can be made
        anew again.
        ``refuses(loss) -> str | None``: why it makes no sense with this loss, an instance: a method that needs soft
        targets returns a reason unless ``getattr(loss, "soft_targets", False)``.
        ``capturable = True``: a step may be captured once and replayed on a GPU. Then whatever changes from step to
        step is in tensors that stay where they are (``copy_``, ``fill_``), and none is asked for its value
        (``.item()``, ``if``, a mask as an index).
        ``variant(epoch)``: a value on which a step's Python depends, such as a phase of training; asked after
        ``begin_epoch``. Steps are captured anew when it changes.
    """

    def setup(self, ctx: StrategyContext) -> None:
        """Make networks, losses and optimisers through the context."""

    def step(self, batch: Batch) -> Tensor:
        """
        Train on one batch, with fixed shapes; return the mean loss, a scalar on the device, detached.

        Networks are in training mode, unless the strategy has put a part into evaluation mode itself.
        """

    def predict(self, images: Tensor) -> Tensor:
        """Return logits (B, K) for normalised images, in evaluation mode."""


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
