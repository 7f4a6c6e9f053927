"""What a run's plan says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import toy

from nlcore.contracts import Data, DatasetContext


def test_notes_are_told_apart(nl: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    load = toy.Toy.load

    def noted(self: toy.Toy, source: DatasetContext) -> Data:
        return replace(load(self, source), notes=("left out 2 images: a.png, b.png", "A folder is empty.", "it is so"))

    monkeypatch.setattr(toy.Toy, "load", noted)
    toy.install(monkeypatch, tmp_path)
    words = ("--noise", "none", "--batch-size", "32", "--device", "cpu", "--threads", "1", "--dry-run")
    plan = nl("run", "--dataset", "toy", "--architecture", "tiny", *words)
    assert "left out 2 images: a.png, b.png; A folder is empty; it is so" in plan.out
