"""What the settings of the learning rate's schedule come to, in words."""

from __future__ import annotations

from nlcore.config.settings import TrainingSettings
from nlcore.errors import plural

_TO = ("cosine", "linear")  # they end at lr_min


def schedule_in_words(settings: TrainingSettings) -> str:
    """Return a schedule with what shapes it: ``cosine to 0.001, after 5 epochs of warm-up``."""
    words = settings.lr_schedule.replace("_", " ")
    if settings.lr_schedule in _TO and settings.lr_min:
        words += f" to {settings.lr_min:g}"
    if settings.lr_schedule == "step":
        words += f" at {settings.lr_milestones.replace(',', ', ')} of the run"
    if settings.lr_warmup:
        words += f", after {_warm_up(settings)} of warm-up"
    return words


def said_of_schedule(settings: TrainingSettings) -> tuple[str, ...]:
    """Return what a user should know of settings of a schedule that change nothing, or never come to their end."""
    schedule, usual = settings.lr_schedule, TrainingSettings()
    said = []
    if settings.lr_min != usual.lr_min and schedule not in _TO:
        said.append(
            f"lr_min = {settings.lr_min:g} has no effect with lr_schedule = {schedule}: cosine and linear end at it"
        )
    if settings.lr_milestones != usual.lr_milestones and schedule != "step":
        said.append(
            f"lr_milestones = {settings.lr_milestones} has no effect with lr_schedule = {schedule}: step has them"
        )
    if settings.lr_warmup >= settings.epochs and settings.lr_warmup > 0:
        said.append(
            f"The learning rate rises for {_warm_up(settings)} (lr_warmup), and this run has "
            f"{plural(settings.epochs, 'epoch')}: it never reaches its value"
        )
    return tuple(said)


def _warm_up(settings: TrainingSettings) -> str:
    """Return its length, which may be a part of an epoch."""
    return f"{settings.lr_warmup:g} {'epoch' if settings.lr_warmup == 1 else 'epochs'}"
