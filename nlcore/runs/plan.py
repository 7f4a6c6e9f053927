"""What will happen, in words, and what would take less time."""

from __future__ import annotations

from collections.abc import Mapping

from nlcore.config.balanced import when_unbalanced
from nlcore.config.experiment import Experiment
from nlcore.config.frozen import frozen_epochs
from nlcore.config.published import published_or_none
from nlcore.config.schedules import schedule_in_words
from nlcore.data.run_data import RunData
from nlcore.errors import plural
from nlcore.host.hookspecs import slots
from nlcore.training.trainer import Trainer

SHOWN_CLASSES = 10  # up to so many are named


def plan(experiment: Experiment, data: RunData, trainer: Trainer, run_dir: str) -> dict[str, str]:
    """Return what will happen, by topic."""
    settings, hardware, networks = experiment.settings, trainer.hardware, trainer.ctx.networks
    several = f"{len(networks)} networks, " if len(networks) > 1 else ""
    strong = experiment["strong"]
    asked_for = getattr(experiment["strategy"].sample, "asks_for_strong", False)
    shown = asked_for or strong.changed or strong.name != slots()["strong"][0].default
    found = {
        "data": _data_in_words(experiment, data),
        "classes": _classes_in_words(data),
        "noise": f"{experiment['noise']}, noise seed {settings.noise_seed}: {data.noise_in_words}",
        "augmentation": str(experiment["augmentation"])
        + (f"; strong{'' if asked_for else ', if the strategy asks for it'}: {strong}" if shown else ""),
        "architecture": f"{experiment['architecture']}: {several}{trainer.num_weights:,} weights"
        + (f", starting from {settings.init}" if settings.init else ""),
        "loss": str(experiment["loss"]),
        "strategy": str(experiment["strategy"]),
        "training": _training_in_words(experiment, trainer.ctx.steps()),
        "hardware": f"{hardware.device}{f' ({hardware.name})' if hardware.device.type == 'cuda' else ''}, "
        f"{hardware.precision}, {plural(hardware.threads, 'thread')}{', CUDA graphs' if trainer.capture else ''}"
        + _processes_in_words(experiment),
        "run": run_dir,
    }
    if experiment.preset is not None:
        found["preset"] = _preset_in_words(experiment)
    if trainer.ctx.oracles:
        found["oracle"] = f"{', '.join(trainer.ctx.oracles)} (told to the method; unknown in practice)"
    if experiment.notes or data.notes:
        found["note"] = "; ".join(note.removesuffix(".") for note in (*experiment.notes, *data.notes))
    return found


def speed_hints(experiment: Experiment, trainer: Trainer) -> tuple[str, ...]:
    """Return what would make this run shorter on a CPU; nothing on a GPU."""
    if trainer.hardware.device.type != "cpu":
        return ()
    options = []
    if experiment["architecture"].params.get("width", 0) > 16:
        options.append("--architecture.width 16")
    if experiment.settings.epochs > 5:
        options.append("--epochs 5")
    if "per_class" in experiment["dataset"].params:
        options.append("--dataset.per_class 500")
    return (*options, "a machine with a GPU")


def _processes_in_words(experiment: Experiment) -> str:
    settings = experiment.settings
    count = settings.devices * settings.num_nodes
    if count == 1:
        return ""
    where = f" on {settings.num_nodes} machines" if settings.num_nodes > 1 else ""
    norms = ", batch statistics of the whole batch" if settings.sync_batch_norm else ""
    return f", {count} processes{where}, each with a slice of the batch{norms}"


def _preset_in_words(experiment: Experiment) -> str:
    """Return the preset, what was published for it, and what is otherwise here."""
    assert experiment.preset is not None
    cited = published_or_none(experiment.preset)
    words = experiment.preset if cited is None else f"{experiment.preset}, published {cited} ({cited.source})"
    unlike = ", ".join(experiment.unlike_preset)
    return f"{words}; otherwise here: {unlike}" if unlike else words


def _data_in_words(experiment: Experiment, data: RunData) -> str:
    channels, height, width = data.image_shape
    held_out = f", {len(data.validation):,} held out for validation" if data.validation else ""
    trusted = f", {len(data.trusted):,} with their true labels" if data.trusted else ""
    further = "".join(f", {len(images):,} of {name}" for name, images in data.further_tests.items())
    return (
        f"{experiment['dataset']}: {len(data.train):,} training{held_out}{trusted} and {len(data.test):,} test images"
        f"{further}, {width}×{height}×{channels}"
    )


def _classes_in_words(data: RunData) -> str:
    """Return the number of classes, and the names and counts of up to ten."""
    if data.num_classes > SHOWN_CLASSES:
        return str(data.num_classes)
    counts = _counts(data)
    return f"{data.num_classes}: {', '.join(f'{name} {counts[name]:,}' for name in data.classes)}"


def _counts(data: RunData) -> Mapping[str, int]:
    import numpy as np

    counts = np.bincount(data.train.labels, minlength=data.num_classes).tolist()
    return dict(zip(data.classes, counts, strict=True))


def _training_in_words(experiment: Experiment, steps: int) -> str:
    settings, optimizer = experiment.settings, experiment["optimizer"]
    limited = settings.epoch_batches is not None
    batches = f" of {plural(steps, 'batch', 'batches')}" if limited else ", batches"
    parts = [f"{plural(settings.epochs, 'epoch')}{batches} of {settings.batch_size}"]
    rates = ", ".join(
        f"{key} {value}" for key, value in optimizer.params.items() if key in _ALWAYS or key in optimizer.changed
    )
    parts.append(f"{optimizer.name} with {rates.replace('_', ' ')} ({schedule_in_words(settings)})")
    if settings.freeze:
        whole = frozen_epochs(settings) == settings.epochs
        parts.append("the head alone" if whole else f"the head alone in the first {settings.freeze}")
    if settings.ema:
        parts.append(f"weights averaged (decay {settings.ema})")
    if settings.decay_weights_only:
        parts.append("no decay of biases and normalisations")
    if settings.clip_norm:
        parts.append(f"gradients clipped at {settings.clip_norm}")
    if settings.sampling == "balanced":
        own = when_unbalanced(experiment["strategy"], settings) is not None
        parts.append("classes balanced" + " where the strategy does not choose the samples" * own)
    return ", ".join([*parts, f"seed {settings.seed}"])


_ALWAYS = ("lr", "momentum", "weight_decay")
