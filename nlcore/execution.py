"""
Running an experiment, and going on with a run that was stopped.

Everything that can be wrong with what the user gave is found before the run directory is made. From then on the
directory is enough to go on, at whatever moment the process ends: the metrics of an epoch are written first, then its
checkpoint, and a resumed run cuts what is past the newest whole checkpoint.
"""

from __future__ import annotations

import contextlib
import json
import platform
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from nlcore.data.prepare import TrainingData
from nlcore.errors import RunError, UserError
from nlcore.experiment import Experiment, Layer, read_recipe, resolve
from nlcore.identity import differences, digest, identity
from nlcore.interrupt import stoppable
from nlcore.preparation import Prepared, load_data, prepare_training
from nlcore.runs import checkpoint, durable
from nlcore.runs.curves import draw_curves
from nlcore.runs.directory import ENDED, RunDirectory
from nlcore.runs.lock import locked
from nlcore.runs.result import Result, accuracies
from nlcore.terminal import Terminal
from nlcore.training.device import Hardware, using_threads
from nlcore.training.loop import DivergedError

GPU_SECONDS = 30.0  # between checkpoints on a GPU, where an epoch may take less than writing one


def dry_run(experiment: Experiment, terminal: Terminal) -> dict[str, str]:
    """
    Return the plan of an experiment; nothing is written.

    Raises:
        UserError: whatever is wrong with what the user gave.

    """
    data = load_data(experiment, terminal)
    run_dir = experiment.run_dir(digest(identity(experiment, data)))
    return prepare_training(experiment, data).plan(str(run_dir))


def execute(experiment: Experiment, terminal: Terminal, fresh: bool = False) -> Result:
    """
    Run an experiment; report its run where it is done already, go on with it where it is not.

    Args:
        experiment: what to run.
        terminal: follows.
        fresh: start over, in a directory of its own.

    Raises:
        UserError: whatever is wrong with what the user gave, or another process is at it.
        RunError: it could not go on.
        KeyboardInterrupt: it was stopped; its directory says so.

    """
    place = RunDirectory(experiment.run_dir(""))
    if not place.exists:
        place.check_place()
    data = load_data(experiment, terminal)
    stands_on = identity(experiment, data)
    directory = RunDirectory(experiment.run_dir(digest(stands_on)))
    if fresh:
        directory = directory.unused()
    elif directory.exists:
        _check_same(directory, stands_on)
        return _go_on(directory, experiment, data, terminal)
    directory.check_place()
    prepared = prepare_training(experiment, data)
    directory.create()
    with locked(directory.path, terminal.line):
        if directory.exists:  # made by another process in the meantime
            raise UserError(f"{directory.path} has just been made by another process. Run the same command again.")
        durable.sweep(directory.path)
        run = _Run(prepared, directory, terminal)
        run.begin(stands_on)
        return run.execute()


def resume(path: Path, changes: Layer, terminal: Terminal) -> Result:
    """
    Go on with a run; what it is comes from its directory.

    Args:
        path: the run directory.
        changes: ``epochs`` (more than before), ``device``, and where the data lie.
        terminal: follows.

    Raises:
        UserError: no run, a change that is not allowed, or methods, data or labels that are no longer the same.
        RunError: it cannot go on.
        KeyboardInterrupt: it was stopped again.

    """
    allowed = ("epochs", "device", "data_dir", "no_download", "checkpoint_every")
    for name in changes:
        if name not in allowed:
            raise UserError(f"{name} cannot change in a run; only {', '.join(allowed)} can.")
    directory = RunDirectory(path)
    Result.read(path)
    environment = directory.read_json("environment.json")
    recorded = environment["identity"]
    places = {"data_dir": environment["data_dir"], "runs_dir": str(path.parent), "name": path.name}
    experiment = resolve(read_recipe(path / "config.toml"), {**places, **changes})
    before = recorded["config"]["epochs"]
    if experiment.settings.epochs < before:
        raise UserError(f"epochs = {experiment.settings.epochs}: the run has {before}; more may be given, not fewer.")
    data = load_data(experiment, terminal)
    now = identity(experiment, data)
    may_differ = {key: now["config"][key] for key in ("epochs", "device")}
    _check_same(directory, now | {"nlcore": recorded["nlcore"]}, may_differ)
    if experiment.settings.epochs > before and experiment.settings.lr_schedule != "constant":
        terminal.line("The learning rate follows the longer schedule from here on.")
    return _go_on(directory, experiment, data, terminal)


