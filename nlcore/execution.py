"""
Running an experiment: checks first, then data, networks and the plan, then the run directory, then training.

Everything that can be wrong with what the user gave is found before the run directory is made.
"""

from __future__ import annotations

import platform
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib import metadata
from typing import Any

from nlcore.data.batches import TrainingBatches
from nlcore.data.prepare import TrainingData, prepare
from nlcore.errors import UserError
from nlcore.experiment import Experiment, read_recipe, refusal, resolve
from nlcore.registry import KINDS, registry
from nlcore.roles import DataSource
from nlcore.runs.curves import draw_curves
from nlcore.runs.directory import ENDED, RunDirectory
from nlcore.runs.result import Result, accuracies
from nlcore.terminal import Terminal
from nlcore.training.average import Average
from nlcore.training.context import Context, Facts
from nlcore.training.device import Hardware, resolve_hardware, using_threads
from nlcore.training.evaluate import Evaluator
from nlcore.training.loop import DivergedError, Trainer
from nlcore.training.threads import choose_threads


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

    def plan(self) -> dict[str, str]:
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
            "noise": f"{experiment.noise}, noise seed {settings.noise_seed}: {_noise_in_words(data)}",
            "architecture": f"{experiment.architecture}: {several}{self.parameters:,} weights",
            "loss": str(experiment.loss),
            "strategy": str(experiment.strategy),
            "training": f"{settings.epochs} epochs of batches of {settings.batch_size}, SGD with lr {settings.lr} "
            f"({settings.lr_schedule}), momentum {settings.momentum}, weight decay {settings.weight_decay}, "
            f"seed {settings.seed}{average}",
            "hardware": f"{self.hardware.device} ({self.hardware.name}), {self.hardware.precision}, "
            f"{self.hardware.threads} thread{'s' * (self.hardware.threads > 1)}",
            "run": str(experiment.run_dir),
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
            options.append("--architecture.width 16 (a sixteenth of the arithmetic)")
        if self.experiment.settings.epochs > 5:
            options.append("--epochs 5")
        if "per_class" in self.experiment.dataset.params:
            options.append("--dataset.per_class 500")
        return [*options, "a machine with a GPU"]


def prepare_experiment(experiment: Experiment, terminal: Terminal) -> Prepared:
    """
    Check an experiment, load its data and make its networks. Nothing is written.

    Raises:
        UserError: whatever is wrong with what the user gave.

    """
    settings = experiment.settings
    strategy, loss = experiment.create("strategy"), experiment.create("loss")
    reason = refusal(loss, strategy)
    if reason:
        raise UserError(f"The loss {experiment.loss.name} and the strategy {experiment.strategy.name}: {reason}")
    hardware = resolve_hardware(settings.device, settings.precision, settings.threads)
    source = DataSource(experiment.data_dir, not experiment.places.no_download, terminal.line)
    data = prepare(
        experiment.create("dataset"),
        experiment.create("noise"),
        source,
        noise_seed=settings.noise_seed,
        validation=settings.validation,
    )
    if settings.batch_size > len(data.train):
        raise UserError(
            f"batch_size = {settings.batch_size}: the training set has only {len(data.train):,} images. "
            "Give a smaller --batch-size."
        )
    if settings.validation and not data.validation:
        raise UserError(f"validation = {settings.validation}: that is less than one image of each class.")
    if settings.threads == "auto" and hardware.device.type == "cpu":
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
    with using_threads(hardware.threads):
        strategy.setup(ctx)
    evaluator = Evaluator(strategy, ctx, data, batches.pixels)
    average = Average(ctx.networks, settings.ema) if settings.ema else None
    return Prepared(experiment, data, hardware, Trainer(strategy, ctx, batches, evaluator, average, settings.seed))


def execute(experiment: Experiment, terminal: Terminal) -> Result:
    """
    Run an experiment, or report the run where it is done already.

    Raises:
        UserError: whatever is wrong with what the user gave, or an unfinished run of the same name.
        KeyboardInterrupt: the run was stopped; its directory says so.

    """
    directory = RunDirectory(experiment.run_dir)
    if directory.exists:
        return _existing(experiment, directory, terminal)
    directory.check_place()
    prepared = prepare_experiment(experiment, terminal)
    with using_threads(prepared.hardware.threads):
        return _Run(prepared, directory, terminal).execute()


