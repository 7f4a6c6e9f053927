"""
One run from its first byte to its last: what is written when, and what becomes of it if it ends early.

The metrics of an epoch are written first, then its checkpoint; whatever happens, the directory says how the run ended.
Nothing that happens after the last epoch, a picture that cannot be drawn or a tracker that fails, loses the run.
"""

from __future__ import annotations

import contextlib
import json
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from nlcore.config.balanced import when_unbalanced
from nlcore.config.experiment import Experiment
from nlcore.data.called import called
from nlcore.data.run_data import RunData
from nlcore.errors import RunError
from nlcore.host.boundary import attributed
from nlcore.host.discovery import reason
from nlcore.rundir import checkpoint, plots
from nlcore.rundir.directory import RunDirectory
from nlcore.rundir.environment import environment, with_files
from nlcore.rundir.figures import calibration, per_class
from nlcore.rundir.model_file import ModelFile, as_json
from nlcore.rundir.result import Result, accuracies
from nlcore.rundir.samples import draw_samples
from nlcore.rundir.selection_file import write_selection
from nlcore.runs.plan import plan, speed_hints
from nlcore.training.hardware import peak_memory
from nlcore.training.memory import memory_in_words
from nlcore.training.observers import Observer, Row, Start
from nlcore.training.trainer import DivergedError, Trainer

MOST_CLASSES = 100  # whose confusion is in the summary, too: of a thousand it is a million numbers
GPU_SECONDS = 30.0  # between checkpoints on a GPU, where an epoch may take less than writing one


