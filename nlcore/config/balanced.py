"""``--sampling balanced``, and the strategies whose choice of samples it leaves alone."""

from __future__ import annotations

from nlcore.config.settings import TrainingSettings
from nlcore.host.selection import Selection


def when_unbalanced(strategy: Selection, settings: TrainingSettings) -> str | None:
    """Return when classes that are to be balanced are not, as the strategy chooses its samples; None where they are."""
    when: str | None = getattr(strategy.sample, "chooses_samples", None)
    if settings.epoch_batches is not None and getattr(strategy.sample, "chooses_among_drawn", False):
        return None
    return when if settings.sampling == "balanced" else None


def said_of_balanced(strategy: Selection, settings: TrainingSettings) -> tuple[str, ...]:
    """Return what a user should know of classes that are to be balanced."""
    when = when_unbalanced(strategy, settings)
    if when is None:
        return ()
    who = f"The strategy {strategy.name} chooses its samples itself {when}"
    return (f"{who}, and --sampling balanced does not balance what it chooses.",)
