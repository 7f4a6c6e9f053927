"""What a loss cannot be in a run: one of several views where only one is shown, one that begins after the end."""

from __future__ import annotations

from typing import Any

from nlcore.config.settings import TrainingSettings
from nlcore.errors import plural
from nlcore.host.selection import Selection


def of_single_views(loss: Any, strategy: Any) -> str | None:
    """Return why a loss that judges several views of an image together cannot do with a strategy that shows it one."""
    views = getattr(loss, "views", 1)
    if views <= 1 or getattr(strategy, "views_of_loss", False):
        return None
    return (
        f"the loss judges {views} views of an image together, and the strategy shows it one at a time, which would be "
        "another loss. Choose --strategy standard, or a loss of one view."
    )


def said_of_waiting(loss: Selection, settings: TrainingSettings) -> tuple[str, ...]:
    """Return what a user should know of a loss that is another one for as long as the run lasts."""
    epochs, what = getattr(loss.sample, "until", (0, ""))
    if settings.epochs > epochs:
        return ()
    return (
        f"The loss {loss.name} is {what} in its first {plural(epochs, 'epoch')}, and this run has "
        f"{settings.epochs:,}: see 'nl show {loss.name}' for what shortens them",
    )
