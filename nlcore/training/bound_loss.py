"""A loss together with the network it belongs to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from nlcore.contracts import NoiseInfo
from nlcore.training.observers import Watcher


@dataclass(frozen=True)
class LossSetup:
    """A loss's own context, see `nlcore.contracts.LossContext`."""

    num_classes: int
    num_samples: int
    given_labels: Tensor
    device: torch.device
    generator: torch.Generator
    declared_noise: Callable[[], NoiseInfo | None]


class BoundLoss:
    """A loss and its network. It has every optional method; those the loss lacks do nothing."""

    def __init__(
        self, loss: Any, network: nn.Module, generator: torch.Generator, watchers: Sequence[Watcher] = ()
    ) -> None:
        self.loss = loss
        self.network = network
        self.observing = True  # not in the second half of a step that is taken twice
        self._generator = generator
        self._watchers = watchers  # of the whole training; others may come

    def __call__(self, logits: Tensor, targets: Tensor, index: Tensor) -> Tensor:
        """Return the losses (B,)."""
        result: Tensor = self.loss(logits, targets, index)
        return result

    def observe(self, logits: Tensor, index: Tensor) -> None:
        """Hand the network's predictions for training samples to a loss that remembers them, and to who watches."""
        if not self.observing:
            return
        for watch in self._watchers:
            watch(logits.detach(), index)
        if hasattr(self.loss, "observe"):
            self.loss.observe(logits.detach(), index)

    @property
    def views(self) -> int:
        """How many views of an image the loss judges together."""
        return int(getattr(self.loss, "views", 1))

    @property
    def corrected(self) -> Callable[[Tensor, Tensor, Tensor], Tensor] | None:
        """What corrects predictions by what the loss has learned of the labels, None where it has no such thing."""
        return getattr(self.loss, "corrected", None)

    def begin_epoch(self, epoch: int, epochs: int, predict: Callable[[], Tensor]) -> None:
        """Announce an epoch."""
        if hasattr(self.loss, "begin_epoch"):
            self.loss.begin_epoch(epoch, epochs, predict)

    def penalty(self) -> Tensor | None:
        """Return what is added to the objective, if anything."""
        return self.loss.penalty(self.network) if hasattr(self.loss, "penalty") else None

    def param_groups(self) -> list[dict[str, Any]]:
        """Return the loss's own learned tensors."""
        return list(self.loss.param_groups()) if hasattr(self.loss, "param_groups") else []

    def lr_scale(self, epoch: int) -> float:
        """Return what multiplies the learning rate in this epoch."""
        return float(self.loss.lr_scale(epoch)) if hasattr(self.loss, "lr_scale") else 1.0

    def state_dict(self) -> dict[str, Any]:
        """Return the loss's state and where its generator stands."""
        state = self.loss.state_dict() if hasattr(self.loss, "state_dict") else {}
        return {"state": state, "generator": self._generator.get_state()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore the loss's state and its generator."""
        if hasattr(self.loss, "load_state_dict"):
            self.loss.load_state_dict(state["state"])
        self._generator.set_state(state["generator"])
