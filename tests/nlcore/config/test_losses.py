"""A loss that would be another one in this run: refused, or told."""

from __future__ import annotations

import pytest

import nlcore
from nlcore.config.experiment import resolve
from nlcore.host.registry import registry
from nlcore.parameters import parameters_of

STRATEGIES = [component.name for component in registry().of_kind("strategy") if component.name != "standard"]
LOSSES = [component.name for component in registry().of_kind("loss")]


def counted(loss: str) -> list[str]:
    """Return a loss's parameters that count epochs."""
    return [key for key, item in parameters_of(type(nlcore.create("loss", loss))).items() if item.epochs]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_loss_of_several_views_is_refused_where_one_is_shown(strategy: str) -> None:
    with pytest.raises(nlcore.UserError, match="The loss gjs and the strategy"):
        resolve({"loss": "gjs", "strategy": strategy})


def test_it_is_taken_where_they_are_shown_or_it_judges_one() -> None:
    resolve({"loss": "gjs"})
    resolve({"loss": "gjs", "loss.predictions": 1, "strategy": "mixup"})


@pytest.mark.parametrize("loss", [loss for loss in LOSSES if counted(loss)])
def test_a_run_that_ends_before_a_loss_begins_is_told(loss: str) -> None:
    late = {f"loss.{key}": 50 for key in counted(loss)}
    (said,) = [note for note in resolve({"loss": loss, "epochs": 49, **late}).notes if f"The loss {loss} is" in note]
    assert "this run has 49" in said
    assert not resolve({"loss": loss, "epochs": 51, **late}).notes
