"""A dataset with more than one test set: each is measured apart after every epoch, and the first is the main one."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import TINY, AsGiven, FixedDataset, install_plugin, squares

import nlcore
from nlcore import UserError
from nlcore.contracts import Data, DatasetContext, Split
from nlcore.data.prepare import prepare
from nlcore.rundir.result import Result, accuracies

SOURCE = """
from dataclasses import dataclass, replace
import numpy as np
from helpers import squares
from nlcore import Component, hookimpl
from nlcore.contracts import Data, Split

NLCORE_API = 1

@hookimpl
def nl_datasets():
    return [Component("two_tests", "two_tests:TwoTests", "For a test.")]

def split(count, seed):
    images, labels = squares(count, seed)
    return Split(images, labels, np.arange(count), labels)

@dataclass(frozen=True)
class TwoTests:
    def load(self, source):
        train, test, turned = split(200, 0), split(80, 1), split(40, 2)
        turned = replace(turned, labels=3 - turned.labels, clean=None)  # a model that is right on test is wrong here
        more = {"turned": turned, "again": test}
        return Data(train, test, ("a", "b", "c", "d"), (0.3,), (0.2,), further_tests=more)
"""


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Result:
    install_plugin(monkeypatch, tmp_path, "two-tests", SOURCE)
    monkeypatch.chdir(tmp_path)
    settings: dict[str, Any] = {"architecture.width": 4, "batch_size": 20, "augmentation": "none", "device": "cpu"}
    return nlcore.run(dataset="two_tests", noise="none", epochs=8, threads="1", **settings)


def test_each_is_measured_after_every_epoch_and_summed_up(run: Result) -> None:
    for row in run.metrics:
        assert row["test_accuracy_again"] == row["test_accuracy"]
    last = run.metrics[-1]
    assert last["test_accuracy"] > 0.9
    assert run.further_tests.keys() == {"turned", "again"}
    assert run.further_tests["again"] == run.test_accuracy
    assert run.further_tests["turned"] == accuracies(run.metrics, "test_accuracy_turned")
    assert run.further_tests["turned"]["last"] == last["test_accuracy_turned"] < 0.2
    assert Result.read(run.run_dir).further_tests == run.further_tests
    assert json.loads((run.run_dir / "summary.json").read_text())["further_tests"] == run.further_tests
    assert any(
        line.startswith(f"test accuracy on turned: last epoch {last['test_accuracy_turned']:.2%}")
        for line in run.lines()
    )


def test_a_line_for_each_epoch_shows_them(run: Result, nl: Any) -> None:
    shown = nl("run", "--dataset", "two_tests", "--noise", "none", "--epochs", "1", "--device", "cpu", "--threads", "1")
    (row,) = Result.read(next(path for path in Path("runs").iterdir() if path != run.run_dir)).metrics
    turned = f"turned {row['test_accuracy_turned']:.2%}  again {row['test_accuracy_again']:.2%}"
    assert f"test {row['test_accuracy']:.2%}  {turned}" in shown.err


def test_nl_table_has_a_column_for_each(run: Result, nl: Any) -> None:
    nlcore.run(**TINY)
    for options in ((), ("--wide",)):
        shown = nl("table", *options).out
        head = next(line for line in shown.splitlines() if line.startswith("run "))
        assert " turned again" in " ".join(head.split())
    by = nl("table", str(run.run_dir), "--by", "loss", "--metric", "test_accuracy_turned")
    assert by.code == 0
    assert f"{100 * (run.further_tests['turned']['last'] or 0):.2f}" in by.out


def test_the_plan_says_how_many_images_each_has(run: Result, nl: Any) -> None:
    plan = nl("run", "--dataset", "two_tests", "--noise", "none", "--dry-run", "--device", "cpu", "--threads", "1")
    assert "200 training and 80 test images, 40 of turned, 80 of again, 8×8×1" in plan.out


def _data(**further: Split) -> Data:
    images, labels = squares(40)
    split = Split(images, labels, np.arange(40), labels)
    return Data(split, split, ("a", "b", "c", "d"), (0.3,), (0.2,), further_tests=further)


def test_its_images_are_part_of_what_names_the_data(tmp_path: Path) -> None:
    images, labels = squares(8)
    one = Split(images, labels, np.arange(8), labels)
    found = {
        prepare(FixedDataset(data), AsGiven(), DatasetContext(tmp_path), noise_seed=1).fingerprint
        for data in (_data(), _data(second=one), _data(second=replace(one, images=255 - images)))
    }
    assert len(found) == 3


@pytest.mark.parametrize("name", ["", "Second", "2nd", "a b", "ä", "a\n"])
def test_a_name_that_can_be_no_column_is_refused(name: str, tmp_path: Path) -> None:
    images, labels = squares(8)
    data = _data(**{name: Split(images, labels, np.arange(8), labels)})
    with pytest.raises(UserError, match="a further test set is called"):
        prepare(FixedDataset(data), AsGiven(), DatasetContext(tmp_path), noise_seed=1)


def test_one_whose_arrays_do_not_fit_is_refused(tmp_path: Path) -> None:
    images, labels = squares(8)
    data = _data(second=Split(images, labels[:7], np.arange(8), None))
    with pytest.raises(UserError, match="images, labels and ids differ in number"):
        prepare(FixedDataset(data), AsGiven(), DatasetContext(tmp_path), noise_seed=1)
