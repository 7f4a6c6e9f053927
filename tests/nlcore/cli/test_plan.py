"""What a run's plan says."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import toy

import nlcore
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


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (None, "training      2 epochs, batches of 32, sgd"),
        ("1", "training      2 epochs of 1 batch of 32, sgd"),
        ("2", "training      2 epochs of 2 batches of 32, sgd"),
        ("1000", "training      2 epochs of 3 batches of 32, sgd"),
    ],
)
def test_the_batches_of_an_epoch_are_said(
    asked: str | None, said: str, nl: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    toy.install(monkeypatch, tmp_path)
    words = ["--noise", "none", "--epochs", "2", "--batch-size", "32", "--device", "cpu", "--threads", "1", "--dry-run"]
    words += [] if asked is None else ["--epoch-batches", asked]
    plan = nl("run", "--dataset", "toy", "--architecture", "tiny", *words)
    assert said in plan.out
    more = "epoch_batches = 1,000: there are only 3, and an epoch takes all of them"
    assert (more in plan.err) == (asked == "1000")


@pytest.mark.parametrize(
    ("strategy", "when"),
    [
        ("standard", None),
        ("two_views", None),
        ("divide_mix", "after its warm-up"),
        ("ssr", "in every epoch"),
        ("pes", "once all parts have stopped early"),
        ("divide_mix --epoch-batches=2", None),
        ("unicon --epoch-batches=2", "after its warm-up"),  # it takes each sample once
        ("ssr --epoch-batches=2", "in every epoch"),
    ],
)
def test_classes_are_said_to_be_balanced_where_they_are(
    strategy: str, when: str | None, nl: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """In the plan, and in the directory of the run."""
    toy.install(monkeypatch, tmp_path)
    strategy, _, limited = strategy.partition(" --epoch-batches=")
    settings = {**toy.SETTINGS, "strategy": strategy, "epochs": 1, "sampling": "balanced", "noise": "none"}
    settings |= {"epoch_batches": int(limited)} if limited else {}
    words = [f"--{key.replace('_', '-')}={value}" for key, value in settings.items() if key != "sampling"]
    plan = nl("run", *words, "--sampling", "balanced", "--dry-run", "--json").json["plan"]
    only_there = " where the strategy does not choose the samples" if when else ""
    assert plan["training"].endswith(f", classes balanced{only_there}, seed 1")
    note = f"The strategy {strategy} chooses its samples itself {when}, and --sampling balanced does not balance"
    note += " what it chooses"
    assert (note in plan.get("note", "")) == (when is not None)
    result = nlcore.run(**settings, quiet=True)
    assert result.sampling == ("balanced" if when is None else None)
    kept = json.loads((result.run_dir / "environment.json").read_text())["notes"]
    assert (f"{note}." in kept) == (when is not None)
    assert "balance" not in nl("run", *words, "--dry-run", "--json").json["plan"].get("note", "")
