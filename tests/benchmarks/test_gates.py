"""The gates for a GPU stand ready: every run that they ask for is one that there is."""

from __future__ import annotations

import pytest

from benchmarks.gates import COMMON, GATES
from nlcore.config.experiment import resolve


@pytest.mark.parametrize("name", list(GATES))
def test_its_run_is_one_that_there_is(name: str) -> None:
    experiment = resolve({**COMMON, **GATES[name].settings})
    assert experiment.settings.epochs <= 120
    cross_entropy = {"last": 0.5, "best": 0.8, "memorised": 0.6, "auc": 0.0}
    nothing = {"last": 0.1, "best": 0.1, "memorised": 0.1, "auc": 0.5}
    perfect = {"last": 1.0, "best": 1.0, "memorised": 0.0, "auc": 1.0}
    assert not GATES[name].passed(nothing, cross_entropy)
    assert GATES[name].passed(cross_entropy if name == "cross_entropy" else perfect, cross_entropy)
