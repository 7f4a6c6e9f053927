"""The share of wrong labels that a method is told: a number, the declared rate, or an estimate."""

from __future__ import annotations

from typing import Literal

from nlcore import UserError
from nlcore.contracts import StrategyContext

Rate = float | Literal["auto"] | None


def resolve_rate(given: Rate, ctx: StrategyContext, name: str) -> float:
    """
    Return the rate that a parameter means.

    Args:
        given: a number; ``auto`` for an estimate that knows nothing of the truth; None for what the noise model
            declares, which marks the run as an oracle.
        ctx: of the strategy.
        name: of the parameter, for messages.

    Raises:
        UserError: nothing is declared.

    """
    if given == "auto":
        rate = ctx.estimated_noise().rate
        ctx.report(
            f"{name}: {rate:.4f}, estimated by the confident joint from samples held out in turn; a network that is "
            "often wrong makes it too high"
        )
        return rate
    if given is not None:
        return float(given)
    declared = ctx.declared_noise()
    if declared is None:
        raise UserError(
            f"strategy.{name}: the fraction of wrong labels is not declared here. Give it, as in "
            f"--strategy.{name} 0.2, or have it estimated: --strategy.{name} auto."
        )
    return declared.rate


def resolve_right(given: float | Literal["auto"], ctx: StrategyContext, name: str) -> float:
    """
    Return the share of right labels that a parameter means.

    Args:
        given: a number, or ``auto`` for 1 less the estimated share of wrong labels.
        ctx: of the strategy.
        name: of the parameter, for messages.

    """
    return 1 - resolve_rate("auto", ctx, f"1 - {name}") if given == "auto" else float(given)