def _check_same(directory: RunDirectory, now: dict[str, Any], may_differ: Mapping[str, Any] | None = None) -> None:
    recorded = directory.read_json("environment.json")["identity"]
    recorded["config"] |= may_differ or {}
    found = differences(recorded, now)
    if found:
        raise UserError(
            f"{directory.path} stands on something else: {'; '.join(found)}. "
            "Choose another name with --name, or start over with --fresh."
        )


def _go_on(directory: RunDirectory, experiment: Experiment, data: TrainingData, terminal: Terminal) -> Result:
    """Report a run that has ended; restore one that has not from its newest checkpoint and train on."""
    result = Result.read(directory.path)
    longer = experiment.settings.epochs > result.epochs
    if result.status in ENDED and not (longer and result.status == "done"):
        terminal.line(f"{directory.path}: this run is {result.status} already.")
        return result
    with locked(directory.path, terminal.line):
        durable.sweep(directory.path)
        environment = directory.read_json("environment.json")
        for line in _no_longer_so(environment, experiment):
            terminal.line(f"{line}: the numbers may differ in their last bits")
        state = checkpoint.load_newest(directory.path, terminal.line)
        prepared = prepare_training(experiment, data, environment["precision"], str(environment["threads"]))
        run = _Run(prepared, directory, terminal)
        if longer:
            directory.write_config(experiment.config())
        run.restore(state)
        return run.execute()


def _no_longer_so(environment: Mapping[str, Any], experiment: Experiment) -> list[str]:
    """Return in words what the recorded run was computed with and is no longer there."""
    packages = _packages()
    found = [
        f"{name} was {version} and is {packages[name]}"
        for name, version in environment["packages"].items()
        if packages.get(name) not in (version, None)
    ]
    wanted = experiment.settings.device
    if wanted != "auto" and wanted != environment["device"].removesuffix(":0"):
        found.append(f"the device was {environment['device']} and is {wanted}")
    return found


