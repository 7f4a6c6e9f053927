"""Run directories made by hand: what a finished run leaves for tables and pictures, without training."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nlcore.config.experiment import resolve
from nlcore.rundir.directory import RunDirectory
from nlcore.rundir.result import Result, accuracies


def make_run(
    folder: Path,
    accuracy: Sequence[float],
    *,
    labels: str = "",
    code: str = "",
    data: str = "data",
    columns: Mapping[str, Sequence[float | None]] | None = None,
    result: dict[str, Any] | None = None,
    **words: Any,
) -> Path:
    """
    Write a run as it is after its last epoch, and return its directory.

    Args:
        folder: of the runs.
        accuracy: on the test set, of every epoch.
        labels: stands for the hash of the given labels; made from noise and noise seed where it is empty.
        code: stands for the hash of the loss's source code.
        data: stands for the hash of the data.
        columns: more columns of ``metrics.jsonl``.
        result: fields of `Result` that are other than of a plain run.
        words: what ``nl run`` would be given, with ``__`` for a dot: ``loss__q=0.7``.

    """
    experiment = resolve({"dataset": "digits"}, {key.replace("__", "."): value for key, value in words.items()})
    config = experiment.config()
    path = folder / f"run-{sum(1 for _ in folder.iterdir()) if folder.is_dir() else 0:04}"
    directory = RunDirectory(path)
    directory.create()
    directory.write_config(config)
    components = {
        slot: [{"name": name, "version": "1", "source_sha256": code if slot == "loss" else ""} for name in one.names]
        for slot, one in experiment.deciding.items()
    }
    fingerprint = {"nlcore": "0.1.0", "config": config, "components": components, "files_sha256": {}}
    fingerprint |= {"dataset_sha256": data, "labels_sha256": ""}
    directory.write_json("environment.json", {"fingerprint": fingerprint, "precision": "fp32"})
    more = columns or {}
    rows = [
        {"epoch": epoch, "test_accuracy": value, **{name: column[epoch - 1] for name, column in more.items()}}
        for epoch, value in enumerate(accuracy, start=1)
    ]
    directory.write_metrics(rows)
    settings = experiment.settings
    known: dict[str, Any] = {
        "status": "done",
        "epochs": settings.epochs,
        "noise_rate": 0.45,
        "test_accuracy": accuracies(rows),
        "options": experiment.options(),
        "labels_sha256": labels or f"{config['noise']} {settings.noise_seed}",
        "seconds": 10.0,
    }
    names = {slot: choice.name for slot, choice in experiment.deciding.items()}
    made = Result(
        run_dir=path, components=names, seed=settings.seed, noise_seed=settings.noise_seed, **(known | (result or {}))
    )
    directory.write_json("summary.json", made.to_json())
    return path


def make_study(folder: Path, accuracy: Mapping[str, Sequence[float]], **words: Any) -> None:
    """Write runs of one epoch: of each loss one for each accuracy, with seeds 1, 2, 3 and so on."""
    for loss, values in accuracy.items():
        for seed, value in enumerate(values, start=1):
            make_run(folder, [value], loss=loss, seed=seed, **words)


def forget(path: Path, word: str) -> None:
    """Leave a setting or a parameter out of a run's files, as if the run had been made before it was there."""
    directory = RunDirectory(path)
    slot, _, name = word.rpartition(".")

    def without(config: dict[str, Any]) -> dict[str, Any]:
        del (config[slot] if slot else config)[name]
        return config

    directory.write_config(without(tomllib.loads((path / "config.toml").read_text(encoding="utf-8"))))
    environment = json.loads((path / "environment.json").read_text(encoding="utf-8"))
    without(environment["fingerprint"]["config"])
    directory.write_json("environment.json", environment)
