"""``--sampling balanced``, and the strategies whose choice of samples it leaves alone."""

from __future__ import annotations

from nlcore.config.settings import TrainingSettings
from nlcore.host.selection import Selection


def chooses_samples(strategy: Selection) -> str | None:
    """Return when a strategy chooses the samples of an epoch itself, in words; None where it never does."""
    when: str | None = getattr(strategy.sample, "chooses_samples", None)
    return when


def said_of_balanced(strategy: Selection, settings: TrainingSettings) -> tuple[str, ...]:
    """Return what a user should know of classes that are to be balanced."""
    when = chooses_samples(strategy)
    if settings.sampling != "balanced" or when is None:
        return ()
    who = f"The strategy {strategy.name} chooses its samples itself {when}"
    return (f"{who}, and --sampling balanced does not balance what it chooses.",)
