"""
One run in several processes, of which no method knows.

All processes have the same weights, draw the same batches and do the same steps. One thing is divided among them, a
network's forward pass: process r of W computes its slice of a batch x, and every process gets all outputs,

    z = [f_θ(x_1), …, f_θ(x_W)],

so that losses, memories and selections see the whole batch everywhere. Backwards, the gathering hands process r
W · ∂L/∂z_r, and a step takes the mean (1/W) Σ_r g_r of the processes' gradients. A weight before the gathering, of
which each process has its slice's part, and one after it (a head on gathered features, a loss's own tensor), of which
each has the whole, both get the gradient that one process would have computed, wherever a method draws the line. So
does the batch, where it wants one: backwards, its slices' gradients are divided by W and gathered.

The statistics of batch normalisation are each slice's; the running ones are averaged.
"""

from __future__ import annotations

import contextlib
import functools
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

import torch
import torch.distributed as dist
from torch import Tensor, nn

from nlcore.errors import RunError

T = TypeVar("T")

_LOST = re.compile("connection|peer|socket|timed out|gloo", re.IGNORECASE)


class LostProcessError(RunError):
    """Another process of the run has ended."""


@dataclass(eq=False)
class Processes:
    """
    The processes of a run, seen from one of them.

    Attributes:
        rank: which one this is; the first, 0, is the only one that writes.
        count: W.
        local_rank: which one of this machine this is.
        local_count: how many this machine has.
        dividing: whether a network is computing a slice.
        why_lost: says what has become of the others where one cannot be reached.

    """

    rank: int = 0
    count: int = 1
    local_rank: int = 0
    local_count: int = 1
    dividing: bool = False
    why_lost: Callable[[], str] = field(default=lambda: "Another process of this run has ended.", repr=False)

    def __deepcopy__(self, memo: object) -> Processes:
        """Return itself: a copied network is computed by the same processes."""
        return self

    def divide(self, placed: nn.Module) -> nn.Module:
        """Let a network, and its ``features``, compute this process's slice and return all outputs; in place."""
        if self.count > 1:
            features = getattr(placed, "features", None)
            whole = {"forward": functools.partial(type(placed).forward, placed)}
            if callable(features) and not isinstance(features, nn.Module):
                whole["features"] = features
            for name, function in whole.items():  # a copied network has copies of these, which are its own
                object.__setattr__(placed, name, functools.partial(_divided, self, placed, function))
        return placed

    def average(self, gradients: Iterable[Tensor | None]) -> None:
        """Replace gradients, which may lie on any devices, by their mean over the processes."""
        if self.count > 1:
            self._average([gradient for gradient in gradients if gradient is not None])

    def sizes(self, count: int) -> list[int]:
        """Return the sizes of the slices of `count` samples; they differ by one at most, the first is the longest."""
        return [count // self.count + (rank < count % self.count) for rank in range(self.count)]

    def sum(self, tensor: Tensor) -> Tensor:
        """Return the sum over the processes, through which gradients flow back; every process must ask for it."""
        total: Tensor = _Sum.apply(tensor, self)
        return total

    def shared(self, make: Callable[[], T]) -> T:
        """Return what the first process makes, in all of them."""
        if self.count == 1:
            return make()
        told: list[T | None] = [make() if self.rank == 0 else None]
        with self.reaching():
            dist.broadcast_object_list(told)
        return cast(T, told[0])

    @contextlib.contextmanager
    def reaching(self) -> Iterator[None]:
        """
        Say what has happened where another process cannot be reached inside.

        Raises:
            LostProcessError: it has ended.

        """
        try:
            yield
        except RuntimeError as error:  # gloo's have no class of their own
            if not (isinstance(error, dist.DistError) or _LOST.search(str(error))):
                raise
            raise LostProcessError(self.why_lost()) from error

    @contextlib.contextmanager
    def one_slice(self, training: bool, device: torch.device) -> Iterator[None]:
        """Let dropout draw for this slice inside; outside, global generators go on alike in all processes."""
        self.dividing = True
        try:
            if training:
                seed = int(torch.randint(2**62, ())) + self.rank
                with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
                    torch.manual_seed(seed)
                    yield
            else:
                yield
        finally:
            self.dividing = False

    def average_buffers(self, network: nn.Module) -> None:
        """Replace running statistics by their mean over the processes."""
        self._average([buffer for buffer in network.buffers() if buffer.is_floating_point()])

    def agree(self, mine: str) -> bool:
        """Tell whether all processes have the same text."""
        if self.count == 1:
            return True
        said: list[Any] = [None] * self.count
        with self.reaching():
            dist.all_gather_object(said, mine)
        return len({*said}) == 1

    @torch.no_grad()
    def _average(self, tensors: list[Tensor]) -> None:
        for alike in _by_type(tensors):
            flat = torch.cat([tensor.reshape(-1) for tensor in alike]) / self.count
            with self.reaching():
                dist.all_reduce(flat)
            means = torch.split(flat, [tensor.numel() for tensor in alike])
            for tensor, mean in zip(alike, means, strict=True):
                tensor.data.copy_(mean.view_as(tensor))  # a backward pass to come does not read running statistics


#: The usual case.
ALONE = Processes()


def _divided(processes: Processes, network: nn.Module, function: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
    """Return what a network gives for a batch, of which this process computes its slice."""
    if processes.dividing or len(images) < 2 * processes.count:  # batch normalisation cannot take one sample
        return function(images)
    sizes = processes.sizes(len(images))
    training = any(part.training for part in network.modules())
    with processes.one_slice(training, images.device):
        own = function(_Slice.apply(images, sizes, processes))
    if not isinstance(own, Tensor):
        raise RunError(f"The network returned {type(own).__name__}; in several processes it must be a tensor.")
    if training:
        processes.average_buffers(network)
    gathered: Tensor = _Gather.apply(own, sizes, processes)
    return gathered


class _Slice(torch.autograd.Function):
    """A batch to this process's slice; backwards what all slices want of it, where somebody asks."""

    @staticmethod
    def forward(ctx: Any, images: Tensor, sizes: list[int], processes: Processes) -> Tensor:
        ctx.sizes, ctx.processes = sizes, processes
        return torch.split(images, sizes)[processes.rank].detach()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        return _gathered(gradients[0] / len(ctx.sizes), ctx.sizes, ctx.processes), None, None


class _Gather(torch.autograd.Function):
    """Slices to the whole batch, in order; backwards W times this process's part of the gradient."""

    @staticmethod
    def forward(ctx: Any, own: Tensor, sizes: list[int], processes: Processes) -> Tensor:
        ctx.sizes, ctx.rank = sizes, processes.rank
        return _gathered(own, sizes, processes)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        if torch.is_grad_enabled():
            raise RunError("Gradients of gradients (create_graph=True) are not to be had in several processes.")
        return torch.split(gradients[0], ctx.sizes)[ctx.rank] * len(ctx.sizes), None, None


class _Sum(torch.autograd.Function):
    """A sum over the processes; backwards, the sum of what each of them wants of it."""

    @staticmethod
    def forward(ctx: Any, own: Tensor, processes: Processes) -> Tensor:
        ctx.processes = processes
        return _summed(own, processes)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return _summed(gradients[0], ctx.processes), None


def _gathered(own: Tensor, sizes: list[int], processes: Processes) -> Tensor:
    """Return the slices of all processes, one after the other."""
    own = own.contiguous()
    padded = own if len(own) == sizes[0] else torch.cat([own, own[:1]])  # the first is the longest, by one
    slices = [torch.empty_like(padded) for _ in sizes]
    with processes.reaching():
        dist.all_gather(slices, padded)
    return torch.cat([one[:size] for one, size in zip(slices, sizes, strict=True)])


def _summed(own: Tensor, processes: Processes) -> Tensor:
    total = own.clone(memory_format=torch.contiguous_format)
    with processes.reaching():
        dist.all_reduce(total)
    return total


def _by_type(tensors: list[Tensor]) -> Iterable[list[Tensor]]:
    """Return the tensors that can be sent as one, together."""
    groups: dict[tuple[torch.device, torch.dtype], list[Tensor]] = {}
    for tensor in tensors:
        groups.setdefault((tensor.device, tensor.dtype), []).append(tensor)
    return groups.values()
