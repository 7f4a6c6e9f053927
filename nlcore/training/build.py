"""
The one place where a training is wired together.

    components, settings and data → batches → context → strategy.setup → evaluator → trainer

Everything that trains goes through here: runs, the conformance suite, benchmarks, tests.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nlcore.config.by_preset import naming_preset
from nlcore.config.experiment import Experiment
from nlcore.config.frozen import frozen_epochs
from nlcore.config.named import check_named_files
from nlcore.config.settings import TrainingSettings
from nlcore.contracts import Architecture, DatasetContext, NoiseInfo, Optimizer, Pass, Strategy
from nlcore.data.batches import TrainingBatches
from nlcore.data.prepare import prepare
from nlcore.data.run_data import RunData, TrainingData
from nlcore.data.views import View, Views
from nlcore.errors import UserError
from nlcore.host.registry import registry
from nlcore.training.capture import CudaGraph, StepCapture
from nlcore.training.context import Context
from nlcore.training.ema import WeightEMA
from nlcore.training.evaluate import Evaluator
from nlcore.training.frozen import Freezable, FrozenBodies, refuse_drawn
from nlcore.training.hardware import Hardware, resolve_hardware, using_threads
from nlcore.training.initial import InitialWeights
from nlcore.training.memory import memory_in_words
from nlcore.training.pretrained import initial_weights, normalised_for, say_small
from nlcore.training.processes import ALONE, Processes
from nlcore.training.threads import choose_threads
from nlcore.training.trainer import Trainer
from nlcore.training.unsaved import say_unsaved


@dataclass(frozen=True)
class Components:
    """
    What a training is made of besides data and settings.

    Attributes:
        strategy: not set up yet.
        architecture: builds its networks.
        make_loss: makes a loss for each of them.
        optimizer: the run's.
        views: ``weak`` and ``strong``.

    """

    strategy: Strategy
    architecture: Architecture
    make_loss: Callable[[], Any]
    optimizer: Optimizer
    views: Views

    def make_optimizer(self, kind: str | None, overrides: Mapping[str, Any]) -> Optimizer:
        """Return the run's optimiser, or one of another kind, with these parameters instead of its own."""
        if kind is not None:
            other: Optimizer = registry().create("optimizer", kind, overrides)
            return other
        if not overrides:
            return self.optimizer
        changed: Optimizer = registry().with_parameters("optimizer", self.optimizer, overrides)
        return changed


def wire(
    components: Components,
    settings: TrainingSettings,
    data: RunData,
    hardware: Hardware,
    *,
    report: Callable[[str], None] = lambda text: None,
    wrap: Callable[[Context], Any] = lambda ctx: ctx,
    estimate: Callable[[], NoiseInfo] | None = None,
    initial: InitialWeights | None = None,
    progress: Callable[[int, int, str], None] = lambda done, total, what: None,
) -> Trainer:
    """
    Make networks, losses and optimisers, and return what trains them.

    Args:
        components: instances; the strategy's ``setup`` is called.
        settings: of the run.
        data: of the run.
        hardware: to compute on.
        report: takes what components have to say to the user.
        wrap: what the strategy is given in place of the context, for looking over its shoulder.
        estimate: estimates the noise for strategies that ask.
        initial: what the networks start from, None where they are drawn.
        progress: is told how many images have been described where features are computed once.

    Raises:
        UserError: networks that cannot be frozen as the settings want it.

    """
    training = data.training
    batches = TrainingBatches(
        training,
        components.views,
        settings.batch_size,
        settings.seed,
        hardware.device,
        settings.sampling == "balanced",
        settings.epoch_batches,
    )
    there = len(batches.lengths(Pass()))
    if settings.epoch_batches is not None and there < settings.epoch_batches:
        report(f"epoch_batches = {settings.epoch_batches:,}: there are only {there:,}, and an epoch takes all of them")
    ctx = Context(
        settings,
        training,
        Freezable(components.architecture) if settings.freeze else components.architecture,
        components.make_loss,
        components.make_optimizer,
        hardware,
        batches,
        report,
        initial,
        estimate,
    )
    with using_threads(hardware.threads):
        components.strategy.setup(wrap(ctx))
    say_unsaved(components.strategy, ctx)
    if settings.freeze and initial is not None:
        refuse_drawn(initial.drawn)
    if getattr(components.strategy, "asks_for_strong", False) and batches.strong_is_weak:
        report("The strong view is the weak one; --strong gives it other augmentations.")
    if settings.trusted and not ctx.asked_trusted:
        report(
            f"The strategy does not use the {settings.trusted:,} images whose true labels --trusted tells it, and "
            "nothing is trained on them."
        )
    evaluator = Evaluator(components.strategy, ctx, data, batches.images)
    average = WeightEMA(lambda: {**ctx.networks, **ctx.modules}, settings.ema) if settings.ema else None
    ctx.average = average
    images = [*batches.all_images, *evaluator.held_out]
    frozen = FrozenBodies(frozen_epochs(settings), settings.epochs, ctx, images, progress)
    capture = None
    if settings.cuda_graphs and hardware.processes.count > 1:
        report("Steps are run one by one and not as CUDA graphs: a graph cannot wait for other processes.")
    elif settings.cuda_graphs and hardware.device.type == "cuda":
        stream = torch.cuda.Stream(hardware.device)  # type: ignore[no-untyped-call]
        capture = StepCapture(components.strategy, ctx, lambda: CudaGraph(stream))
    lr = components.optimizer.lr
    return Trainer(components.strategy, ctx, batches, evaluator, settings, lr, hardware, frozen, average, capture)


