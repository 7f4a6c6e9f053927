"""What a strategy is given: the facts of a run, and the makers of everything that is trained."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from nlcore.config.settings import TrainingSettings
from nlcore.contracts import Architecture, NoiseInfo, Optimizer, Pass
from nlcore.data.batches import TrainingBatches
from nlcore.data.run_data import TrainingData
from nlcore.data.seeds import derive_seed, generator
from nlcore.errors import RunError
from nlcore.training.bound_loss import BoundLoss, LossSetup
from nlcore.training.ema import WeightEMA, follow
from nlcore.training.hardware import Hardware
from nlcore.training.initial import InitialWeights
from nlcore.training.networks import draw_network
from nlcore.training.observers import Watcher
from nlcore.training.optimizers import Optimizers
from nlcore.training.predict import at_once, in_batches
from nlcore.training.synced_norm import synchronise


class Context:
    """The engine's side of `nlcore.contracts.StrategyContext`."""

    def __init__(
        self,
        settings: TrainingSettings,
        data: TrainingData,
        architecture: Architecture,
        make_loss: Callable[[], Any],
        make_optimizer: Callable[[str | None, Mapping[str, Any]], Optimizer],
        hardware: Hardware,
        batches: TrainingBatches | None = None,
        report: Callable[[str], None] = lambda text: None,
        initial: InitialWeights | None = None,
        estimate: Callable[[], NoiseInfo] | None = None,
    ) -> None:
        self.num_classes = data.num_classes
        self.num_samples = len(data)
        self.batch_size = settings.batch_size
        self.epochs = settings.epochs
        self.given_labels = batches.given if batches else torch.from_numpy(data.given).to(hardware.device)
        told = np.empty(0, np.int64) if data.trusted is None else data.trusted.labels
        self.average: WeightEMA | None = None  # of the weights, where there is one
        self._trusted = torch.from_numpy(told).to(hardware.device)
        self.device = hardware.device
        self.networks: dict[str, nn.Module] = {}
        self.modules: dict[str, nn.Module] = {}
        self.teachers: dict[str, nn.Module] = {}
        self.losses: list[BoundLoss] = []
        self.watchers: list[Watcher] = []  # are shown what the losses are
        self.oracles: list[str] = []
        self.optimizers = Optimizers(hardware, settings.clip_norm, settings.decay_weights_only)
        self.report = report
        self.revision = 0  # goes up with each network, loss or optimiser that is made
        self._following: list[tuple[nn.Module, nn.Module, float]] = []  # teacher, network, decay
        self._settings = settings
        self._data = data
        self._architecture = architecture
        self._make_loss = make_loss
        self._make_optimizer = make_optimizer
        self._hardware = hardware
        self._batches = batches
        self._initial = initial
        self._estimate = estimate
        self.estimated: NoiseInfo | None = None
        self.frozen: set[int] = set()  # the parameters that are not trained for the time being, by identity

    @property
    def trusted_labels(self) -> Tensor:
        """The true labels of the images that are set apart, int64 (M,). Asking marks the run as an oracle."""
        if len(self._trusted) and not self.asked_trusted:
            self.oracles.append(self._told_of_trusted)
        return self._trusted

    @property
    def num_trusted(self) -> int:
        """How many images are set apart with their true labels. Asking marks the run as an oracle."""
        return len(self.trusted_labels)

    @property
    def asked_trusted(self) -> bool:
        """Whether the strategy has asked for what is trusted."""
        return self._told_of_trusted in self.oracles

    @property
    def _told_of_trusted(self) -> str:
        return f"{len(self._trusted):,} true labels"

    def declared_noise(self) -> NoiseInfo | None:
        """Return what the noise model declares. Asking marks the run as an oracle."""
        if self._data.declared is not None and "noise rate" not in self.oracles:
            self.oracles.append("noise rate")
        return self._data.declared

    def estimated_noise(self) -> NoiseInfo:
        """Return what is estimated of the noise, without the truth; it is made once."""
        if self.estimated is None:
            if self._estimate is None:
                raise RuntimeError("There is nothing here to estimate the noise from.")
            self.estimated = self._hardware.processes.shared(self._estimate)
        return self.estimated

    def network(self, *, spare: bool = False) -> nn.Module:
        """Return a new network; its weights depend on the seed and on how many were made before, or are given."""
        name = "spare" if spare else f"network{len(self.networks) + 1}"
        drawn = self._draw(name)
        if self._initial is not None and not spare:
            self._initial.start(drawn, name)
        placed = self._place(drawn)
        if not spare:
            self.revision += 1
            self.networks[name] = placed
        return placed

    def module(self, module: nn.Module) -> nn.Module:
        """Return a module of the strategy's own, placed, saved and averaged with the run."""
        self.revision += 1
        name = f"module{len(self.modules) + 1}"
        self.modules[name] = self._hardware.place(module)
        return self.modules[name]

    def teacher(self, network: nn.Module, decay: float) -> nn.Module:
        """Return a copy of a network that follows it after every step."""
        inner = copy.deepcopy(self._hardware.bare(network)).requires_grad_(False)
        placed = self._place(inner)
        self.revision += 1
        self.teachers[f"teacher{len(self.teachers) + 1}"] = placed
        self._following.append((placed, network, decay))
        return placed

    @torch.no_grad()
    def reset(self, network: nn.Module, part: nn.Module | None = None, *, round: int = 0) -> None:
        """Draw initial weights of a network, or of a part of it, anew, in place."""
        name = next((known for known, one in self.networks.items() if one is network), None)
        if name is None:
            raise ValueError("ctx.reset: this is no network of the context; hand it what ctx.network() returned.")
        inner = self._hardware.bare(network)
        fresh = dict(_tensors(self._draw(f"{name}/reset/{round}")))
        chosen = {id(tensor) for _, tensor in _tensors(part if part is not None else inner)}
        if chosen & self.frozen:
            raise RunError("The strategy draws weights anew that --freeze holds. Give --freeze 0.")
        for known, tensor in _tensors(inner):
            if id(tensor) in chosen:
                tensor.copy_(fresh[known])
        self.optimizers.forget(chosen)
        if self.average is not None:
            self.average.begin_anew(chosen)
        self.revision += 1

    def loss(self, network: nn.Module) -> BoundLoss:
        """Return a new instance of the run's loss, set up, for this network."""
        loss = self._make_loss()
        random = self.generator(f"loss/{len(self.losses)}")
        if hasattr(loss, "setup"):
            facts = (self.num_classes, self.num_samples, self.given_labels, self.device, random, self.declared_noise)
            loss.setup(LossSetup(*facts))
        self.revision += 1
        self.losses.append(BoundLoss(loss, network, random, self.watchers))
        return self.losses[-1]

    def optimizer(
        self, modules: Any, losses: Any = (), *, kind: str | None = None, scheduled: bool = True, **overrides: Any
    ) -> torch.optim.Optimizer:
        """Return an optimiser over these modules and losses; earlier ones that share a parameter are dropped."""
        bound = [losses] if isinstance(losses, BoundLoss) else list(losses)
        component: Any = self._make_optimizer(kind, overrides)
        if hasattr(component, "setup"):
            component.setup(self)
        self.revision += 1
        return self.optimizers.add(component, modules, bound, scheduled, self._owned)

    def minimise(self, optimizer: torch.optim.Optimizer, objective: Tensor) -> Tensor:
        """Do one step on `objective` and its losses' penalties; return what was minimised, detached."""
        minimised = self.gradients(optimizer, objective)
        self.update(optimizer)
        return minimised

    def gradients(self, optimizer: torch.optim.Optimizer, objective: Tensor) -> Tensor:
        """Set the gradients of `objective` and its losses' penalties; return both, detached."""
        return self.optimizers.gradients(optimizer, objective)

    def update(self, optimizer: torch.optim.Optimizer) -> None:
        """Clip and step; teachers of what was trained follow."""
        self.optimizers.update(optimizer)
        if self._following and self.half != 1:
            trained = {id(p) for group in optimizer.param_groups for p in group["params"]}
            for teacher, network, decay in self._following:
                if any(id(p) in trained for p in network.parameters()):
                    follow(teacher, network, decay)

    def predict(
        self,
        network: Callable[[Tensor], Tensor],
        indices: Tensor | None = None,
        view: str = "plain",
        epoch: int = 0,
        source: str = "train",
    ) -> Tensor:
        """Return what `network` gives for training images in a view, in evaluation mode and without gradients."""
        batches = self._training_images()
        chosen = torch.arange(len(batches.labels(source))) if indices is None else indices
        size = at_once(500, batches.images.values)
        of = Pass(indices=chosen, batch_size=size, views=(view,), shuffle=False, source=source)
        with self.evaluating():
            return in_batches(network, batches.seen_as(of, epoch, f"predict/{view}"))

    def generator(self, purpose: str, epoch: int = 0) -> torch.Generator:
        """Return a CPU generator for this purpose and epoch."""
        return generator(self._settings.seed, purpose, epoch)

    def seed(self, purpose: str, epoch: int = 0) -> int:
        """Return a seed below 2³² for this purpose and epoch."""
        return derive_seed(self._settings.seed, purpose, epoch) % 2**32

    def steps(self, of: Pass | None = None) -> int:
        """Return how many steps a pass takes; by default one over all samples."""
        return len(self._training_images().lengths(of or Pass()))

    def samples(self, epoch: int, batch_size: int | None = None) -> Tensor:
        """Return the positions that a method divides before an epoch: all, or those drawn where epochs are limited."""
        return self._training_images().samples(epoch, batch_size).to(self.device)

    @contextlib.contextmanager
    def evaluating(self) -> Iterator[None]:
        """Put everything that was made into evaluation mode inside, back into its own outside, without gradients."""
        modes = [(part, part.training) for placed in self.saved.values() for part in placed.modules()]
        try:
            with torch.no_grad():
                for placed in self.saved.values():
                    placed.eval()
                yield
        finally:
            for part, mode in modes:  # one by one: a strategy may keep a part in evaluation mode
                part.training = mode

    @property
    def half(self) -> int:
        """0 where a step is taken once; 1 and 2 in the halves of one that is taken twice (``ascend()``)."""
        return 2 if self.optimizers.second else 1 if self.optimizers.twice else 0

    @property
    def saved(self) -> dict[str, nn.Module]:
        """All that is saved with a run and loaded with its model, by name."""
        return {**self.networks, **self.modules, **self.teachers}

    def begin_epoch(self, epoch: int) -> None:
        """Let every loss prepare the epoch."""
        for loss in self.losses:
            loss.begin_epoch(epoch, self.epochs, lambda loss=loss: self.predict(loss.network))  # type: ignore[misc]

    def state_dict(self) -> dict[str, Any]:
        """Return the state of everything that was made here."""
        return {
            "networks": {name: placed.state_dict() for name, placed in self.saved.items()},
            "optimizers": self.optimizers.state_dict(),
            "losses": [loss.state_dict() for loss in self.losses],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore everything; it must have been made as it was when the state was saved."""
        for name, placed in self.saved.items():
            placed.load_state_dict(state["networks"][name])
        self.optimizers.load_state_dict(state["optimizers"])
        for loss, saved in zip(self.losses, state["losses"], strict=True):
            loss.load_state_dict(saved)

    def _draw(self, name: str) -> nn.Module:
        return draw_network(self._architecture, self.num_classes, self._data.image_shape, self._settings.seed, name)

    def _place(self, network: nn.Module) -> nn.Module:
        """Return a network on the device, where each process computes its slice of a batch."""
        processes = self._hardware.processes
        if self._settings.sync_batch_norm:
            synchronise(network, processes)
        return processes.divide(self._hardware.place(network))

    def _owned(self) -> set[int]:
        return {id(p) for placed in self.saved.values() for p in placed.parameters()}

    def _training_images(self) -> TrainingBatches:
        if self._batches is None:
            raise RuntimeError(
                "There are no training images here: a trained model is being loaded. Call this in begin_epoch."
            )
        return self._batches


def _tensors(module: nn.Module) -> Sequence[tuple[str, Tensor]]:
    return [*module.named_parameters(), *module.named_buffers()]
