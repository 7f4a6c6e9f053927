"""
An exponential moving average of all weights, evaluated in place of the weights that are trained.

    θ̄ ← d θ̄ + (1 − d) θ    after every step, with d = min(decay, (1 + n) / (10 + n)) after n steps,

so that the average follows quickly while it is young. Running statistics of batch normalisation are averaged too.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Set
from typing import Any

import torch
from torch import Tensor, nn


class WeightEMA:
    """The averaged weights of several networks and modules, by name."""

    def __init__(self, modules: Callable[[], Mapping[str, nn.Module]], decay: float) -> None:
        """
        Begin with the weights as they are.

        Args:
            modules: gives what is averaged; a strategy may make more between epochs.
            decay: d of old averages.

        """
        self._modules = modules
        self._decay = decay
        self._steps = 0
        self._averages = {name: [t.detach().clone() for t in _floats(module)] for name, module in modules().items()}

    @torch.no_grad()
    def update(self) -> None:
        """Take the weights after a step into the average."""
        self._steps += 1
        decay = min(self._decay, (1 + self._steps) / (10 + self._steps))
        for name, module in self._modules().items():
            if name not in self._averages:
                self._averages[name] = [t.detach().clone() for t in _floats(module)]
            torch._foreach_lerp_(self._averages[name], [t.detach() for t in _floats(module)], 1 - decay)

    @torch.no_grad()
    def begin_anew(self, redrawn: Set[int]) -> None:
        """Begin with these tensors as they are, given by identity: an average of two networks is neither of them."""
        self._steps = 0
        for name, averages in self._averages.items():
            for average, tensor in zip(averages, _floats(self._modules()[name]), strict=True):
                if id(tensor) in redrawn:
                    average.copy_(tensor)

    def state_dict(self) -> dict[str, Any]:
        """Return the averages and how many steps they have seen."""
        return {"steps": self._steps, "averages": self._averages}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore the averages."""
        self._steps = state["steps"]
        modules = self._modules()
        for name, tensors in state["averages"].items():
            own = [tensor.detach().clone() for tensor in _floats(modules[name])]
            for tensor, saved in zip(own, tensors, strict=True):
                tensor.copy_(saved)
            self._averages[name] = own

    @contextlib.contextmanager
    def swapped_in(self) -> Iterator[None]:
        """Let the modules have the averaged weights inside, their own outside."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    @torch.no_grad()
    def _swap(self) -> None:
        modules = self._modules()
        for name, averages in self._averages.items():
            for average, tensor in zip(averages, _floats(modules[name]), strict=True):
                average.data, tensor.data = tensor.data, average.data


@torch.no_grad()
def follow(teacher: nn.Module, network: nn.Module, decay: float) -> None:
    """Move a teacher's weights and running statistics towards its network's: θ̄ ← d θ̄ + (1 − d) θ."""
    torch._foreach_lerp_(_floats(teacher), [t.detach() for t in _floats(network)], 1 - decay)


def _floats(module: nn.Module) -> list[Tensor]:
    tensors = [*module.parameters(), *module.buffers()]
    return [tensor for tensor in tensors if tensor.is_floating_point()]
