"""The pictures of a model's figures: that what is to be said is in them."""

from __future__ import annotations

import io

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

from nlcore.rundir.figure_pictures import draw_counts, draw_mistakes, draw_reliability, headline, mistake_in_words
from nlcore.rundir.figures import Figures, figures
from nlcore.rundir.plots import as_png


@pytest.fixture
def words(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the words of the next picture, once it is drawn."""
    found: list[str] = []

    def note(figure: Figure) -> bytes:
        png = as_png(figure)
        found.extend(one.get_text() for one in figure.findobj(Text) if isinstance(one, Text))
        return png

    monkeypatch.setattr("nlcore.rundir.figure_pictures.as_png", note)
    return found


def made(classes: int = 3, count: int = 40) -> Figures:
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet(np.ones(classes), count).astype(np.float32)
    return figures([f"class {i}" for i in range(classes)], probabilities, rng.integers(0, classes, count))


def size_of(png: bytes) -> tuple[int, int]:
    with Image.open(io.BytesIO(png)) as image:
        return image.size


def test_counts_say_whose_classes_the_rows_are(words: list[str]) -> None:
    found = made()
    assert min(size_of(draw_counts(found, "a title", "given"))) > 100
    assert {"a title", "given", "predicted", "share of the given class", "class 2"} <= set(words)
    numbers = sorted(int(text) for text in words if text.isdecimal())
    assert numbers == sorted(found.confusion[found.confusion > 0].tolist())


def test_of_many_classes_none_is_written_out(words: list[str]) -> None:
    draw_counts(made(classes=30), "a title", "true")
    assert not any(text.startswith("class ") for text in words)


def test_reliability_says_the_error(words: list[str]) -> None:
    found = made()
    draw_reliability(found, "a title")
    assert f"ECE {100 * found.calibration.ece:.2f} points" in words


def test_mistakes_may_be_of_any_size_and_none(words: list[str]) -> None:
    images = [np.zeros((8, 20, 3), np.uint8), np.zeros((9, 9, 1), np.uint8)]
    draw_mistakes(images, ["one", "another"], "a title")
    assert {"one", "another", "a title"} <= set(words)
    assert draw_mistakes([], [], "no mistakes")


def test_a_mistake_says_whether_its_label_is_known_to_be_true() -> None:
    assert mistake_in_words("cat", "dog", 0.987, "true") == "is cat\ndog 99%"
    assert mistake_in_words("cat", "a very long name indeed", 0.5, "given") == "given cat\na very long nam… 50%"


def test_the_headline_holds_accuracy_interval_and_labels() -> None:
    """scipy.stats.binomtest(8, 10).proportion_ci(method="wilson"): 0.490 to 0.943."""
    predictions = np.eye(2, dtype=np.float32)[[0] * 10]
    found = figures(("a", "b"), predictions, np.array([0] * 8 + [1] * 2))
    assert headline(found, "the true labels") == "accuracy 80.00% (95% interval 49.0 to 94.3%) against the true labels"