@dataclass
class _Run:
    prepared: Prepared
    directory: RunDirectory
    terminal: Terminal
    rows: list[dict[str, Any]] = field(default_factory=list)
    started: float = field(default_factory=time.perf_counter)

    def execute(self) -> Result:
        """Train and leave a complete run directory, whatever happens."""
        prepared, trainer = self.prepared, self.prepared.trainer
        self.directory.create()
        self._write_status("running")
        self.directory.write_config(prepared.experiment.config())
        self.directory.write_json("environment.json", environment(prepared.experiment, prepared.hardware))
        self.directory.write_labels(prepared.data)
        looked_at = trainer.evaluator.images_per_epoch
        self.terminal.start(prepared.plan(), prepared.experiment.settings.epochs, looked_at, prepared.quicker())
        try:
            trainer.run(self.terminal, self._record)
            return self._finish()
        except DivergedError as error:
            return self._write_status("diverged", message=f"{error}; a lower --lr may help")
        except KeyboardInterrupt:
            self._write_status("interrupted", message=f"stopped after {len(self.rows)} epochs")
            raise
        except BaseException as error:
            self._write_status("failed", message=f"{type(error).__name__}: {error}")
            raise
        finally:
            self.terminal.stop()

    def _record(self, row: dict[str, Any]) -> None:
        self.rows.append(row)
        self.directory.append_metrics(row)

    def _finish(self) -> Result:
        prepared, trainer = self.prepared, self.prepared.trainer
        with trainer.averaged():
            memorisation = trainer.evaluator.final()
            self.directory.write_weights(trainer.ctx.networks, prepared.data)
        experiment = prepared.experiment
        title = f"{experiment.loss.name}, {experiment.strategy.name} on {experiment.dataset.name}"
        draw_curves(self.rows, title, self.directory.path / "curves.png")
        return self._write_status("done", memorisation=memorisation)

    def _write_status(self, status: str, **more: Any) -> Result:
        prepared, experiment = self.prepared, self.prepared.experiment
        settings = experiment.settings
        trained = sum(row["seconds_train"] for row in self.rows)
        images = sum(row["images_per_second"] * row["seconds_train"] for row in self.rows)
        result = Result(
            run_dir=self.directory.path,
            status=status,
            dataset=experiment.dataset.name,
            noise=experiment.noise.name,
            architecture=experiment.architecture.name,
            loss=experiment.loss.name,
            strategy=experiment.strategy.name,
            seed=settings.seed,
            noise_seed=settings.noise_seed,
            epochs=settings.epochs,
            noise_rate=prepared.data.noise_rate,
            test_accuracy=accuracies(self.rows),
            oracles=tuple(prepared.trainer.ctx.oracles),
            parameters=prepared.parameters,
            labels_sha256=prepared.data.labels_sha256,
            seconds=round(time.perf_counter() - self.started, 3),
            images_per_second=round(images / trained, 1) if trained else None,
            **more,
        )
        self.directory.write_json("summary.json", result.to_json())
        return result


def environment(experiment: Experiment, hardware: Hardware) -> Mapping[str, Any]:
    """Return what a run was made with: versions, hardware, and who brought each component."""
    known = registry()
    used = {kind: known.find(kind, experiment.choice(kind).name) for kind in KINDS}
    packages = ("nlcore", "torch", "torchvision", "numpy", "lightning-fabric")
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {name: metadata.version(name) for name in packages},
        "components": {
            kind: {"name": entry.full_name, "version": entry.version, "target": entry.component.target}
            for kind, entry in used.items()
        },
        "device": str(hardware.device),
        "device_name": hardware.name,
        "precision": hardware.precision,
        "threads": hardware.threads,
        "command": sys.argv[1:],
    }


def _existing(experiment: Experiment, directory: RunDirectory, terminal: Terminal) -> Result:
    result = Result.read(directory.path)
    recorded = resolve(read_recipe(directory.path / "config.toml")).config()
    wanted = experiment.config()
    differing = [key for key in wanted if wanted[key] != recorded.get(key)]
    if differing:
        raise UserError(
            f"{directory.path} is a run with another {' and '.join(differing)}. Choose another name with --name."
        )
    if result.status not in ENDED:
        raise UserError(
            f"{directory.path} is an unfinished run (status: {result.status}). "
            "Delete it to start over, or choose another name with --name."
        )
    terminal.line(f"{directory.path}: this run is {result.status} already; delete it to run it again.")
    return result


def _noise_in_words(data: TrainingData) -> str:
    realised = "unknown" if data.noise_rate is None else f"{data.noise_rate:.2%}"
    declared = f"{data.declared.rate:.2%} declared, " if data.declared else ""
    return f"{declared}{realised} of the labels wrong"
