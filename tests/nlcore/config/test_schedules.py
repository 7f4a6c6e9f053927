"""A schedule in words, and settings of it that change nothing."""

from __future__ import annotations

from typing import Any

import pytest

from nlcore.config.experiment import resolve
from nlcore.config.schedules import schedule_in_words
from nlcore.config.settings import TrainingSettings


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, "constant"),
        ({"lr_schedule": "cosine"}, "cosine"),
        ({"lr_schedule": "cosine", "lr_min": 0.001, "lr_warmup": 5.0}, "cosine to 0.001, after 5 epochs of warm-up"),
        ({"lr_schedule": "linear", "lr_min": 0.01}, "linear to 0.01"),
        ({"lr_schedule": "linear", "lr_warmup": 1.0}, "linear, after 1 epoch of warm-up"),
        ({"lr_schedule": "step"}, "step at 0.5, 0.75 of the run"),
        ({"lr_schedule": "one_cycle", "lr_warmup": 0.5}, "one cycle, after 0.5 epochs of warm-up"),
    ],
)
def test_a_schedule_is_shown_with_what_shapes_it(settings: dict[str, Any], words: str) -> None:
    assert schedule_in_words(TrainingSettings(**settings)) == words


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"lr_min": 0.01}, "lr_min = 0.01 has no effect with lr_schedule = constant"),
        ({"lr_min": 0.01, "lr_schedule": "step"}, "lr_min = 0.01 has no effect with lr_schedule = step"),
        ({"lr_min": 0.01, "lr_schedule": "linear"}, ""),
        (
            {"lr_milestones": "0.3", "lr_schedule": "cosine"},
            "lr_milestones = 0.3 has no effect with lr_schedule = cosine",
        ),
        ({"lr_milestones": "0.3", "lr_schedule": "step"}, ""),
        ({"lr_warmup": 10, "epochs": 3}, "for 10 epochs (lr_warmup), and this run has 3 epochs"),
        ({"lr_warmup": 2, "epochs": 3}, ""),
    ],
)
def test_what_changes_nothing_is_told(settings: dict[str, Any], said: str) -> None:
    notes = resolve({"dataset": "digits", **settings}).notes
    assert len(notes) == (1 if said else 0)
    assert said in " ".join(notes)
