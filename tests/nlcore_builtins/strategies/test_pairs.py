"""Built-in losses with built-in strategies, on real images through the front door."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pairs import PAIRS

import nlcore

#: What a clock decides.
TIMES = {"seconds_train", "seconds_evaluation", "images_per_second"}


def run(loss: str, strategy: str, runs_dir: Path, seed: int = 1) -> nlcore.Result:
    """Return the result of one epoch on the digits with a narrow network and the default noise."""
    return nlcore.run(
        dataset="digits",
        loss=loss,
        strategy=strategy,
        epochs=1,
        seed=seed,
        threads="1",
        runs_dir=runs_dir,
        quiet=True,
        **{"architecture.width": 4},  # type: ignore[arg-type]
    )


def numbers(result: nlcore.Result) -> list[dict[str, Any]]:
    """Return the metrics without what a clock decides."""
    return [{key: value for key, value in row.items() if key not in TIMES} for row in result.metrics]


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], nlcore.Result]:
    """Return the run of a pair with seed 1, made once for all tests here."""
    runs_dir = tmp_path_factory.mktemp("runs")
    return functools.cache(lambda loss, strategy: run(loss, strategy, runs_dir))


@pytest.mark.slow
@pytest.mark.parametrize(("loss", "strategy"), PAIRS)
def test_every_pair_runs(first: Callable[[str, str], nlcore.Result], loss: str, strategy: str) -> None:
    """Losses and strategies compose freely, but for those that refuse each other."""
    result = first(loss, strategy)
    assert (result.status, result.components["loss"], result.components["strategy"]) == ("done", loss, strategy)
    (row,) = result.metrics
    assert row["epoch"] == 1
    assert math.isfinite(row["train_loss"])
    assert 0 <= row["test_accuracy"] <= 1
    assert result.test_accuracy["last"] == row["test_accuracy"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("loss", "strategy"), [("gce", "standard"), ("elr", "mixup"), ("soft_bootstrap", "co_teaching")]
)
def test_the_seed_decides_every_number(
    first: Callable[[str, str], nlcore.Result], loss: str, strategy: str, tmp_path: Path
) -> None:
    """The same seed gives the same metrics, digit for digit; another one gives others from the same labels."""
    before = first(loss, strategy)
    again = run(loss, strategy, tmp_path / "again")
    other = run(loss, strategy, tmp_path / "other", seed=2)
    assert again.run_dir != before.run_dir  # a second run, not a report of the one before
    assert numbers(again) == numbers(before)
    assert numbers(other)[0]["train_loss"] != numbers(before)[0]["train_loss"]
    assert other.labels_sha256 == before.labels_sha256


@pytest.mark.slow
def test_losses_and_strategies_differ(first: Callable[[str, str], nlcore.Result]) -> None:
    """Each one has its say: from the same seed no two pairs give the same training loss."""
    pairs = [("gce", "standard"), ("elr", "standard"), ("gce", "mixup"), ("gce", "co_teaching")]
    assert len({numbers(first(*pair))[0]["train_loss"] for pair in pairs}) == len(pairs)