@dataclass
class _Run:
    prepared: Prepared
    directory: RunDirectory
    terminal: Terminal
    rows: list[dict[str, Any]] = field(default_factory=list)
    seconds_before: float = 0.0
    started: float = field(default_factory=time.perf_counter)
    saved_epoch: int = 0
    saved_at: float = 0.0
    saved_steps: int = 0

    def begin(self, stands_on: Mapping[str, Any]) -> None:
        """Write all that is known before training."""
        prepared = self.prepared
        self.directory.write_config(prepared.experiment.config())
        about = environment(prepared.experiment, prepared.hardware) | {"identity": stands_on}
        self.directory.write_json("environment.json", about)
        settings = prepared.experiment.settings
        noise = {"model": prepared.experiment.config()["noise"], "noise_seed": settings.noise_seed}
        self.directory.write_labels(prepared.data, noise)
        self._write_status("running")

    def restore(self, state: Mapping[str, Any] | None) -> None:
        """Take up a checkpoint; start from the beginning where there is none yet."""
        if state:
            self.prepared.trainer.load_state_dict(state["training"])
            self.rows = json.loads(state["rows"])
            self.seconds_before = state["seconds"]
            self.saved_epoch = len(self.rows)
        self.directory.write_metrics(self.rows)
        self._write_status("running")
        self.terminal.line(f"{self.directory.path}: going on after epoch {len(self.rows)}")

    def execute(self) -> Result:
        """Train and leave a complete run directory, whatever happens."""
        prepared, trainer = self.prepared, self.prepared.trainer
        plan = prepared.plan(str(self.directory.path))
        epochs, looked_at = prepared.experiment.settings.epochs, trainer.evaluator.images_per_epoch
        try:
            with stoppable(), using_threads(prepared.hardware.threads), prepared.hardware.deterministically():
                self.terminal.start(plan, epochs, looked_at, prepared.quicker())
                trainer.run(self.terminal, self._record, len(self.rows))
                return self._finish()
        except DivergedError as error:
            return self._write_status("diverged", message=f"{error}; a lower --lr may help")
        except KeyboardInterrupt:
            self.terminal.stop()
            dropped = trainer.steps - self.saved_steps
            message = f"stopped after epoch {self.saved_epoch}; {dropped} batches since its checkpoint are dropped"
            self._write_status("interrupted", message=message)
            self.terminal.line(f"{message}. Go on with: nl resume {self.directory.path}")
            raise
        except (MemoryError, torch.OutOfMemoryError) as error:
            raise self._failed(_out_of_memory(prepared)) from error
        except RuntimeError as error:
            if "allocate memory" in str(error):  # the CPU allocator raises no class of its own
                raise self._failed(_out_of_memory(prepared)) from error
            self._failed(f"{type(error).__name__}: {error}")
            raise
        except RunError as error:
            raise self._failed(str(error)) from error
        except BaseException as error:
            self._failed(f"{type(error).__name__}: {error}")
            raise
        finally:
            self.terminal.stop()

    def _record(self, row: dict[str, Any]) -> None:
        """Write an epoch's metrics, then its checkpoint where one is due."""
        self.rows.append(row)
        self.directory.append_metrics(row)
        settings, every = self.prepared.experiment.settings, self.prepared.experiment.places.checkpoint_every
        on_gpu = self.prepared.hardware.device.type == "cuda"
        too_soon = on_gpu and time.perf_counter() - self.saved_at < GPU_SECONDS
        last = row["epoch"] == settings.epochs
        if last or (row["epoch"] % every == 0 and not too_soon):
            state = {
                "training": self.prepared.trainer.state_dict(),
                "rows": json.dumps(self.rows),
                "seconds": self._seconds(),
            }
            checkpoint.save(self.directory.path, row["epoch"], state)
            self.saved_epoch, self.saved_steps = row["epoch"], self.prepared.trainer.steps
            self.saved_at = time.perf_counter()

    def _finish(self) -> Result:
        prepared, trainer = self.prepared, self.prepared.trainer
        with trainer.averaged():
            memorisation = trainer.evaluator.final()
            self.directory.write_weights(trainer.ctx.networks, prepared.data)
        experiment = prepared.experiment
        title = f"{experiment.loss.name}, {experiment.strategy.name} on {experiment.dataset.name}"
        self.directory.write_picture("curves.png", draw_curves(self.rows, title))
        result = self._write_status("done", memorisation=memorisation)
        checkpoint.keep(self.directory.path, 1)
        return result

    def _failed(self, message: str) -> RunError:
        """Mark the run as failed, as far as that can still be written, and return the error to raise."""
        with contextlib.suppress(RunError):  # on a full disk it stays "running"; the lock tells that nobody is
            self._write_status("failed", message=message)
        after = f"the checkpoint of epoch {self.saved_epoch} is intact" if self.saved_epoch else "no epoch was finished"
        return RunError(f"{message} The run has stopped; {after}. Go on with: nl resume {self.directory.path}")

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
            seconds=self._seconds(),
            images_per_second=round(images / trained, 1) if trained else None,
            **more,
        )
        self.directory.write_json("summary.json", result.to_json())
        return result

    def _seconds(self) -> float:
        return round(self.seconds_before + time.perf_counter() - self.started, 3)


def environment(experiment: Experiment, hardware: Hardware) -> dict[str, Any]:
    """Return what a run was made with: versions, hardware, where the data lay, and the command."""
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": _packages(),
        "device": str(hardware.device),
        "device_name": hardware.name,
        "precision": hardware.precision,
        "threads": hardware.threads,
        "data_dir": str(experiment.data_dir.absolute()),
        "command": sys.argv[1:],
    }


def _packages() -> dict[str, str]:
    names = ("nlcore", "torch", "torchvision", "numpy", "lightning-fabric")
    return {name: metadata.version(name) for name in names}


def _out_of_memory(prepared: Prepared) -> str:
    size = prepared.experiment.settings.batch_size
    lower = f"lower --batch-size (now {size})"
    if "width" in prepared.experiment.architecture.params:
        lower += f" or --architecture.width (now {prepared.experiment.architecture.params['width']})"
    return f"Out of memory on {prepared.hardware.device}: {lower}."
