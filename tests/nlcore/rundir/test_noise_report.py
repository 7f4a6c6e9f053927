"""The record of a run's noise: counts, what was declared, and a picture of both."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass

import numpy as np
import pytest
from helpers import SomeWrong, make_data, prepared, squares
from PIL import Image

from nlcore.contracts import NoiseInfo
from nlcore.rundir.noise_report import as_text, describe
from nlcore.rundir.plots import draw_confusion

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


def test_images_num_open_set_are_counted() -> None:
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


def test_rows_of_matrices_stand_on_lines_of_their_own() -> None:
    text = as_text({"counts": [[1, 2], [3, 4]], "classes": ["a  [b]", "c"], "rate": None})
    assert text.splitlines()[1:5] == ['  "counts": [', "    [1, 2],", "    [3, 4]", "  ],"]
    assert json.loads(text) == {"counts": [[1, 2], [3, 4]], "classes": ["a  [b]", "c"], "rate": None}


@pytest.mark.slow
@pytest.mark.parametrize("classes", [4, 100])
def test_the_heat_map_is_dark_where_shares_are_high(classes: int) -> None:
    """On the diagonal for the identity, and beside it for the next class."""
    pictures = []
    for matrix in (np.eye(classes), np.roll(np.eye(classes), 1, axis=1)):
        png = draw_confusion(matrix, [f"class {k}" for k in range(classes)], "title", "given")
        pictures.append(np.asarray(Image.open(io.BytesIO(png)).convert("L"), dtype=np.float64))
    same, moved = pictures
    assert same.shape == moved.shape
    assert same.min() < 100
    assert (same != moved).any()
    # The dark cells of the identity lie on a line that falls from left to right.
    rows, columns = np.nonzero(same[150:800, 150:800] < 80)
    if classes == 4:
        assert np.corrcoef(rows, columns)[0, 1] > 0.7
