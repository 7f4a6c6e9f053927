"""The gates for a GPU stand ready: every run that they ask for is one that there is."""

from __future__ import annotations

import pytest

from benchmarks.gates import GATES, with_what_they_need
from nlcore.config.experiment import Experiment, resolve
from nlcore.config.published import published


def run_of(name: str) -> Experiment:
    return resolve({**GATES[name].settings})


@pytest.mark.parametrize("name", list(GATES))
def test_its_run_is_one_that_there_is(name: str) -> None:
    experiment = run_of(name)
    assert experiment.settings.epochs <= 120
    kind = "asymmetric" if name.endswith("asym40") else "symmetric"
    assert (experiment["noise"].name, experiment["dataset"].params["per_class"]) == (kind, -1)
    there = {"last": 0.5, "best": 0.8, "memorised": 0.6, "auc": 0.0}
    nothing = {"last": 0.1, "best": 0.1, "memorised": 0.1, "auc": 0.5}
    perfect = {"last": 1.0, "best": 1.0, "memorised": 0.0, "auc": 1.0}
    others = dict.fromkeys(GATES, there)
    assert not GATES[name].passed(nothing, others)
    assert GATES[name].passed(there if name.startswith("cross_entropy") else perfect, others)


@pytest.mark.parametrize("name", [name for name, gate in GATES.items() if "preset" in gate.settings])
def test_all_that_counts_epochs_is_shortened_by_one_factor(name: str) -> None:
    settings = GATES[name].settings
    whole, short = resolve({"preset": settings["preset"]}), run_of(name)
    cited = published(settings["preset"])
    assert cited is not None
    scale = short.settings.epochs / whole.settings.epochs
    assert scale < 0.55
    for key, (part, parameter) in short["strategy"].addresses().items():
        before, after = whole["strategy"].params[key], short["strategy"].params[key]
        if part.declared[parameter].epochs and key != "warm_up" and before:
            assert after == pytest.approx(before * scale, abs=0.51) or (after == 1 and before * scale < 1), key


def test_what_is_held_against_others_comes_after_them() -> None:
    found = [*with_what_they_need(("jocor",))]
    assert found == ["cross_entropy", "co_teaching", "jocor"]
    every = [*with_what_they_need(())]
    assert sorted(every) == sorted(GATES)
    for name in every:
        assert all(every.index(other) < every.index(name) for other in GATES[name].against)
