"""
The settings of a run besides its components: how it is trained, and where things are stored.

They are declared like a component's parameters, so that the command line, recipes and Python take them from here.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from nlcore.parameters import parameter
from nlcore.textfiles import expand_home

#: Parameters that are so common that they have a short name, ``--lr`` for ``--optimizer.lr``.
SHORT_NAMES = {"lr": "optimizer.lr", "momentum": "optimizer.momentum", "weight_decay": "optimizer.weight_decay"}

#: How a run is divided among processes; but for batch statistics, its numbers are the same up to the order of sums.
PROCESSES = ("devices", "num_nodes")

#: Settings that name a file, which is known by its content: when a run is resumed, its place may change.
FILES = ("init", "exclude")

#: What may change when a run is resumed.
RESUMABLE = ("epochs", "device", *PROCESSES, *FILES, "data_dir", "no_download", "checkpoint_every", "tracker")


@dataclass(frozen=True)
class TrainingSettings:
    """How a run is trained: what decides its numbers."""

    epochs: int = parameter(20, "passes over the training set", range="[1, inf)", epochs=True)
    batch_size: int = parameter(128, "images per step; the last, smaller batch is kept", range="[2, inf)")
    epoch_batches: int | None = parameter(
        None, "batches in an epoch, of images that are drawn anew for each; none: all there are", range="[1, inf)"
    )
    lr_schedule: Literal["constant", "step", "cosine", "linear", "one_cycle"] = parameter(
        "constant", "how the learning rate changes over the run; step divides it by 10 at each milestone"
    )
    lr_milestones: str = parameter("0.5,0.75", "for step: shares of the run, separated by commas")
    lr_min: float = parameter(0.0, "for cosine and linear: the learning rate at the end", range="[0, inf)")
    lr_warmup: float = parameter(0.0, "epochs over which the learning rate rises from 0", range="[0, inf)", epochs=True)
    decay_weights_only: bool = parameter(False, "no weight decay on biases and normalisations: what has one dimension")
    clip_norm: float | None = parameter(None, "largest norm of all gradients of a step together", range="(0, inf)")
    init: str | None = parameter(None, "a run, or a file of weights, that networks start from", path=True)
    freeze: int | Literal["all"] = parameter(
        0,
        "epochs that train the head alone, on features that are computed once, or all",
        range="[0, inf)",
        epochs=True,
    )
    ema: float | None = parameter(
        None, "decay of an average of the weights that is evaluated and saved instead", range="(0, 1)"
    )
    sampling: Literal["shuffled", "balanced"] = parameter(
        "shuffled", "balanced shows each given class equally often in an epoch, images of rare ones repeatedly"
    )
    validation: float = parameter(0.0, "fraction of the noisy training set to hold out", range="[0, 1)")
    trusted: int = parameter(0, "images whose true labels the method is told, apart from the others", range="[0, inf)")
    exclude: str | None = parameter(
        None, "training images to leave out: a file of ids, or the folder of an audit", path=True
    )
    seed: int = parameter(1, "seed of weights, order and augmentation", range="[0, inf)")
    noise_seed: int = parameter(1, "seed of the noise, and of what is held out or trusted", range="[0, inf)")
    device: str = parameter("auto", "auto, cpu, cuda or cuda:N")
    devices: int = parameter(1, "processes that share each batch on this machine, each with a GPU", range="[1, inf)")
    num_nodes: int = parameter(1, "machines, each with so many processes", range="[1, inf)")
    sync_batch_norm: bool = parameter(
        False, "in several processes: batch statistics of the whole batch, not of each one's slice"
    )
    precision: Literal["auto", "fp32", "bf16"] = parameter(
        "auto", "auto takes bf16 where the hardware computes in it; weights stay fp32"
    )
    deterministic: bool = parameter(False, "on a GPU: the same bits again, at some cost; a CPU always gives them")
    cuda_graphs: bool = parameter(False, "on a GPU: capture a training step once and replay it, as a CUDA graph")
    threads: str = parameter("auto", "CPU threads, or auto: one or all, whichever trains faster here and now")


@dataclass(frozen=True)
class Storage:
    """Where things are stored and how often: what changes nothing about the numbers of a run."""

    data_dir: str | None = parameter(None, "folder of the data (default: NL_DATA_DIR, else your cache directory)")
    no_download: bool = parameter(False, "never download data")
    runs_dir: str = parameter("runs", "folder that run directories are made in")
    name: str | None = parameter(None, "name of the run directory (default: made from all that decides the result)")
    checkpoint_every: int = parameter(1, "epochs between checkpoints", range="[1, inf)")
    histories: bool = parameter(
        False, "keep how far each sample's given label was ahead in each epoch: nl audit --run RUN --detector aum"
    )


def switch(name: str, on: bool = True) -> str:
    """Return how a setting that is true or false is typed: ``--deterministic``, for off ``--no-deterministic``."""
    plain = name.replace("_", "-")
    if on:
        return f"--{plain}"
    return f"--{plain.removeprefix('no-')}" if plain.startswith("no-") else f"--no-{plain}"


def data_directory(given: str | None = None) -> Path:
    """Return where data lie: what was given, else ``NL_DATA_DIR``, else the user's cache directory."""
    chosen = given or os.environ.get("NL_DATA_DIR")
    if chosen:
        return expand_home(chosen)
    import platformdirs

    return Path(platformdirs.user_cache_dir("nlcore", appauthor=False))
