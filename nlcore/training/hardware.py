"""
The device, the precision and the number of threads of a run. This is the one file that imports Fabric.

They are resolved once, before anything is trained, and recorded: the same three give the same numbers again.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import torch
from lightning_fabric import Fabric
from lightning_fabric.wrappers import _FabricModule
from torch import Tensor, nn

from nlcore.errors import ParameterError, UserError
from nlcore.training.allocator import keeping_memory
from nlcore.training.processes import ALONE, Processes


@dataclass(frozen=True)
class Hardware:
    """
    What a run computes on.

    Attributes:
        device: where everything lies and happens.
        precision: ``fp32`` or ``bf16`` (autocast; weights stay float32).
        threads: CPU threads for one operation.
        deterministic: whether a GPU is to give the same bits again.
        processes: of the run.

    """

    device: torch.device
    precision: str
    threads: int
    deterministic: bool
    _fabric: Fabric = field(repr=False)
    processes: Processes = ALONE

    def place(self, network: nn.Module) -> nn.Module:
        """
        Return the network on the device, in channels_last.

        Calling it, and calling its ``features``, computes in the run's precision and returns float32; its other methods
        compute in float32.
        """
        placed: nn.Module = self._fabric.setup_module(network.to(memory_format=torch.channels_last))
        features = getattr(network, "features", None)
        if callable(features) and not isinstance(features, nn.Module):  # Fabric's own wrapper covers forward alone
            object.__setattr__(placed, "features", functools.partial(_features, self, placed))
        return placed

    def bare(self, placed: nn.Module) -> nn.Module:
        """Return the network that was placed."""
        inner: nn.Module = placed.module if isinstance(placed, _FabricModule) else placed
        return inner

    def __deepcopy__(self, memo: object) -> Hardware:
        """Return itself: a copied network is computed on the same hardware."""
        return self

    def in_precision(self, function: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
        """Return what a function computes in the run's precision, in float32."""
        with self._fabric.autocast():
            found = function(images)
        return found.float() if found.dtype in (torch.bfloat16, torch.float16) else found

    def wrap(self, optimizer: torch.optim.Optimizer) -> torch.optim.Optimizer:
        """Return the optimiser set up for the device."""
        return cast(torch.optim.Optimizer, self._fabric.setup_optimizers(optimizer))

    def backward(self, objective: Tensor) -> None:
        """Compute gradients."""
        self._fabric.backward(objective)

    @contextlib.contextmanager
    def deterministically(self) -> Iterator[None]:
        """Let a GPU choose deterministic algorithms inside, where that was asked; a CPU always does."""
        if not (self.deterministic and self.device.type == "cuda"):
            yield
            return
        before = torch.are_deterministic_algorithms_enabled()
        torch.use_deterministic_algorithms(True)
        try:
            yield
        finally:
            torch.use_deterministic_algorithms(before)

    @contextlib.contextmanager
    def computing(self) -> Iterator[None]:
        """Compute inside as a run does: with its threads, deterministically where asked, and keeping memory."""
        with using_threads(self.threads), keeping_memory(self.device), self.deterministically():
            yield

    @property
    def name(self) -> str:
        """The device's model, as its maker calls it."""
        return torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else "CPU"


def _features(hardware: Hardware, placed: Any, images: Tensor) -> Tensor:
    return hardware.in_precision(placed.module.features, images)


