"""Asymmetric noise: the maps of the literature, flips by the true label alone, and maps that are none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from nlcore_builtins.noise.cifar100_superclasses import CLASSES as CIFAR100

import nlcore

#: Krizhevsky's superclass of each class in order of its index, as the official files have it (coarse labels 0..19).
COARSE = [
    4, 1, 14, 8, 0, 6, 7, 7, 18, 3, 3, 14, 9, 18, 7, 11, 3, 9, 7, 11, 6, 11, 5, 10, 7, 6, 13, 15, 3, 15, 0, 11, 1, 10,
    12, 14, 16, 9, 11, 5, 5, 19, 8, 8, 15, 13, 14, 17, 18, 10, 16, 4, 17, 4, 2, 0, 17, 4, 18, 17, 10, 3, 2, 12, 12, 16,
    12, 1, 9, 19, 2, 10, 0, 1, 16, 12, 9, 13, 15, 13, 16, 19, 2, 4, 6, 19, 5, 5, 8, 19, 18, 1, 2, 15, 6, 0, 17, 8, 14,
    13,
]  # fmt: skip
DIGITS = tuple("0123456789")
C10_PAIRS = {9: 1, 2: 0, 4: 7, 3: 5, 5: 3}
MNIST_PAIRS = {7: 1, 2: 7, 5: 6, 6: 5, 3: 8}


def corrupt(labels: Any, data: Any, **params: Any) -> Any:
    """Return the given labels."""
    classes = len(data.classes) if data else 10
    return nlcore.create("noise", "asymmetric", **params).corrupt(labels, classes, np.random.default_rng(1), data)


def matrix(pairs: dict[int, int], rate: float, classes: int = 10) -> Any:
    """Return T, entry by entry."""
    T = np.zeros((classes, classes))
    for i in range(classes):
        if i in pairs:
            T[i, i], T[i, pairs[i]] = 1 - rate, rate
        else:
            T[i, i] = 1
    return T


def test_forty_percent_on_cifar10(labels: Any, samples: Any, counted: Any) -> None:
    """With a fixed number of each class every count is known: 3,000 and 2,000 of 5,000; 20 % in all."""
    given = corrupt(labels, samples(len(labels)), rate=0.4, draws="exact_per_class")
    expected = 5000 * matrix(C10_PAIRS, 0.4)
    assert np.array_equal(counted(labels, given), np.rint(expected))
    assert np.mean(given != labels) == 0.2


def test_no_label_is_flipped_twice(labels: Any, samples: Any) -> None:
    """40 % of the cats become dogs. Going by the changing array, some dogs become cats again: 24 % would be wrong."""
    for draws in ("exact", "exact_per_class", "independent"):
        given = corrupt(labels, samples(len(labels)), rate=0.4, draws=draws)
        wrong_cats = np.mean(given[labels == 3] == 5)
        assert wrong_cats == pytest.approx(0.4, abs=5 * np.sqrt(0.24 / 5000)), draws
        assert set(given[labels == 3]) == {3, 5}


@pytest.mark.parametrize("draws", ["exact", "exact_per_class", "independent"])
@pytest.mark.parametrize(("name", "classes", "pairs"), [("cifar10", None, C10_PAIRS), ("mnist", DIGITS, MNIST_PAIRS)])
@pytest.mark.parametrize("rate", [0.2, 0.45])
def test_what_is_realised_is_what_is_declared(
    rate: float, name: str, classes: Any, pairs: Any, draws: str, labels: Any, samples: Any, counted: Any, follows: Any
) -> None:
    data = samples(len(labels), *([classes] if classes else []))
    for given_map in (name, "auto"):
        model = nlcore.create("noise", "asymmetric", rate=rate, map=given_map, draws=draws)
        info = model.declared(10, data.classes)
        np.testing.assert_allclose(info.transition, matrix(pairs, rate), atol=1e-12)
        assert info.rate == pytest.approx(rate / 2)
        follows(counted(labels, model.corrupt(labels, 10, np.random.default_rng(3), data)), info.transition)


def test_cifar100s_superclasses_are_the_official_ones(samples: Any, counted: Any, follows: Any) -> None:
    """Labels stay in their superclass, go to the next index of it and round; each has five classes."""
    labels = np.arange(50_000) % 100
    model = nlcore.create("noise", "asymmetric", rate=0.4, draws="independent")
    pairs: dict[int, int] = {}
    for coarse in range(20):
        members = [fine for fine in range(100) if COARSE[fine] == coarse]
        assert len(members) == 5
        pairs |= {fine: members[(place + 1) % 5] for place, fine in enumerate(members)}
    data = samples(len(labels), CIFAR100)
    info = model.declared(100, CIFAR100)
    np.testing.assert_allclose(info.transition, matrix(pairs, 0.4, 100))
    assert info.rate == pytest.approx(0.4)
    given = model.corrupt(labels, 100, np.random.default_rng(1), data)
    follows(counted(labels, given, 100), info.transition)
    assert CIFAR100[given[labels == CIFAR100.index("beaver")].max()] == "dolphin"


def test_blocks_of_five_indices_are_no_superclasses() -> None:
    """The blocks of most papers' code: apple, aquarium_fish, baby, bear, beaver and round."""
    blocks, real = (
        nlcore.create("noise", "asymmetric", rate=1.0, map=f"cifar100_{name}").declared(100).transition.argmax(axis=1)
        for name in ("blocks", "superclass")
    )
    assert blocks[:10].tolist() == [1, 2, 3, 4, 0, 6, 7, 8, 9, 5]
    assert blocks[95:].tolist() == [96, 97, 98, 99, 95]
    assert [CIFAR100[i] for i in range(5)] == ["apple", "aquarium_fish", "baby", "bear", "beaver"]
    # In the blocks one class in fourteen or so happens to go to its own superclass.
    own = sum(COARSE[i] == COARSE[blocks[i]] for i in range(100))
    assert own < 20
    assert all(COARSE[i] == COARSE[real[i]] for i in range(100))


