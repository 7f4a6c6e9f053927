"""A problem that trains in a fraction of a second, as a plugin, and the ways in which its runs are compared."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from helpers import install_plugin, make_data, plugin_source, squares

from nlcore.contracts import Data, DatasetContext
from nlcore.rundir import checkpoint

PLUGIN = plugin_source(nl_datasets={"toy": "toy:Toy"}, nl_architectures={"tiny": "helpers:NetArchitecture"})

#: A run of three epochs with everything in it that has a state: momentum, dropout, an average of the weights.
SETTINGS: dict[str, Any] = {
    "dataset": "toy",
    "architecture": "tiny",
    "epochs": 3,
    "batch_size": 32,
    "lr": 0.05,
    "ema": 0.9,
    "threads": "1",
    "precision": "fp32",
    "device": "cpu",
}


@dataclass(frozen=True)
class Toy:
    """96 training and 48 test images of four classes."""

    defaults: ClassVar[dict[str, Any]] = {"augmentation.padding": 1, "augmentation.flip": False}

    def load(self, source: DatasetContext) -> Data:
        """Return train and test."""
        images, labels = squares(96)
        return make_data(images, labels, test=squares(48, seed=1))


def install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Make ``toy`` and ``tiny`` known for the length of a test."""
    install_plugin(monkeypatch, tmp_path, "toy-plugin", PLUGIN)


def outcome(run_dir: Path) -> dict[str, Any]:
    """Return all of a finished run that the same seed must give again, bit for bit."""
    state = checkpoint.load_newest(run_dir, print)
    assert state is not None
    rows = [json.loads(line) for line in (run_dir / "metrics.jsonl").read_text().splitlines()]
    assert json.loads(state["rows"]) == rows
    summary = json.loads((run_dir / "summary.json").read_text())
    return {
        "training": state["training"],
        "rows": [_timeless(row) for row in rows],
        "summary": _timeless({**summary, "run_dir": None}),
        "weights": (run_dir / "weights.safetensors").read_bytes(),
    }


def equal(one: Any, other: Any) -> bool:
    """Tell whether two nested structures of tensors and primitives are the same; tensors bit for bit."""
    if isinstance(one, torch.Tensor):
        return isinstance(other, torch.Tensor) and one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, Mapping):
        return isinstance(other, Mapping) and one.keys() == other.keys() and all(equal(one[k], other[k]) for k in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(equal(a, b) for a, b in zip(one, other, strict=True))
    return bool(one == other)


def _timeless(row: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if "second" not in key and key != "peak_memory"}