def peak_memory(device: torch.device) -> float | None:
    """Return the GB (10⁹ bytes) held at most so far, of a GPU, else by this process; None where nothing tells."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e9
    status = Path("/proc/self/status")
    if status.is_file():  # Linux: ru_maxrss would begin with what the parent held when it started us
        words = next(line.split() for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(words[1]) * 1024 / 1e9
    try:
        import resource
    except ImportError:  # Windows
        return None
    most: int = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return (most if sys.platform == "darwin" else most * 1024) / 1e9


def resolve_hardware(
    device: str, precision: str, threads: str, deterministic: bool = False, processes: Processes = ALONE
) -> Hardware:
    """
    Return the hardware of this process for what was asked.

    Args:
        device: ``auto`` (a GPU where there is one), ``cpu``, ``cuda`` or ``cuda:N``.
        precision: ``auto`` (bf16 where the hardware computes in it), ``fp32`` or ``bf16``.
        threads: ``auto`` (the processors this process may use; see `nlcore.training.threads`) or a number.
        deterministic: whether a GPU is to give the same bits again, at some cost.
        processes: of the run; those of one machine share its processors and have a GPU each.

    Raises:
        UserError: a device that is not there, or no such precision or number.

    """
    if precision not in ("auto", "fp32", "bf16"):
        raise ParameterError(f"precision = {precision}: must be auto, fp32 or bf16 (default: auto).")
    chosen = _resolve_device(device, processes)
    if deterministic and chosen.type == "cuda":  # cuBLAS asks for this, before it is first used
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    name = ("bf16" if _has_bf16(chosen) else "fp32") if precision == "auto" else precision
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # the plan says what Fabric would
    fabric = Fabric(
        accelerator=chosen.type,
        devices=[chosen.index or 0] if chosen.type == "cuda" else 1,
        precision="bf16-mixed" if name == "bf16" else "32-true",
    )
    return Hardware(chosen, name, resolve_threads(threads, processes.local_count), deterministic, fabric, processes)


def resolve_threads(threads: str, sharing: int = 1) -> int:
    """Return the number of threads for ``auto`` or a number given as text; so many processes share the processors."""
    most = max(1, available_cpus() // sharing)
    if threads == "auto":
        return most
    # More threads than processors wait for each other: training gets many times slower, and so does the machine.
    if not re.fullmatch(r"[1-9][0-9]{0,3}", threads) or int(threads) > most:
        raise ParameterError(
            f"threads = {threads}: must be auto or a whole number from 1 to {most}, the number of processors "
            f"{'here' if sharing == 1 else 'here for each process'} (default: auto)."
        )
    return int(threads)


def available_cpus() -> int:
    """Return how many processors this process may use: those that the system gives it, and at most ``NL_CPUS``."""
    there = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    given = os.environ.get("NL_CPUS", "")
    return min(there, int(given)) if given.isdigit() and int(given) else there


@contextlib.contextmanager
def using_threads(threads: int) -> Iterator[None]:
    """Compute with this many threads inside, with as many as before outside."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _resolve_device(device: str, processes: Processes) -> torch.device:
    match = re.fullmatch(r"auto|cpu|cuda(?::(\d+))?", device)
    if not match:
        raise ParameterError(f"device = {device}: must be auto, cpu, cuda or cuda:N (default: auto).")
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if device == "auto":
        device = "cuda" if count else "cpu"
    if device == "cpu":
        return torch.device("cpu")
    several = processes.local_count
    if several > 1 and match.group(1):
        raise ParameterError(f"device = {device}: that is one device for {several} processes. Type --device cuda.")
    if several > count > 0:
        raise ParameterError(f"devices = {several}: there are {count} GPUs here, and each process needs one.")
    index = int(match.group(1) or processes.local_rank)
    if index >= count:
        there = f"cuda:0 to cuda:{count - 1}" if count > 1 else "cuda:0" if count else "no CUDA device"
        raise UserError(f"device = {device}: there is {there} here. Use --device cpu or --device auto.")
    return torch.device("cuda", index)


def _has_bf16(device: torch.device) -> bool:
    """Tell by capability: without such instructions bfloat16 works but is slower than float32."""
    if device.type == "cuda":
        return bool(torch.cuda.get_device_capability(device) >= (8, 0))
    cpu: Any = torch.cpu
    probes = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(cpu, probe)() for probe in probes if hasattr(cpu, probe))
