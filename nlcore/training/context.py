"""What strategies and losses are given: the facts of a run, and the makers of everything that is trained."""

from __future__ import annotations

import contextlib
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from nlcore.config.settings import Settings
from nlcore.contracts import Architecture, NoiseInfo, Pass
from nlcore.data.batches import TrainingBatches
from nlcore.data.seeds import generator, key
from nlcore.training.hardware import Hardware
from nlcore.training.muon import Muon
from nlcore.training.schedules import SCHEDULES

OPTIMIZERS = {"sgd": torch.optim.SGD, "muon": Muon}


@dataclass(frozen=True)
class Facts:
    """What training may know of its data: numbers, the given labels, and what the noise model declares."""

    num_classes: int
    image_shape: tuple[int, int, int]
    given_labels: Tensor
    declared: NoiseInfo | None


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
    """A loss together with the network it belongs to. It has every optional method; those the loss lacks do nothing."""

    def __init__(self, loss: Any, network: nn.Module, generator: torch.Generator) -> None:
        self.loss = loss
        self.network = network
        self._generator = generator

    def __call__(self, logits: Tensor, targets: Tensor, index: Tensor) -> Tensor:
        """Return the losses (B,)."""
        result: Tensor = self.loss(logits, targets, index)
        return result

    def observe(self, logits: Tensor, index: Tensor) -> None:
        """Hand the network's predictions for training samples to a loss that remembers them."""
        if hasattr(self.loss, "observe"):
            self.loss.observe(logits.detach(), index)

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


@dataclass
class _Scheduled:
    optimizer: torch.optim.Optimizer
    networks: list[nn.Module]
    losses: list[BoundLoss]


