"""``nl plot``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from made_runs import make_study
from PIL import Image


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of four runs, and go to the folder around it."""
    monkeypatch.chdir(tmp_path)
    make_study(tmp_path / "runs", {"cross_entropy": [0.4, 0.5], "gce": [0.6, 0.7]})
    return tmp_path / "runs"


@pytest.mark.parametrize(("words", "name"), [((), "curves.png"), (("--bars",), "bars.png"), (("-o", "a.png"), "a.png")])
def test_a_picture_is_written_and_named(words: tuple[str, ...], name: str, nl: Any, runs: Path) -> None:
    drawn = nl("plot", "--by", "loss", *words)
    assert (drawn.code, drawn.out, drawn.err) == (0, "", f"written: {name}\n")
    with Image.open(name) as image:
        assert image.width > 500


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--by", "loss", "-o", "a.gif"), "ends in .png, .svg, .pdf"),
        (("--by", "loss", "-o", "missing/a.png"), "there is no folder missing"),
        (("--by", "loss", "--metric", "last"), "They have test_accuracy"),
        (("--by", "losss"), "Did you mean 'loss'"),
        (("--by", "noise.rate"), "Give by = noise.rate,loss,"),
        ((), "--by"),
    ],
)
def test_bad_input_is_refused(words: tuple[str, ...], said: str, nl: Any, runs: Path) -> None:
    refused = nl("plot", *words)
    assert refused.code == 2
    assert said in refused.err
    assert not list(runs.parent.glob("*.png"))
