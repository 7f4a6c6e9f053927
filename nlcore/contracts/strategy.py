"""What a strategy is: what happens in an epoch."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from nlcore.contracts.batch import Batch, Pass
from nlcore.contracts.noise import NoiseInfo

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn


class StrategyContext(Protocol):
    """
    What a strategy is given in ``setup``: the facts of the run, and the makers of everything that is trained.

    ``num_trusted`` images with true labels, ``trusted_labels`` int64 (M,), stand apart from the ``num_samples``
    training images where the run has them (``--trusted``); a method that needs them raises `nlcore.UserError` in
    ``setup`` where ``num_trusted`` is 0.

    ``half`` is 0 where a step is taken once. With an optimiser that takes each step twice (`Optimizer`: sharpness-aware
    minimisation) `step` is called twice with the same batch, at other weights, and ``half`` is 1, then 2. What a method
    keeps of what it saw, it keeps where ``half`` is not 2; what follows the weights moves where ``half`` is not 1.
    Losses and the context's own averages do so by themselves.

    A trained model is loaded by the strategy's ``setup`` too, so that ``predict`` works: there are no training images
    then, and `predict`, `steps` and `samples` raise RuntimeError; call them in ``begin_epoch``.
    """

    num_classes: int
    num_samples: int
    batch_size: int
    epochs: int
    given_labels: Tensor
    device: torch.device

    @property
    def half(self) -> int:
        """0 in a step that is taken once; 1, then 2, in one that is taken twice."""

    @property
    def num_trusted(self) -> int:
        """How many images are set apart with their true labels, M. Asking marks the run as an oracle."""

    @property
    def trusted_labels(self) -> Tensor:
        """Their labels, int64 (M,). Asking marks the run as an oracle."""

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

    def samples(self, epoch: int, batch_size: int | None = None) -> Tensor:
        """
        Return the positions that a method looks at before an epoch to divide them, int64 (M,) on the device.

        These are all N, ascending, or, where the run limits the batches of its epochs (``--epoch-batches``), as many as
        these hold: drawn anew for each epoch, with ``--sampling balanced`` of each given class equally many, for which
        a position may occur more than once.

        Args:
            epoch: of the run; keys the draws.
            batch_size: None for the run's.

        """


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
        ``chooses_samples``: when it chooses the samples of an epoch itself (``Pass(indices=...)``), in words such as
        "after its warm-up": ``--sampling balanced`` does not balance these, as the plan then says.
        ``chooses_among_drawn``: True where it chooses them among ``ctx.samples(epoch)`` and keeps what is drawn twice:
        where ``--epoch-batches`` limits epochs, these are balanced.
        ``asks_for_strong``: True where it asks for the strong view, which the plan then shows.
        ``views_of_loss``: True where it shows its loss as many views of an image as that judges together
        (``Loss.views``). Under any other strategy such a loss is refused.
        ``not_frozen``: why it cannot do with features that are computed once (``--freeze``), in words such as "it
        compares views of an image"; so does what draws parts of a network anew. Else an image is (B, D, 1, 1) then.
        ``no_history``: why what its losses observe is no history of single samples and their given labels, in words
        such as "its network sees mixtures of images": where images are mixed, labels are replaced, or epochs show none.
        Detectors that rank by such a history (``nl audit --detector aum``) are refused with it.
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
