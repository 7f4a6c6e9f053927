"""What is certain of a dataset: each kind of finding in made data, and nothing in data without faults."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from nlcore.audits.data_checks import HANDFUL, Checks, Finding, check_data
from nlcore.contracts import Data, Split

CLASSES = ("cat", "dog", "rare")


def images(count: int, seed: int = 0) -> NDArray[np.uint8]:
    """Return images of random pixels."""
    return np.random.default_rng(seed).integers(0, 256, (count, 16, 16, 3), dtype=np.uint8)


def split(pixels: NDArray[np.uint8], labels: Sequence[int], part: str) -> Split:
    """Return a part of a dataset with ids such as ``train-0``."""
    ids = np.array([f"{part}-{number}" for number in range(len(labels))])
    return Split(pixels, np.array(labels, dtype=np.int64), ids, None)


def dataset(train: NDArray[np.uint8], labels: Sequence[int], test: NDArray[np.uint8], tested: Sequence[int]) -> Data:
    """Return a dataset."""
    return Data(split(train, labels, "train"), split(test, tested, "test"), CLASSES, (0.5,) * 3, (0.5,) * 3)


def sound() -> tuple[NDArray[np.uint8], list[int], NDArray[np.uint8], list[int]]:
    """Return what a dataset without faults is made of."""
    return images(15), [number % 3 for number in range(15)], images(6, 1), [0, 1, 2, 0, 1, 2]


def found(checks: Checks) -> dict[str, Finding]:
    """Return findings by kind."""
    assert len({one.kind for one in checks.findings}) == len(checks.findings)
    return {one.kind: one for one in checks.findings}


def test_nothing_is_found_where_nothing_is_wrong() -> None:
    checks = check_data(dataset(*sound()))
    assert checks.findings == ()
    assert not checks.same.any()
    assert not checks.near.any()


def test_the_same_pixels_under_two_labels_are_an_error() -> None:
    train, labels, test, tested = sound()
    train[4] = train[0]  # dog, cat
    train[6] = train[3]  # cat, cat
    checks = check_data(dataset(train, labels, test, tested))
    findings = found(checks)
    assert findings.keys() == {"contradicting", "repeated"}
    one = findings["contradicting"]
    assert (one.severity, one.groups) == ("error", (("train-0", "train-4"),))
    assert one.words == "2 images in 1 group have the same pixels and have different labels."
    assert one.lines == ("train-0 (cat), train-4 (dog)",)
    assert (findings["repeated"].severity, findings["repeated"].groups) == ("note", (("train-3", "train-6"),))
    assert [one.kind for one in checks.findings] == ["contradicting", "repeated"]  # the worst first
    assert checks.same[[0, 4, 3, 6]].tolist() == [1, 1, 2, 2]
    assert np.count_nonzero(checks.same) == 4


def test_a_test_image_that_is_trained_on_is_an_error() -> None:
    train, labels, test, tested = sound()
    test[0] = train[3]  # cat, cat
    test[2] = train[1]  # rare, dog: both leaked and contradicting
    findings = found(check_data(dataset(train, labels, test, tested)))
    assert findings["leaked"].groups == (("train-1", "test-2"), ("train-3", "test-0"))
    assert findings["leaked"].severity == "error"
    assert findings["leaked"].lines[1] == "train-3 (cat), test-0 (cat, test)"
    assert findings["contradicting"].groups == (("train-1", "test-2"),)


def test_images_that_look_nearly_the_same_are_a_warning() -> None:
    train, labels, test, tested = sound()
    train[4] = train[0] // 2 + 60  # less contrast: other pixels, the same picture
    test[0] = train[3] // 2 + 60
    train[9] = train[6] // 2 + 60  # cat, cat
    findings = found(check_data(dataset(train, labels, test, tested)))
    assert {kind: one.severity for kind, one in findings.items()} == {
        "near_contradicting": "warning", "near_leaked": "warning", "near_repeated": "note",
    }  # fmt: skip
    assert findings["near_contradicting"].groups == (("train-0", "train-4"),)
    assert findings["near_leaked"].groups == (("train-3", "test-0"),)
    assert findings["near_leaked"].words.startswith("1 test image looks nearly like an image that is trained on")
    assert findings["near_repeated"].groups == (("train-6", "train-9"),)


def test_the_same_pixels_are_not_told_again_as_near() -> None:
    train, labels, test, tested = sound()
    train[3] = train[0]
    checks = check_data(dataset(train, labels, test, tested))
    assert found(checks).keys() == {"repeated"}
    assert checks.near[[0, 3]].tolist() == [1, 1]


@pytest.mark.parametrize(("count", "told"), [(HANDFUL - 1, True), (HANDFUL, False)])
def test_small_classes_are_named(count: int, told: bool) -> None:
    labels = [0] * 6 + [1] * 6 + [2] * count
    findings = found(check_data(dataset(images(len(labels)), labels, images(3, 1), [0, 1, 2])))
    assert ("small_class" in findings) is told
    if told:
        assert findings["small_class"].groups == (("rare",),)
        assert findings["small_class"].lines == (f"rare: {count} images",)


def test_a_class_without_training_images_is_small() -> None:
    labels = [0] * 6 + [1] * 6
    assert found(check_data(dataset(images(12), labels, images(1, 1), [2])))["small_class"].groups == (("rare",),)


def test_images_of_one_colour() -> None:
    train, labels, test, tested = sound()
    train[2] = [9, 8, 7]
    test[1] = 0
    one = found(check_data(dataset(train, labels, test, tested)))["one_colour"]
    assert one.groups == (("train-2",), ("test-1",))
    assert one.words == "2 images are of one colour only."


def test_unreadable_files_come_first_and_with_their_reasons() -> None:
    train, labels, test, tested = sound()
    train[3] = train[0]
    checks = check_data(dataset(train, labels, test, tested), unreadable={"cat/9.jpg": "it is truncated"})
    assert [one.kind for one in checks.findings] == ["unreadable", "repeated"]
    assert checks.findings[0].words == "1 file cannot be read and is left out."
    assert checks.findings[0].lines == ("cat/9.jpg: it is truncated",)


def test_odd_sizes() -> None:
    """The median is 640 × 480; 3.1 times as wide for its height is odd, 2.9 times is not; so is a side of 59."""
    sizes = {f"train-{number}": (640, 480) for number in range(9)}
    sizes |= {"wide": (4133 * 480 // 1000, 480), "less": (3866 * 480 // 1000, 480), "tall": (480, 2000)}
    sizes |= {"small": (80, 59), "edge": (80, 60)}
    one = found(check_data(dataset(*sound()), sizes=sizes))["odd_size"]
    assert one.groups == (("wide",), ("tall",), ("small",))
    assert "640×480" in one.words
    assert one.lines[1] == "tall: 480×2000"


def test_progress_is_told_of_both_parts() -> None:
    told: list[tuple[int, int]] = []
    check_data(dataset(*sound()), progress=lambda done, total, what: told.append((done, total)))
    assert told == [(15, 21), (21, 21)]


def test_numbers_as_ids() -> None:
    train, labels, test, tested = sound()
    train[3] = train[0]
    parts = [
        Split(pixels, np.array(given, dtype=np.int64), np.arange(len(given)), None)
        for pixels, given in ((train, labels), (test, tested))
    ]
    data = Data(parts[0], parts[1], CLASSES, (0.5,) * 3, (0.5,) * 3)
    assert found(check_data(data))["repeated"].groups == (("0", "3"),)
