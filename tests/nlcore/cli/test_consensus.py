"""``nl audit consensus``: one label for each sample that several people have labelled."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nlcore
from nlcore.audits.annotations import read_annotations
from nlcore.audits.annotators import majority


@pytest.fixture
def votes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three annotators of the digits, who are right for nine, eight and three of ten images."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(1)
    train = nlcore.dataset("digits").train
    columns = []
    for share in (0.9, 0.8, 0.3):
        wrong = (train.labels + rng.integers(1, 10, len(train.labels))) % 10
        columns.append(np.where(rng.random(len(train.labels)) < share, train.labels, wrong))
    with open("votes.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "label_anna", "label_ben", "label_carl"])
        writer.writerows(zip(train.ids.tolist(), *columns, strict=True))
    return tmp_path / "votes.csv"


def right(file: str) -> float:
    """Return the share of labels in a table that are the digits' own."""
    train = nlcore.dataset("digits").train
    true = dict(zip(map(str, train.ids), train.labels.tolist(), strict=True))
    with open(file, newline="") as content:
        rows = list(csv.DictReader(content))
    assert len(rows) == len(true)
    return float(np.mean([int(row["label"]) == true[row["id"]] for row in rows]))


def test_annotators_are_believed_as_far_as_the_others_bear_them_out(votes: Path, nl: Any) -> None:
    done = nl("audit", "consensus", "votes.csv", "-o", "consensus.csv")
    assert done.code == 0
    quality = {line.split()[0]: float(line.split()[2].rstrip("%")) for line in done.out.splitlines()[1:4]}
    assert quality == pytest.approx({"anna": 90, "ben": 80, "carl": 30}, abs=4)
    read = read_annotations(votes, [str(digit) for digit in range(10)])
    rows = zip(read.ids, majority(read.votes), strict=True)
    Path("majority.csv").write_text("id,label\n" + "".join(f"{sample},{label}\n" for sample, label in rows))
    assert right("consensus.csv") > right("majority.csv") + 0.02


@pytest.mark.slow
def test_networks_are_one_more_voice_and_training_takes_the_labels(votes: Path, nl: Any) -> None:
    nl("audit", "consensus", "votes.csv", "-o", "first.csv")
    words = ["--dataset", "digits", "--labels", "first.csv", "--threads", "1", "--folds", "2", "--name", "digits"]
    assert nl("audit", *words).code == 0
    assert nl("audit", "consensus", "votes.csv", "--audit", "audits/digits", "-o", "second.csv").code == 0
    assert right("second.csv") > right("first.csv") + 0.02
    settings: dict[str, Any] = {
        "dataset": "digits",
        "labels": "second.csv",
        "epochs": 1,
        "threads": "1",
        "architecture.width": 2,
    }
    assert nlcore.run(quiet=True, **settings).noise_rate == pytest.approx(1 - right("second.csv"))


def test_what_is_not_there_is_named(votes: Path, nl: Any) -> None:
    assert "holds no audit" in nl("audit", "consensus", "votes.csv", "--audit", "nowhere", "-o", "x.csv").err
    done = nl("audit", "consensus", "gone.csv", "-o", "x.csv")
    assert done.code == 2
    assert "There is no file gone.csv" in done.err


def test_the_file_that_is_read_is_not_written(votes: Path, nl: Any) -> None:
    before = votes.read_bytes()
    for output in ("votes.csv", str(votes)):
        done = nl("audit", "consensus", "votes.csv", "-o", output)
        assert done.code == 2
        assert "this file is read" in done.err
    assert votes.read_bytes() == before