@dataclass
class Session(Observer):
    """A run that is going on in a directory which this process holds."""

    experiment: Experiment
    data: RunData
    trainer: Trainer
    directory: RunDirectory
    observers: Sequence[Observer]
    notes: list[str] = field(default_factory=list)  # what components had to say to the user, while the run was made too
    rows: list[Row] = field(default_factory=list)
    seconds_before: float = 0.0
    started: float = field(default_factory=time.perf_counter)
    saved_epoch: int = 0
    saved_at: float = 0.0
    saved_steps: int = 0
    _preset: dict[str, Any] = field(default_factory=dict)

    def begin(self, fingerprint: Mapping[str, Any]) -> None:
        """Write all that is known before training."""
        experiment, trainer = self.experiment, self.trainer
        self.directory.write_config(experiment.config())
        if experiment.preset is not None:
            self._preset = {"name": experiment.preset, "unlike": list(experiment.unlike_preset)}
        about = environment(experiment, trainer.hardware) | {"fingerprint": fingerprint}
        about |= {"notes": [*experiment.notes, *self.data.notes, *self.notes]}
        self.directory.write_json("environment.json", about | {"estimated_noise": as_json(trainer.ctx.estimated)})
        noise = {"model": experiment.config()["noise"], "noise_seed": experiment.settings.noise_seed}
        self.directory.write_labels(self.data, noise)
        self.directory.write_repeats(self.data.repeated)
        self._write_status("running")

    def restore(self, state: Mapping[str, Any] | None) -> None:
        """Take up a checkpoint; start from the beginning where there is none yet."""
        if state:
            self.trainer.load_state_dict(state["training"])
            self.trainer.ctx.oracles = list(state["oracles"])
            self.rows = json.loads(state["rows"])
            self.seconds_before = state["seconds"]
            self.saved_epoch = len(self.rows)
        self._preset = dict(Result.read(self.directory.path).preset)
        self.directory.write_metrics(self.rows)
        self._write_status("running")
        self._say(f"{self.directory.path}: going on after epoch {len(self.rows)}")

    def execute(self) -> Result:
        """Train and leave a complete run directory, whatever happens."""
        try:
            with (
                memory_in_words(self.experiment),
                self.trainer.hardware.computing(),
                attributed(self.experiment.entries),
            ):
                self._start()
                self.trainer.run([self, *self.observers], len(self.rows))
                return self._finish()
        except DivergedError as error:
            return self._end("diverged", message=f"{error}; a lower --lr may help")
        except KeyboardInterrupt:
            dropped = self.trainer.steps - self.saved_steps
            since = f"the checkpoint of epoch {self.saved_epoch}" if self.saved_epoch else "the start"
            message = f"stopped in epoch {len(self.rows) + 1}; {dropped} batches since {since} are dropped"
            self._end("interrupted", message=message)
            self._say(f"{message}. {self._how_to_go_on()}")
            raise
        except RunError as error:
            raise type(error)(self._failed(str(error))) from error
        except BaseException as error:
            self._say(self._failed(f"{type(error).__name__}: {error}."))
            raise

    def epoch(self, row: Row) -> None:
        """Write an epoch's metrics, then its checkpoint where one is due."""
        self.rows.append(row)
        self._write_notes()
        self.directory.append_metrics(row)
        settings, every = self.experiment.settings, self.experiment.storage.checkpoint_every
        on_gpu = self.trainer.hardware.device.type == "cuda"
        too_soon = on_gpu and time.perf_counter() - self.saved_at < GPU_SECONDS
        last = row["epoch"] == settings.epochs
        if last or (row["epoch"] % every == 0 and not too_soon):
            state = {
                "training": self.trainer.state_dict(),
                "rows": json.dumps(self.rows),
                "seconds": self._seconds(),
                "oracles": list(self.trainer.ctx.oracles),
            }
            checkpoint.save(self.directory.path, row["epoch"], state)
            self.saved_epoch, self.saved_steps = row["epoch"], self.trainer.steps
            self.saved_at = time.perf_counter()

    def line(self, text: str) -> None:
        """Keep what training has to say; the others who follow show it."""
        self.notes.append(text)

    def _write_notes(self) -> None:
        """Keep what has been said since with the run."""
        if self.notes:
            known = self.directory.read_json("environment.json")
            notes = [*dict.fromkeys([*known.get("notes", []), *self.notes])]
            self.directory.write_json("environment.json", known | {"notes": notes})
            self.notes.clear()

    def _start(self) -> None:
        if self.experiment["tracker"].parts:  # they show it; otherwise it would only take time
            with self._never_losing_the_run("samples.png"):
                self.directory.write_picture(
                    "samples.png", draw_samples(self.data, self.experiment.settings.noise_seed)
                )
        words = plan(self.experiment, self.data, self.trainer, str(self.directory.path))
        images = self.trainer.evaluator.images_per_epoch
        hints = speed_hints(self.experiment, self.trainer)
        watch = self.trainer.ctx.watchers.append
        start = Start(words, self.experiment.settings.epochs, len(self.rows), images, hints, watch)
        for observer in self.observers:
            observer.start(start)

    def _finish(self) -> Result:
        trainer, path = self.trainer, self.directory.path
        final = trainer.final()
        with trainer.averaged():
            self.directory.write_weights(trainer.ctx.saved)
        self._model_file().write(path)
        confusion = final.confusion
        classes = per_class(self.data.classes, confusion)
        with self._never_losing_the_run("selection.csv"):
            write_selection(path, self.data, *trainer.evaluator.opinions())
        with self._never_losing_the_run("confusion.csv"):
            self.directory.write_confusion(self.data.classes, confusion)
        ece = calibration(final.probabilities, self.data.test.labels).ece
        found: dict[str, Any] = {"memorisation": final.memorisation, "per_class": classes}
        found["confusion"] = tuple(confusion.tolist()) if len(classes) <= MOST_CLASSES else ()
        found["ece"] = ece if math.isfinite(ece) else None
        result = self._result("done", **found)
        with self._never_losing_the_run("curves.png"):
            self.directory.write_picture("curves.png", plots.draw_curves(self.rows, result))
        with self._never_losing_the_run("confusion.png"):
            shares = confusion / confusion.sum(axis=1, keepdims=True).clip(1)
            picture = plots.draw_confusion(shares, self.data.classes, "test set, last epoch", "predicted")
            self.directory.write_picture("confusion.png", picture)
        result = self._end("done", **found)  # last: a run that is killed before it is finished later
        checkpoint.keep(path, 1)
        return result

    @contextlib.contextmanager
    def _never_losing_the_run(self, name: str) -> Iterator[None]:
        """Say that a file is missing and why, whatever is raised inside."""
        try:
            yield
        except Exception as error:
            self._say(f"{name} was left out: {reason(error)}")

    def _model_file(self) -> ModelFile:
        data, experiment = self.data, self.experiment
        return ModelFile(
            classes=data.classes,
            image_shape=data.image_shape,
            mean=tuple(map(float, data.mean)),
            std=tuple(map(float, data.std)),
            num_samples=len(data.train),
            declared=as_json(data.declared),
            estimated=as_json(self.trainer.ctx.estimated),
            recipe=experiment.config(),
            plugin_files=experiment.plugin_files(),
            versions={slot: choice.parts[0].entry.version for slot, choice in experiment.deciding.items()},
        )

    def _failed(self, message: str) -> str:
        """Mark the run as failed, as far as that can still be written, and return what to tell the user."""
        with contextlib.suppress(RunError):  # on a full disk it stays "running"; the lock tells that nobody is
            self._end("failed", message=message)
        after = f"the checkpoint of epoch {self.saved_epoch} is intact" if self.saved_epoch else "no epoch was finished"
        return f"{message} The run has stopped; {after}. {self._how_to_go_on()}"

    def _how_to_go_on(self) -> str:
        return f"Go on with: {with_files(self.experiment.plugin_files(), 'resume', str(self.directory.path))}"

    def _say(self, text: str) -> None:
        for observer in self.observers:
            observer.line(text)

    def _end(self, status: str, **more: Any) -> Result:
        """Write how the run ended and tell the observers."""
        result = self._write_status(status, **more)
        for observer in self.observers:
            observer.end(result.to_json())
        return result

    def _write_status(self, status: str, **more: Any) -> Result:
        result = self._result(status, **more)
        self.directory.write_json("summary.json", result.to_json())
        return result

    def _result(self, status: str, **more: Any) -> Result:
        experiment, settings, trainer = self.experiment, self.experiment.settings, self.trainer
        trained = sum(row["seconds_train"] for row in self.rows)
        images = sum(row["images_per_second"] * row["seconds_train"] for row in self.rows)
        return Result(
            run_dir=self.directory.path,
            status=status,
            components={slot: choice.name for slot, choice in experiment.deciding.items()},
            seed=settings.seed,
            noise_seed=settings.noise_seed,
            epochs=settings.epochs,
            data=called(experiment["dataset"]),
            noise_rate=self.data.truth.noise_rate,
            test_accuracy=accuracies(self.rows),
            further_tests={name: accuracies(self.rows, f"test_accuracy_{name}") for name in self.data.further_tests},
            options=experiment.options(),
            oracles=tuple(trainer.ctx.oracles),
            preset=self._preset,
            num_weights=trainer.num_weights,
            sampling=settings.sampling if when_unbalanced(experiment["strategy"], settings) is None else None,
            labels_sha256=self.data.labels_sha256,
            seconds=self._seconds(),
            images_per_second=round(images / trained, 1) if trained else None,
            peak_memory=_rounded(peak_memory(trainer.hardware.device)),
            **more,
        )

    def _seconds(self) -> float:
        return round(self.seconds_before + time.perf_counter() - self.started, 3)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
