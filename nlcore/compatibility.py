"""Which losses and strategies make no sense together, and why."""

from __future__ import annotations

import contextlib
from typing import Any

from nlcore.errors import PluginError
from nlcore.registry import registry


def compatibility() -> list[tuple[str, str, str]]:
    """Return the pairs of loss and strategy that refuse each other, with the reason: (loss, strategy, reason)."""
    known = registry()

    def all_of(kind: str) -> dict[str, Any]:
        made = {}
        for entry in known.of_kind(kind):
            with contextlib.suppress(PluginError):  # one that does not work is no reason to hide the others
                made[known.display_name(entry)] = known.create(kind, known.display_name(entry))
        return made

    strategies = all_of("strategy")
    pairs = [(loss, strategy) for loss in all_of("loss").items() for strategy in strategies.items()]
    reasons = [(loss[0], strategy[0], refusal(loss[1], strategy[1])) for loss, strategy in pairs]
    return [(loss, strategy, reason) for loss, strategy, reason in reasons if reason]


def refusal(loss: Any, strategy: Any) -> str | None:
    """Return why this loss and this strategy make no sense together, None where they do."""
    for one, other in ((strategy, loss), (loss, strategy)):
        reason: str | None = one.refuses(other) if hasattr(one, "refuses") else None
        if reason:
            return reason
    return None
