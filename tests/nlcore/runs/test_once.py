"""What is chosen is chosen once: a run looks components up, makes them and resolves its configuration once."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from helpers import TINY

import nlcore
from nlcore.host import registry as host
from nlcore.host.hookspecs import slots
from nlcore.runs import start


def test_a_run_makes_no_throw_away_components(monkeypatch: pytest.MonkeyPatch) -> None:
    counted: Counter[str] = Counter()
    made: Counter[str] = Counter()

    def count(owner: Any, name: str, word: str) -> None:
        original = getattr(owner, name)

        def counting(*args: Any, **kwargs: Any) -> Any:
            counted[word] += 1
            return original(*args, **kwargs)

        monkeypatch.setattr(owner, name, counting)

    count(host, "construct", "instances")
    count(host, "parameters_of", "signatures")
    construct = host.construct

    def construct_and_note(entry: Any, cls: type, params: Any) -> Any:
        made[f"{entry.kind}:{entry.name}"] += 1
        return construct(entry, cls, params)

    monkeypatch.setattr(host, "construct", construct_and_note)
    count(start, "resolve", "resolutions")
    count(host.Registry, "find", "look-ups")
    nlcore.run(quiet=True, **TINY)
    assert counted["resolutions"] == 1
    assert counted["look-ups"] == sum(made.values())
    # Of each slot one, the strong view's crop_flip, randaugment and cutout among them.
    parts = {"dataset:digits": 1, "noise:symmetric": 1, "augmentation:crop_flip": 2, "augmentation:randaugment": 1}
    parts |= {"augmentation:cutout": 1, "architecture:resnet18": 1, "optimizer:sgd": 1, "loss:cross_entropy": 1}
    assert made == parts | {"strategy:standard": 1}
    assert counted["instances"] == sum(made.values())
    assert len(slots()) == 9
