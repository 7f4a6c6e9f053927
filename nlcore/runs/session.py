"""
One run from its first byte to its last: what is written when, and what becomes of it if it ends early.

The metrics of an epoch are written first, then its checkpoint; whatever happens, the directory says how the run ended.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nlcore.errors import RunError
from nlcore.rundir import checkpoint
from nlcore.rundir.directory import RunDirectory
from nlcore.rundir.environment import environment, with_files
from nlcore.rundir.plots import draw_curves
from nlcore.rundir.result import Result, accuracies
from nlcore.runs.terminal import Terminal
from nlcore.training.build import Prepared, memory_in_words
from nlcore.training.hardware import peak_memory, using_threads
from nlcore.training.trainer import DivergedError

GPU_SECONDS = 30.0  # between checkpoints on a GPU, where an epoch may take less than writing one


@dataclass
class Run:
    """A run that is going on in a directory which this process holds."""

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
            self.prepared.trainer.ctx.oracles = list(state["oracles"])
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
            with (
                memory_in_words(prepared.experiment),
                using_threads(prepared.hardware.threads),
                prepared.hardware.deterministically(),
            ):
                self.terminal.start(plan, epochs, len(self.rows), looked_at, prepared.quicker())
                trainer.run(self.terminal, self._record, len(self.rows))
                return self._finish()
        except DivergedError as error:
            return self._write_status("diverged", message=f"{error}; a lower --lr may help")
        except KeyboardInterrupt:
            self.terminal.stop()
            dropped = trainer.steps - self.saved_steps
            since = f"the checkpoint of epoch {self.saved_epoch}" if self.saved_epoch else "the start"
            message = f"stopped in epoch {len(self.rows) + 1}; {dropped} batches since {since} are dropped"
            self._write_status("interrupted", message=message)
            self.terminal.line(f"{message}. {self._how_to_go_on()}")
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
                "oracles": list(self.prepared.trainer.ctx.oracles),
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
        return RunError(f"{message} The run has stopped; {after}. {self._how_to_go_on()}")

    def _how_to_go_on(self) -> str:
        files = self.prepared.experiment.plugin_files()
        return f"Go on with: {with_files(files, 'resume', str(self.directory.path))}"

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
            options=experiment.options(),
            oracles=tuple(prepared.trainer.ctx.oracles),
            parameters=prepared.parameters,
            labels_sha256=prepared.data.labels_sha256,
            seconds=self._seconds(),
            images_per_second=round(images / trained, 1) if trained else None,
            peak_memory=_rounded(peak_memory(prepared.hardware.device)),
            **more,
        )
        self.directory.write_json("summary.json", result.to_json())
        return result

    def _seconds(self) -> float:
        return round(self.seconds_before + time.perf_counter() - self.started, 3)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