def test_any_map(labels: Any, samples: Any, tmp_path: Path) -> None:
    """By number, by name, and from a file, one a line."""
    data = samples(len(labels))
    file = tmp_path / "map.txt"
    file.write_text("truck:automobile\n bird : airplane \n\n4:7, 3:5\n5:3\n")
    expected = corrupt(labels, data, map="cifar10")
    assert (expected != labels).any()
    for params in (
        {"map": "9:1,2:0,4:7,3:5,5:3"},
        {"map": "truck:automobile,bird:airplane,deer:horse,cat:dog,dog:cat"},
        {"file": str(file)},
    ):
        assert np.array_equal(corrupt(labels, data, **params), expected), params
        info = nlcore.create("noise", "asymmetric", **params).declared(10, data.classes)
        np.testing.assert_allclose(info.transition, matrix(C10_PAIRS, 0.4))


def test_without_the_names_of_the_classes(labels: Any) -> None:
    """A map by number needs none; one by name has a rate, but no matrix, and cannot be drawn."""
    by_number = nlcore.create("noise", "asymmetric", map="9:1,2:0")
    assert by_number.declared(10).transition[9, 1] == pytest.approx(0.4)
    assert set(by_number.corrupt(labels, 10, np.random.default_rng(1))[labels == 2]) == {0, 2}
    for params, rate in (({"map": "cat:dog"}, 0.04), ({}, 0.2)):
        model = nlcore.create("noise", "asymmetric", **params)
        info = model.declared(10)
        assert info.transition is None
        assert info.rate == pytest.approx(rate)
        with pytest.raises(nlcore.UserError, match="names of the classes"):
            model.corrupt(labels, 10, np.random.default_rng(1))


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"map": "cat:dgo"}, "there is no class 'dgo'. Did you mean 'dog'?"),
        ({"map": "9:1,11:2"}, "there is no class '11'"),
        ({"map": "cifar"}, "Did you mean 'cifar10'"),
        ({"map": "3:5,3:2"}, "class 3 stands there twice"),
        ({"map": "3:3"}, "takes a class for itself"),
        ({"map": "3:5:7"}, "not of the form from:to"),
        ({"map": ""}, "not of the form from:to"),
        ({"map": "mnist"}, "map = mnist is for 10 classes (0, 1, 2"),
        ({"map": "cifar100_blocks"}, "is for 100 classes"),
        ({"file": "none.txt"}, "none.txt"),
    ],
)
def test_maps_that_are_none(params: dict[str, str], said: str, samples: Any) -> None:
    with pytest.raises(nlcore.UserError) as error:
        corrupt(np.arange(10), samples(10), **params)
    assert said in str(error.value)


def test_no_map_of_the_literature_for_these_classes(samples: Any) -> None:
    with pytest.raises(nlcore.UserError, match=r"no map of the literature for these 3 classes \(a, b, c\)"):
        corrupt(np.arange(3), samples(3, ("a", "b", "c")))


def test_two_maps() -> None:
    with pytest.raises(nlcore.UserError, match="not in both"):
        nlcore.create("noise", "asymmetric", map="3:5", file="map.txt")


def test_labels_outside_the_classes(samples: Any) -> None:
    with pytest.raises(ValueError, match=r"0\.\.9"):
        corrupt(np.array([10]), samples(1))
