"""What a loss is: one value for each sample."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from nlcore.contracts.noise import NoiseInfo

if TYPE_CHECKING:
    import torch
    from torch import Tensor


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
        ``views``: the number of views of an image that it judges together: logits are (B, V, K). Strategies that do not
        show so many (``Strategy.views_of_loss``) are refused.
        ``setup(ctx: LossContext)``: make the state; once, before the first epoch.
        ``begin_epoch(epoch, epochs, predict)``: write this epoch's coefficients into device tensors. ``predict()``
        gives its network's logits (N, K) on the unaugmented training images, computed when it is called.
        ``observe(logits, index)``: the network's predictions for these training samples, once a step, before the loss
        of that step; where a loss keeps a memory of past predictions, it is updated here.
        ``corrected(logits, targets, index) -> (B, K)``: the predictions as probabilities, corrected by what the loss
        has learned of the labels; for strategies that hold predictions to something, as SOP+ does.
        ``penalty(network) -> scalar``: added to the objective once a step.
        ``param_groups() -> list[dict]``: learned tensors, for the network's optimiser; each may set its own ``lr``,
        which follows the run's schedule unless it also sets ``"scheduled": False``.
        ``lr_scale(epoch) -> float``: multiplies the learning rate; of several losses in one optimiser, their mean does.
        ``state_dict()`` and ``load_state_dict(state)``: tensors and primitives, nothing else.
        ``refuses(strategy) -> str | None``: why it makes no sense with this strategy.
        ``until``: ``(epochs, what)``, for how many epochs it is something simpler, and what, in words: ``(10,
        "cross-entropy")``. The plan of a run of no more epochs says so.
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
