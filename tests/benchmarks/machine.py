"""What a benchmark was run on."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

import torch

from nlcore.training.hardware import available_cpus, resolve_hardware
from nlcore.version import __version__


def describe() -> dict[str, Any]:
    """Return processor, its features, GPU and versions."""
    return {
        "cpu": _model(),
        "processors": available_cpus(),
        "cpu_features": _features(),
        "cpu_precision": resolve_hardware("cpu", "auto", "1").precision,
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "torch": torch.__version__,
        "nlcore": __version__,
    }


def load_average() -> float:
    """Return how many processes wanted a processor over the last minute, ours included."""
    return round(os.getloadavg()[0], 2)


def _model() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _features() -> str:
    """Return the widest instructions torch uses, and those for bf16."""
    probes = {"avx512_bf16": "_is_avx512_bf16_supported", "amx": "_is_amx_tile_supported"}
    there = [name for name, probe in probes.items() if getattr(torch.cpu, probe, bool)()]
    return ", ".join([torch.backends.cpu.get_cpu_capability(), *there])