class Idle:
    """Stands for the run's loss where nothing is trained."""

    soft_targets = True

    def __call__(self, logits: Tensor, targets: Tensor, index: Tensor | None = None) -> Tensor:
        """Refuse."""
        raise RuntimeError("a trained model has no loss")


def wire_for_prediction(
    components: Components,
    settings: TrainingSettings,
    data: TrainingData,
    tensors: Mapping[str, Tensor],
    device: str,
    estimate: Callable[[], NoiseInfo] | None = None,
) -> Context:
    """
    Make networks without anything that trains them, load their weights, and return their context.

    Args:
        components: the strategy's ``setup`` is called; its losses do nothing.
        settings: of the run.
        data: without images: nobody asks for them.
        tensors: names prefixed by network, as in ``weights.safetensors``.
        device: as ``--device``.
        estimate: gives the noise that was estimated for the run.

    """
    hardware = resolve_hardware(device, "fp32", "auto")
    how = (components.architecture, Idle, components.make_optimizer, hardware)
    ctx = Context(settings, data, *how, estimate=estimate)
    components.strategy.setup(ctx)
    for name, network in ctx.saved.items():
        prefix = f"{name}."
        network.load_state_dict({k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)})
        network.eval()
    return ctx


def build(
    experiment: Experiment,
    data: RunData,
    precision: str | None = None,
    threads: str | None = None,
    report: Callable[[str], None] = lambda text: None,
    estimate: Callable[[], NoiseInfo] | None = None,
    processes: Processes = ALONE,
    progress: Callable[[int, int, str], None] = lambda done, total, what: None,
) -> Trainer:
    """
    Return what trains an experiment.

    Args:
        experiment: what to run.
        data: its data.
        precision, threads: what an earlier part of the run was computed with, to go on in the same way.
        report: takes what components have to say to the user.
        estimate: estimates the noise for strategies that ask.
        processes: of the run.
        progress: is told how far it is where features are computed once.

    Raises:
        UserError: a strategy that cannot do with what it is given.
        RunError: there is too little memory.

    """
    settings = experiment.settings
    with memory_in_words(experiment), naming_preset(experiment.preset, experiment.of_preset):
        threads = threads or settings.threads
        hardware = resolve_hardware(
            settings.device, precision or settings.precision, threads, settings.deterministic, processes
        )
        components = Components(
            strategy=experiment["strategy"].create(),
            architecture=experiment["architecture"].create(),
            make_loss=experiment["loss"].create,
            optimizer=experiment["optimizer"].create(),
            views={
                "weak": View(experiment["augmentation"].create_all(), experiment["augmentation"].names),
                "strong": View(experiment["strong"].create_all(), experiment["strong"].names),
            },
        )
        if threads == "auto" and hardware.device.type == "cpu" and processes.count == 1:
            network = components.architecture.build(data.num_classes, data.image_shape)
            epochs, count = max(1, settings.epochs - frozen_epochs(settings)), len(data.train)
            images = epochs * min(count, (settings.epoch_batches or count) * settings.batch_size)
            hardware = replace(hardware, threads=choose_threads(network, data.image_shape, images, hardware))
        initial = initial_weights(experiment, report)
        given: dict[str, Any] = {"report": report, "estimate": estimate, "initial": initial, "progress": progress}
        return wire(components, settings, data, hardware, **given)


def load_data(
    experiment: Experiment,
    report: Callable[[str], None],
    progress: Callable[[int, int, str], None] = lambda done, total, what: None,
) -> RunData:
    """
    Check what can be checked without data, then load them.

    Args:
        experiment: what to run.
        report: takes a line of text for the user.
        progress: is told while something takes long, see `nlcore.contracts.DatasetContext`.

    Raises:
        UserError: invalid input.

    """
    settings = experiment.settings
    with naming_preset(experiment.preset, experiment.of_preset):
        several = Processes(count=settings.devices * settings.num_nodes, local_count=settings.devices)
        resolve_hardware(settings.device, settings.precision, settings.threads, processes=several)
        initial_weights(experiment, report)  # read before anything that takes long, a download as well
        check_named_files(*experiment.deciding.values())
        data = prepare(
            experiment["dataset"].create(),
            experiment["noise"].create(),
            DatasetContext(experiment.data_dir, not experiment.storage.no_download, report, progress),
            noise_seed=settings.noise_seed,
            validation=settings.validation,
            trusted=settings.trusted,
            exclude=None if settings.exclude is None else Path(settings.exclude),
        )
        data = normalised_for(experiment["architecture"], data)
        say_small(experiment["architecture"], data, report)
        if not len(data.train):
            asked = " and ".join(
                f"{name} = {getattr(settings, name)}" for name in ("validation", "trusted") if getattr(settings, name)
            )
            raise UserError(f"{asked}: that leaves nothing to train on. Give a smaller share.")
        if settings.batch_size > len(data.train):
            raise UserError(
                f"batch_size = {settings.batch_size}: the training set has only {len(data.train):,} images. "
                "Give a smaller --batch-size."
            )
        if settings.validation and not data.validation:
            raise UserError(f"validation = {settings.validation}: that is less than one image of each class.")
        return data
