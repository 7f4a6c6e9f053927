"""
What each method reaches on handwritten digits with 45 % of the labels wrong: a slip in a method shows here.

Means over three seeds (of noise, weights and order) of the last ten of 30 epochs, and the area under the ROC curve of
`clean_probability` for right against wrong labels in the last one. The bounds were set once, to what was measured less
three standard deviations of the mean, and are never loosened. Other processors round otherwise, and RRM's seeds then
lie further apart than its first three showed: 92.4 ± 3.2 % over eight on another one. So it is given eight.

    measured    CE 92.0 ± 2.4 %, with Adam 84.7 ± 4.0 %      divide_mix 94.2 ± 0.6, AUC .996      ssr 95.1 ± 0.7, .986
                elr_plus 92.1 ± 3.4, .989      pes_semi 91.7 ± 2.0, .993      rrm 93.5 ± 2.1, .967
                disc 96.4 ± 1.4, .987      sop_plus 94.7 ± 2.5      dynamic_bootstrap 76.0 ± 6.7, .965
                co_teaching_plus 90.4 ± 3.8, .915      jocor 92.0 ± 3.2, .932      (the last two with Adam)
"""

from __future__ import annotations

import os
import statistics
from pathlib import Path
from typing import Any

import pytest

import nlcore

COMMON: dict[str, Any] = {
    "dataset": "digits",
    "architecture.width": 8,
    "epochs": 30,
    "lr_schedule": "cosine",
    "threads": "1",
    "device": "cpu",
    "quiet": True,
}
SGD = {"lr": 0.02}
ADAM = {"optimizer": "adam", "lr": 1e-3}
#: Settings, the least accuracy, the least AUC.
GATES: dict[str, tuple[dict[str, Any], float, float | None]] = {
    "divide_mix": ({"strategy": "divide_mix", "strategy.warm_up": 10, **SGD}, 0.932, 0.97),
    "ssr": ({"strategy": "ssr", "strategy.k": 20, **SGD}, 0.938, 0.97),
    "elr_plus": ({"strategy": "elr_plus", "strategy.ema_ramp": 10, **SGD}, 0.862, 0.97),
    "pes_semi": (
        {
            "strategy": "pes_semi",
            "strategy.first": 10,
            "strategy.second": 3,
            "strategy.refine_lr": 3e-3,
            **SGD,
        },
        0.883,
        0.98,
    ),
    "sop_plus": ({"strategy": "two_views", "loss": "sop", **SGD}, 0.905, None),
    "disc": ({"strategy": "disc", "strategy.warm_up": 5, "strategy.lam": 0.95, **SGD}, 0.939, 0.97),
    "rrm": ({"strategy": "rrm", **SGD}, 0.898, 0.93),
    "dynamic_bootstrap": ({"strategy": "dynamic_bootstrap", **SGD}, 0.643, 0.93),
    "co_teaching_plus": ({"strategy": "co_teaching_plus", "strategy.init_epoch": 10, **ADAM}, 0.838, 0.90),
    "jocor": ({"strategy": "jocor", **ADAM}, 0.866, 0.91),
}


#: The others take five minutes more.
ALWAYS = ("divide_mix", "disc", "sop_plus", "rrm", "co_teaching_plus")

SEEDS = {"rrm": range(1, 9)}


@pytest.mark.slow
@pytest.mark.parametrize("name", list(GATES))
def test_it_reaches_what_was_measured(name: str, tmp_path: Path) -> None:
    if name not in ALWAYS and os.environ.get("NL_LONG") != "1":
        pytest.skip("a minute or more; NL_LONG=1 runs it")
    settings, accuracy, auc = GATES[name]
    results = [
        nlcore.run(**{**COMMON, **settings, "seed": seed, "noise_seed": seed}) for seed in SEEDS.get(name, (1, 2, 3))
    ]
    reached = [result.test_accuracy["mean_last_10"] or 0.0 for result in results]
    assert statistics.mean(reached) >= accuracy, reached
    if auc is not None:
        told_apart = [result.metrics[-1]["selection_auc"] for result in results]
        assert statistics.mean(told_apart) >= auc, told_apart
