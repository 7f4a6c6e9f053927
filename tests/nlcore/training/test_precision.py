"""Computing in bfloat16 changes accuracies by no more than another seed does."""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Any

import pytest

import nlcore

SEEDS = (1, 2, 3)
SETTINGS: dict[str, Any] = {
    "dataset": "digits",
    "noise.rate": 0.3,
    "architecture.width": 8,
    "epochs": 12,
    "lr_schedule": "one_cycle",
}


@pytest.mark.slow
def test_bf16_and_fp32_agree_within_seed_noise(tmp_path: Path) -> None:
    """Three seeds each; the mean of the last three epochs, to be less at the mercy of one."""
    found: dict[str, list[float]] = {}
    for precision in ("fp32", "bf16"):
        for seed in SEEDS:
            result = nlcore.run(
                quiet=True, precision=precision, seed=seed, threads=1, runs_dir=tmp_path / precision, **SETTINGS
            )
            rows = [json.loads(line) for line in (result.run_dir / "metrics.jsonl").read_text().splitlines()]
            found.setdefault(precision, []).append(statistics.mean(row["test_accuracy"] for row in rows[-3:]))
    fp32, bf16 = found["fp32"], found["bf16"]
    assert fp32 != bf16  # otherwise one of them was not what was asked
    noise = statistics.pvariance(fp32) + statistics.pvariance(bf16)
    error = (noise / (len(SEEDS) - 1)) ** 0.5  # of the difference of the two means
    assert abs(statistics.mean(fp32) - statistics.mean(bf16)) <= 2 * error + 0.005, found
    assert min(fp32 + bf16) > 0.6, found  # they have learned: chance is 0.1
