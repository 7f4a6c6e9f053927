"""The record of a run's noise: counts, and what was declared."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
import pytest
from helpers import SomeWrong, make_data, prepared, squares

from nlcore.contracts import NoiseInfo
from nlcore.rundir.noise_report import as_text, declared_in, describe

T = np.array([[0.7, 0.1, 0.1, 0.1], [0.1, 0.7, 0.1, 0.1], [0.1, 0.1, 0.7, 0.1], [0.1, 0.1, 0.1, 0.7]])


@dataclass(frozen=True)
class Declaring(SomeWrong):
    def declared(self, num_classes: int) -> NoiseInfo:
        return NoiseInfo(0.3, T)


def test_what_is_known_of_the_noise_is_recorded() -> None:
    images, labels = squares(40)
    data = prepared(make_data(images, labels), Declaring(0.3), validation=0.25)
    given = Declaring(0.3).corrupt(labels, 4, np.random.default_rng(1))
    counts = [[int(((labels == i) & (given == j)).sum()) for j in range(4)] for i in range(4)]
    record = json.loads(as_text(describe(data, {"model": {"name": "it"}, "noise_seed": 1})))
    assert record["counts"] == counts
    assert record["rate"] == pytest.approx(np.mean(given != labels))
    assert record["declared_rate"] == 0.3
    assert record["declared_transition"] == T.tolist()
    assert record["classes"] == ["class0", "class1", "class2", "class3"]
    assert (record["samples"], record["num_open_set"], record["noise_seed"]) == (40, 0, 1)
    assert record["model"] == {"name": "it"}
    assert record["labels_sha256"] == data.labels_sha256
    info = declared_in(record)
    assert info is not None
    assert info.rate == 0.3
    np.testing.assert_array_equal(np.asarray(info.transition), T)


def test_images_of_no_class_are_counted() -> None:
    images, labels = squares(40)
    clean = labels.copy()
    clean[[3, 7, 39]] = -1
    data = prepared(make_data(images, labels, clean=clean), validation=0.25)
    assert describe(data, {})["num_open_set"] == 3
    assert np.sum(describe(data, {})["counts"]) == 37


def test_where_the_truth_is_unknown_nothing_is_recorded_of_it() -> None:
    images, labels = squares(12)
    record = json.loads(as_text(describe(prepared(make_data(images, labels, truth_known=False), Declaring()), {})))
    for name in ("num_open_set", "declared_rate", "declared_transition", "rate", "counts"):
        assert record[name] is None
    assert declared_in(record) is None


def test_rows_of_matrices_stand_on_lines_of_their_own() -> None:
    text = as_text({"counts": [[1, 2], [3, 4]], "classes": ["a  [b]", "c"], "rate": None})
    assert text.splitlines()[1:5] == ['  "counts": [', "    [1, 2],", "    [3, 4]", "  ],"]
    assert json.loads(text) == {"counts": [[1, 2], [3, 4]], "classes": ["a  [b]", "c"], "rate": None}