class Context:
    """The engine's side of `nlcore.contracts.StrategyContext`."""

    def __init__(
        self,
        settings: Settings,
        facts: Facts,
        architecture: Architecture,
        make_loss: Callable[[], Any],
        hardware: Hardware,
        batches: TrainingBatches | None = None,
    ) -> None:
        self.num_classes = facts.num_classes
        self.num_samples = len(facts.given_labels)
        self.batch_size = settings.batch_size
        self.epochs = settings.epochs
        self.given_labels = facts.given_labels
        self.device = hardware.device
        self.networks: dict[str, nn.Module] = {}
        self.losses: list[BoundLoss] = []
        self.oracles: list[str] = []
        self.made = 0  # networks, losses and optimisers so far
        self.tensor_rates = False
        self._settings = settings
        self._facts = facts
        self._architecture = architecture
        self._make_loss = make_loss
        self._hardware = hardware
        self._batches = batches
        self._optimizers: list[_Scheduled] = []

    # What strategies use, as documented in roles.StrategyContext.

    def declared_noise(self) -> NoiseInfo | None:
        """Return what the noise model declares. Asking marks the run as an oracle."""
        if self._facts.declared is not None and "noise rate" not in self.oracles:
            self.oracles.append("noise rate")
        return self._facts.declared

    def network(self) -> nn.Module:
        """Return a new network on the device; its weights depend on the seed and on how many were made before."""
        name = f"network{len(self.networks) + 1}"
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(key(self._settings.seed, name))
            network = self._architecture.build(self.num_classes, self._facts.image_shape)
        _count_no_batches(network)
        self.made += 1
        self.networks[name] = self._hardware.place(network)
        return self.networks[name]

    def loss(self, network: nn.Module) -> BoundLoss:
        """Return a new instance of the run's loss, set up, for this network."""
        loss = self._make_loss()
        random = self.generator(f"loss/{len(self.losses)}")
        if hasattr(loss, "setup"):
            facts = (self.num_classes, self.num_samples, self.given_labels, self.device, random, self.declared_noise)
            loss.setup(LossSetup(*facts))
        self.made += 1
        self.losses.append(BoundLoss(loss, network, random))
        return self.losses[-1]

    def optimizer(
        self, networks: nn.Module | Sequence[nn.Module], losses: BoundLoss | Sequence[BoundLoss] = (), **overrides: Any
    ) -> torch.optim.Optimizer:
        """Return the run's optimiser over these networks and losses; one made before for them is forgotten."""
        nets = [networks] if isinstance(networks, nn.Module) else list(networks)
        bound = [losses] if isinstance(losses, BoundLoss) else list(losses)
        groups: list[dict[str, Any]] = [{"params": [p for network in nets for p in network.parameters()]}]
        for loss in bound:
            groups += loss.param_groups()
        settings = self._settings
        options = {"lr": settings.lr, "momentum": settings.momentum, "weight_decay": settings.weight_decay, **overrides}
        bare = OPTIMIZERS[settings.optimizer](groups, fused=True, **options)
        for group in bare.param_groups:
            group["initial_lr"] = group["lr"]
        optimizer = self._hardware.wrap(bare)
        self._optimizers = [other for other in self._optimizers if other.networks != nets]
        self._optimizers.append(_Scheduled(optimizer, nets, bound))
        self.made += 1
        return optimizer

    def minimise(self, optimizer: torch.optim.Optimizer, objective: Tensor) -> Tensor:
        """Do one step on `objective` and its losses' penalties; return what was minimised, detached."""
        for scheduled in self._optimizers:
            if scheduled.optimizer is optimizer:
                for loss in scheduled.losses:
                    penalty = loss.penalty()
                    objective = objective if penalty is None else objective + penalty
        optimizer.zero_grad(set_to_none=True)
        self._hardware.backward(objective)
        optimizer.step()
        return objective.detach()

    def predict(self, network: Callable[[Tensor], Tensor]) -> Tensor:
        """Return `network`'s logits (N, K) on the unaugmented training images, in evaluation mode."""
        if self._batches is None:
            raise RuntimeError("There are no training images here to predict.")
        logits = []
        with self.evaluating():
            for start in range(0, self.num_samples, 500):
                index = torch.arange(start, min(start + 500, self.num_samples), device=self.device)
                logits.append(network(self._batches.pixels.plain(index)))
        return torch.cat(logits)

    def generator(self, purpose: str, epoch: int = 0) -> torch.Generator:
        """Return a CPU generator for this purpose and epoch."""
        return generator(self._settings.seed, purpose, epoch)

    def steps(self, walk: Pass | None = None) -> int:
        """Return how many steps a pass takes; by default one over all samples."""
        if self._batches is None:
            raise RuntimeError("There are no training images here to iterate.")
        return len(self._batches.lengths(walk or Pass()))

    # What the engine uses.

    def begin_epoch(self, epoch: int) -> None:
        """Let every loss prepare the epoch."""
        for loss in self.losses:
            loss.begin_epoch(epoch, self.epochs, lambda loss=loss: self.predict(loss.network))  # type: ignore[misc]

    def schedule(self, epoch: int, done: float) -> float:
        """Set all learning rates for a moment of the training, `done` in 0..1; return the run's own."""
        factor = SCHEDULES[self._settings.lr_schedule](done)
        for scheduled in self._optimizers:
            scales = [loss.lr_scale(epoch) for loss in scheduled.losses]  # of several losses, their mean
            scale = factor * sum(scales) / len(scales) if scales else factor
            for group in scheduled.optimizer.param_groups:
                if group.get("scheduled", True):
                    self._set_rate(group, group["initial_lr"] * scale)
        return self._settings.lr * factor

    def _set_rate(self, group: dict[str, Any], rate: float) -> None:
        if not self.tensor_rates:
            group["lr"] = rate
        elif isinstance(group["lr"], Tensor) and group["lr"].device == self.device:
            group["lr"].fill_(rate)  # where a recorded step reads it
        else:
            group["lr"] = torch.tensor(rate, device=self.device)

    def state_dict(self) -> dict[str, Any]:
        """Return the state of all networks, optimisers and losses."""
        return {
            "networks": {name: network.state_dict() for name, network in self.networks.items()},
            "optimizers": [scheduled.optimizer.state_dict() for scheduled in self._optimizers],
            "losses": [loss.state_dict() for loss in self.losses],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore all networks, optimisers and losses; they must have been made as they were when it was saved."""
        for name, network in self.networks.items():
            network.load_state_dict(state["networks"][name])
        for scheduled, saved in zip(self._optimizers, state["optimizers"], strict=True):
            scheduled.optimizer.load_state_dict(saved)
        for loss, saved in zip(self.losses, state["losses"], strict=True):
            loss.load_state_dict(saved)

    @contextlib.contextmanager
    def evaluating(self) -> Iterator[None]:
        """Put all networks into evaluation mode inside, back into their own outside, without gradients."""
        modes = [(part, part.training) for network in self.networks.values() for part in network.modules()]
        try:
            with torch.no_grad():
                for network in self.networks.values():
                    network.eval()
                yield
        finally:
            for part, mode in modes:  # one by one: a strategy may keep a part in evaluation mode
                part.training = mode


def _count_no_batches(network: nn.Module) -> None:
    """
    Take the counters of batches out of batch normalisation: each costs an operation a step.

    Nothing reads them where there is a momentum. States that were saved with counters can be loaded as before.
    """
    for part in network.modules():
        counts = isinstance(part, (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)) and part.track_running_stats
        if counts and part.momentum is not None:
            part.num_batches_tracked = None  # type: ignore[assignment]
            # torch's own wants the counter
            part.reset_running_stats = types.MethodType(_reset_running_stats, part)  # type: ignore[assignment]
    network.register_load_state_dict_post_hook(_pass_over_counters)  # type: ignore[no-untyped-call]


def _reset_running_stats(part: nn.BatchNorm2d) -> None:
    assert part.running_mean is not None
    assert part.running_var is not None
    part.running_mean.zero_()
    part.running_var.fill_(1)


def _pass_over_counters(network: nn.Module, incompatible: Any) -> None:
    keys = incompatible.unexpected_keys
    keys[:] = [key for key in keys if not key.endswith(".num_batches_tracked")]
