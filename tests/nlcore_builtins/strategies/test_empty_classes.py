"""Strategies that choose among the labels say where they have none of a class left."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import TINY

import nlcore


@pytest.mark.slow
@pytest.mark.parametrize(
    ("strategy", "own"),
    [
        ("divide_mix", {"strategy.warm_up": 1}),
        ("pes", {"strategy.first": 1, "strategy.second": 0, "strategy.third": 0}),
        ("pes_semi", {"strategy.first": 1, "strategy.second": 0}),
        ("ssr", {}),
    ],
)
def test_a_class_that_nothing_is_left_of_is_told_once(
    strategy: str, own: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    matrix = np.eye(10)
    matrix[9] = np.eye(10)[8]  # every nine is called an eight, so no label says nine
    np.savetxt(tmp_path / "T.csv", matrix, delimiter=",")
    noise = {"noise": "transition_matrix", "noise.file": tmp_path / "T.csv"}
    nlcore.run(**{**TINY, "epochs": 4, "lr": 0.02, "batch_size": 32, **noise, "strategy": strategy, **own})
    said = [line for line in capsys.readouterr().err.splitlines() if "of the 10 classes was chosen" in line]
    assert len(said) == 1
    assert said[0].startswith(f"{strategy}: no sample of ")
