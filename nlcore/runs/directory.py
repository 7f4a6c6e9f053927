"""
The directory of one run: its files, and the order in which they are written.

    config.toml          the experiment, accepted by ``nl run``
    environment.json     versions, device, precision, threads, the plugins that were used
    labels.npz           ids, given and true labels, what was held out
    metrics.jsonl        one line an epoch
    weights.safetensors  the final weights, names prefixed by network
    curves.png           test accuracy and memorised wrong labels
    summary.json         the status, and at the end the result

``summary.json`` is there from the start with the status ``running``, and its status is the truth about the run.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlcore.errors import UserError

if TYPE_CHECKING:
    from torch import nn

    from nlcore.data.prepare import TrainingData

#: Statuses of a run that has ended and will not go on.
ENDED = ("done", "diverged")


@dataclass(frozen=True)
class RunDirectory:
    """Reads and writes one run's files."""

    path: Path

    @property
    def exists(self) -> bool:
        """Whether a run was begun here."""
        return (self.path / "summary.json").is_file()

    def check_place(self) -> None:
        """
        Check that the directory could be made, without making it.

        Raises:
            UserError: a part of its path is a file or may not be written to, or it holds something else.

        """
        there = next(parent for parent in (self.path, *self.path.absolute().parents) if parent.exists())
        if not there.is_dir():
            raise UserError(f"{there} is a file, so no run can be written to it. Choose a folder with --runs-dir.")
        if not os.access(there, os.W_OK | os.X_OK):
            raise UserError(f"There is no permission to write to {there}. Choose another folder with --runs-dir.")
        if there == self.path and any(there.iterdir()):
            raise UserError(f"{there} holds files, but no run of nlcore. Choose another name with --name.")

    def create(self) -> None:
        """
        Make the directory.

        Raises:
            UserError: it cannot be made.

        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(
                f"{self.path} cannot be made: {error.strerror}. Choose another folder with --runs-dir."
            ) from None

    def write_json(self, name: str, content: Mapping[str, Any]) -> None:
        """Write a JSON file in one piece: readers see the old one or the new one."""
        self._replace(name, (json.dumps(content, indent=2, allow_nan=False) + "\n").encode())

    def write_config(self, config: Mapping[str, Any]) -> None:
        """Write ``config.toml``."""
        import tomli_w

        self._replace("config.toml", tomli_w.dumps(config).encode())

    def append_metrics(self, row: Mapping[str, Any]) -> None:
        """Add one line to ``metrics.jsonl``."""
        with (self.path / "metrics.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(row, allow_nan=False) + "\n")

    def write_labels(self, data: TrainingData) -> None:
        """Write ``labels.npz``: every sample that training or validation was given, in the training set's order."""
        import numpy as np

        parts = [(data.train, data.truth, False)]
        if data.validation:
            parts.append((data.validation, data.validation_truth, True))
        known = data.truth.clean is not None
        np.savez_compressed(
            self.path / "labels.npz",
            ids=np.concatenate([samples.ids for samples, _, _ in parts]),
            given=np.concatenate([samples.given for samples, _, _ in parts]),
            true=np.concatenate([truth.clean for _, truth, _ in parts]) if known else np.empty(0, np.int64),
            validation=np.concatenate([np.full(len(samples), held_out) for samples, _, held_out in parts]),
            classes=np.array(data.classes),
        )

    def write_weights(self, networks: Mapping[str, nn.Module], data: TrainingData) -> None:
        """
        Write ``weights.safetensors``: contiguous copies, names prefixed by network.

        Its metadata hold what a model needs besides its weights: classes, image shape (C, H, W), mean and std.
        """
        from safetensors.torch import save

        tensors = {
            f"{name}.{key}": value.detach().cpu().contiguous().clone()
            for name, network in networks.items()
            for key, value in network.state_dict().items()
        }
        about = {
            "classes": data.classes,
            "image_shape": data.image_shape,
            "mean": data.mean,
            "std": data.std,
        }
        self._replace("weights.safetensors", save(tensors, {key: json.dumps(value) for key, value in about.items()}))

    def summary(self) -> dict[str, Any]:
        """Return ``summary.json``."""
        return self._read_json("summary.json")

    def metrics(self) -> list[dict[str, Any]]:
        """Return the rows of ``metrics.jsonl``; a torn last line does not count."""
        path = self.path / "metrics.jsonl"
        rows = []
        for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
            try:
                rows.append(json.loads(line))
            except json.JSONDecodeError:
                break
        return rows

    def _read_json(self, name: str) -> dict[str, Any]:
        try:
            content = json.loads((self.path / name).read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise UserError(f"{self.path} is no run: it has no {name}. 'nl table' lists runs.") from None
        except (OSError, ValueError) as error:
            raise UserError(f"{self.path / name} cannot be read: {error}.") from None
        if not isinstance(content, dict):
            raise UserError(f"{self.path / name} is not what a run writes.")
        return content

    def _replace(self, name: str, content: bytes) -> None:
        temporary = self.path / f".{name}.{os.getpid()}.tmp"
        temporary.write_bytes(content)
        temporary.replace(self.path / name)
