"""The optimisers of a run: what each trains, at which rate, and the two halves of a step."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from nlcore.contracts import Optimizer
from nlcore.training.bound_loss import BoundLoss
from nlcore.training.hardware import Hardware


@dataclass
class Scheduled:
    """One optimiser, bare and set up for the device, with the losses whose penalties belong to its steps."""

    bare: torch.optim.Optimizer
    placed: torch.optim.Optimizer
    losses: list[BoundLoss]
    lr: float  # that was asked for, of which groups of parameters may have a part
    follows: bool  # whether its rate follows the run's schedule

    @property
    def parameters(self) -> set[int]:
        """The parameters that it trains, by identity."""
        return {id(p) for group in self.bare.param_groups for p in group["params"]}


class Optimizers:
    """All optimisers of a run."""

    def __init__(self, hardware: Hardware, clip_norm: float | None, decay_weights_only: bool = False) -> None:
        self.lr_as_tensor = False
        self.second = False  # whether this is the second half of a step that is taken twice
        self._hardware = hardware
        self._clip_norm = clip_norm
        self._decay_weights_only = decay_weights_only
        self._all: list[Scheduled] = []

    def add(
        self,
        component: Optimizer,
        modules: Any,
        losses: Sequence[BoundLoss],
        follows: bool,
        owned: Callable[[], set[int]],
    ) -> torch.optim.Optimizer:
        """
        Return a new optimiser; earlier ones that share a parameter with it are dropped.

        Args:
            component: makes it.
            modules: a module, or several; each may be a pair with its own options.
            losses: whose learned tensors it trains too.
            follows: whether its rate follows the run's schedule.
            owned: gives the parameters, by identity, that the run saves.

        Raises:
            ValueError: a parameter that nobody saves.

        """
        several = modules if isinstance(modules, (list, tuple)) and not _is_pair(modules) else [modules]
        groups: list[dict[str, Any]] = []
        plain: list[nn.Parameter] = []
        for one in several:
            module, options = one if _is_pair(one) else (one, {})
            inner: Any = self._hardware.bare(module)
            if hasattr(inner, "param_groups"):
                groups += [_group(component.lr, group, options) for group in inner.param_groups()]
            elif options:
                groups.append(_group(component.lr, {"params": list(module.parameters())}, options))
            else:
                plain += module.parameters()
        groups = ([{"params": plain}] if plain else []) + groups
        if self._decay_weights_only:
            groups = [part for group in groups for part in _decaying_and_not(group)]
        strangers = {id(p) for group in groups for p in group["params"]} - owned()
        if strangers:
            raise ValueError(
                "ctx.optimizer: some of these parameters belong to no network or module of the context, so they would "
                "be lost with the run. Hand the module to ctx.module(module) first and use what it returns."
            )
        for loss in losses:
            groups += loss.param_groups()
        bare = component.make(groups)
        for group in bare.param_groups:
            group["initial_lr"] = group["lr"]
        new = Scheduled(bare, self._hardware.wrap(bare), list(losses), component.lr, follows)
        self._all = [other for other in self._all if not other.parameters & new.parameters]
        self._all.append(new)
        return new.placed

    def gradients(self, optimizer: torch.optim.Optimizer, objective: Tensor) -> Tensor:
        """Set the gradients of `objective` and its losses' penalties; return both, detached."""
        for loss in self._find(optimizer).losses:
            penalty = loss.penalty()
            objective = objective if penalty is None else objective + penalty
        optimizer.zero_grad(set_to_none=True)
        self._hardware.backward(objective)
        self._hardware.processes.average(p.grad for group in optimizer.param_groups for p in group["params"])
        return objective.detach()

    def update(self, optimizer: torch.optim.Optimizer) -> None:
        """Clip the gradients where that was asked, and step."""
        scheduled = self._find(optimizer)
        bare: Any = scheduled.bare
        if hasattr(bare, "ascend") and not self.second:
            bare.ascend()
            return
        if self._clip_norm is not None:
            parameters = [p for group in scheduled.bare.param_groups for p in group["params"]]
            nn.utils.clip_grad_norm_(parameters, self._clip_norm)
        optimizer.step()

    @property
    def twice(self) -> bool:
        """Whether each step is taken twice."""
        return any(hasattr(one.bare, "ascend") for one in self._all)

    @contextlib.contextmanager
    def second_half(self, losses: Sequence[BoundLoss], networks: Sequence[nn.Module]) -> Iterator[None]:
        """Let a step inside finish what the one before began: nothing is observed or averaged a second time."""
        norms = [
            part for net in networks for part in net.modules() if isinstance(part, nn.modules.batchnorm._BatchNorm)
        ]
        momenta = [norm.momentum for norm in norms]
        self.second = True
        for loss in losses:
            loss.observing = False
        for norm in norms:
            norm.momentum = 0.0
        try:
            yield
        finally:
            self.second = False
            for loss in losses:
                loss.observing = True
            for norm, momentum in zip(norms, momenta, strict=True):
                norm.momentum = momentum

    def set_rates(self, factor: float, epoch: int) -> float:
        """
        Set all learning rates for a moment of the training; return that of the first optimiser.

        That is the rate that was asked for; layers that learn more slowly have a part of it.
        """
        rates = []
        for scheduled in self._all:
            scales = [loss.lr_scale(epoch) for loss in scheduled.losses]  # of several losses, their mean
            scale = (factor if scheduled.follows else 1.0) * (sum(scales) / len(scales) if scales else 1.0)
            for group in scheduled.placed.param_groups:
                if group.get("scheduled", True):
                    self._set_rate(group, group["initial_lr"] * scale)
            rates.append(scheduled.lr * scale)
        return float(rates[0]) if rates else 0.0

    def forget(self, parameters: set[int]) -> None:
        """Drop what the optimisers keep of these parameters, given by identity."""
        for scheduled in self._all:
            for parameter in [p for p in scheduled.bare.state if id(p) in parameters]:
                del scheduled.bare.state[parameter]

    def state_dict(self) -> list[dict[str, Any]]:
        """Return the state of all optimisers."""
        return [scheduled.placed.state_dict() for scheduled in self._all]

    def load_state_dict(self, state: Sequence[Mapping[str, Any]]) -> None:
        """
        Restore all optimisers.

        Raises:
            RuntimeError: another number of them was saved.

        """
        if len(state) != len(self._all):
            raise RuntimeError(
                f"{len(state)} optimisers were saved and there are {len(self._all)} now: a strategy that makes "
                "optimisers anew between epochs must make them again in load_state_dict(state)."
            )
        for scheduled, saved in zip(self._all, state, strict=True):
            scheduled.placed.load_state_dict(dict(saved))

    def _find(self, optimizer: torch.optim.Optimizer) -> Scheduled:
        for scheduled in self._all:
            if optimizer is scheduled.placed or optimizer is scheduled.bare:
                return scheduled
        raise ValueError(
            "ctx.minimise: this optimiser was not made by ctx.optimizer(...), or another one has taken its place; it "
            "would have no schedule and would not be saved. Of another kind: ctx.optimizer(modules, loss, kind='adam')."
        )

    def _set_rate(self, group: dict[str, Any], rate: float) -> None:
        if not self.lr_as_tensor:
            group["lr"] = rate
        elif isinstance(group["lr"], Tensor) and group["lr"].device == self._hardware.device:
            group["lr"].fill_(rate)  # where a captured step reads it
        else:
            group["lr"] = torch.tensor(rate, device=self._hardware.device)


def _group(lr: float, group: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """Return a group of parameters with the options of its module; factors of the rate multiply."""
    factor = group.get("lr_factor", 1.0) * options.get("lr_factor", 1.0)
    both = {key: value for key, value in {**group, **options}.items() if key != "lr_factor"}
    return {"lr": lr * factor, **both}


def _decaying_and_not(group: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a group in two, the second of the tensors of at most one dimension, without weight decay; none empty."""
    weights = [p for p in group["params"] if p.ndim > 1]
    others = [p for p in group["params"] if p.ndim <= 1]
    parts = [{**group, "params": weights}, {**group, "params": others, "weight_decay": 0.0}]
    return [part for part in parts if part["params"]]


def _is_pair(value: Any) -> bool:
    return isinstance(value, tuple) and len(value) == 2 and isinstance(value[1], dict)
