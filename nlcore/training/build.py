"""
From an experiment to everything that is needed to train it, in the order in which mistakes are cheapest to find.

Nothing is written here.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch

from nlcore.config.experiment import Experiment, refusal
from nlcore.contracts import DataSource
from nlcore.data.batches import TrainingBatches
from nlcore.data.prepare import TrainingData, prepare
from nlcore.errors import RunError, UserError
from nlcore.training.capture import CudaGraph, Recorder
from nlcore.training.context import OPTIMIZERS, Context, Facts
from nlcore.training.ema import Average
from nlcore.training.evaluate import Evaluator
from nlcore.training.hardware import Hardware, resolve_hardware, using_threads
from nlcore.training.threads import choose_threads
from nlcore.training.trainer import Trainer


@dataclass(frozen=True)
class Prepared:
    """An experiment with its data loaded and its networks made: all that is needed to say what will happen."""

    experiment: Experiment
    data: TrainingData
    hardware: Hardware
    trainer: Trainer

    @property
    def parameters(self) -> int:
        """How many weights all networks have."""
        return sum(p.numel() for network in self.trainer.ctx.networks.values() for p in network.parameters())

    def plan(self, run_dir: str) -> dict[str, str]:
        """Return what will happen, in words, by topic."""
        experiment, data, settings = self.experiment, self.data, self.experiment.settings
        channels, height, width = data.image_shape
        held_out = f", {len(data.validation):,} held out for validation" if data.validation else ""
        networks = self.trainer.ctx.networks
        several = f"{len(networks)} networks, " if len(networks) > 1 else ""
        average = f", weights averaged (decay {settings.ema})" if settings.ema else ""
        plan = {
            "data": f"{experiment.dataset}: {len(data.train):,} training{held_out} and {len(data.test):,} test images, "
            f"{width}×{height}×{channels}, {data.num_classes} classes",
            "noise": f"{experiment.noise}, noise seed {settings.noise_seed}: {data.noise_in_words}",
            "architecture": f"{experiment.architecture}: {several}{self.parameters:,} weights",
            "loss": str(experiment.loss),
            "strategy": str(experiment.strategy),
            "training": f"{settings.epochs} epochs of batches of {settings.batch_size}, "
            f"{OPTIMIZERS[settings.optimizer].__name__} with lr {settings.lr} "
            f"({settings.lr_schedule}), momentum {settings.momentum}, weight decay {settings.weight_decay}, "
            f"seed {settings.seed}{average}",
            "hardware": f"{self.hardware.device} ({self.hardware.name}), {self.hardware.precision}, "
            f"{self.hardware.threads} thread{'s' * (self.hardware.threads > 1)}"
            f"{', CUDA graphs' if self.trainer.recorder else ''}",
            "run": run_dir,
        }
        if self.trainer.ctx.oracles:
            plan["oracle"] = f"{', '.join(self.trainer.ctx.oracles)} (told to the method; unknown in practice)"
        return plan

    def quicker(self) -> list[str]:
        """Return what would make this run shorter on a CPU; nothing on a GPU."""
        if self.hardware.device.type != "cpu":
            return []
        options = []
        if self.experiment.architecture.params.get("width", 0) > 16:
            options.append("--architecture.width 16")
        if self.experiment.settings.epochs > 5:
            options.append("--epochs 5")
        if "per_class" in self.experiment.dataset.params:
            options.append("--dataset.per_class 500")
        return [*options, "a machine with a GPU"]


@contextlib.contextmanager
def memory_in_words(experiment: Experiment) -> Iterator[None]:
    """
    Say what to lower where memory runs out inside.

    Raises:
        RunError: it did.

    """
    lower = f"lower --batch-size (now {experiment.settings.batch_size})"
    if "width" in experiment.architecture.params:
        lower += f" or --architecture.width (now {experiment.architecture.params['width']})"
    try:
        yield
    except (MemoryError, torch.OutOfMemoryError) as error:
        raise RunError(f"Out of memory: {lower}.") from error
    except RuntimeError as error:
        if "allocate memory" not in str(error):  # the CPU allocator raises no class of its own
            raise
        raise RunError(f"Out of memory: {lower}.") from error


def load_data(experiment: Experiment, report: Callable[[str], None]) -> TrainingData:
    """
    Check what can be checked without data, then load them.

    Raises:
        UserError: whatever is wrong with what the user gave.

    """
    settings = experiment.settings
    reason = refusal(experiment.create("loss"), experiment.create("strategy"))
    if reason:
        raise UserError(f"The loss {experiment.loss.name} and the strategy {experiment.strategy.name}: {reason}")
    resolve_hardware(settings.device, settings.precision, settings.threads)
    data = prepare(
        experiment.create("dataset"),
        experiment.create("noise"),
        DataSource(experiment.data_dir, not experiment.places.no_download, report),
        noise_seed=settings.noise_seed,
        validation=settings.validation,
    )
    if not len(data.train):
        raise UserError(f"validation = {settings.validation}: that leaves nothing to train on. Give a smaller share.")
    if settings.batch_size > len(data.train):
        raise UserError(
            f"batch_size = {settings.batch_size}: the training set has only {len(data.train):,} images. "
            "Give a smaller --batch-size."
        )
    if settings.validation and not data.validation:
        raise UserError(f"validation = {settings.validation}: that is less than one image of each class.")
    return data


def prepare_training(
    experiment: Experiment, data: TrainingData, precision: str | None = None, threads: str | None = None
) -> Prepared:
    """
    Make networks, losses and optimisers.

    Args:
        experiment: what to run.
        data: its data.
        precision, threads: what an earlier part of the run was computed with, to go on in the same way.

    Raises:
        UserError: a strategy that cannot do with what it is given.
        RunError: there is too little memory.

    """
    with memory_in_words(experiment):
        return _make(experiment, data, precision, threads)


def _make(experiment: Experiment, data: TrainingData, precision: str | None, threads: str | None) -> Prepared:
    settings = experiment.settings
    threads = threads or settings.threads
    hardware = resolve_hardware(settings.device, precision or settings.precision, threads, settings.deterministic)
    if threads == "auto" and hardware.device.type == "cpu":
        network = experiment.create("architecture").build(data.num_classes, data.image_shape)
        images = settings.epochs * len(data.train)
        hardware = replace(hardware, threads=choose_threads(network, data.image_shape, images, hardware))
    batches = TrainingBatches(data, settings.batch_size, settings.seed, hardware.device)
    ctx = Context(
        settings,
        Facts(data.num_classes, data.image_shape, batches.given, data.declared),
        experiment.create("architecture"),
        lambda: experiment.create("loss"),
        hardware,
        batches,
    )
    strategy: Any = experiment.create("strategy")
    with using_threads(hardware.threads):
        strategy.setup(ctx)
    evaluator = Evaluator(strategy, ctx, data, batches.pixels)
    average = Average(ctx.networks, settings.ema) if settings.ema else None
    recorder = None
    if settings.cuda_graphs and hardware.device.type == "cuda":
        stream = torch.cuda.Stream(hardware.device)  # type: ignore[no-untyped-call]
        recorder = Recorder(strategy, ctx, lambda: CudaGraph(stream))
    trainer = Trainer(strategy, ctx, batches, evaluator, average, settings.seed, recorder)
    return Prepared(experiment, data, hardware, trainer)
