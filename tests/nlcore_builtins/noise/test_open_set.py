"""Open-set noise: which images are replaced by what, and what the run knows of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import make_data, prepared, squares
from nlcore_builtins.noise.open_set import OpenSet
from sklearn.datasets import load_digits

import nlcore
from nlcore.checks import noise
from nlcore.contracts import DatasetContext, NoiseInfo


def model(**params: Any) -> Any:
    """Return the noise model, with images of the digits."""
    return nlcore.create("noise", "open_set", **{"images": "digits", **params})


def replaced(data: Any, seed: int = 1, **params: Any) -> tuple[Any, Any]:
    """Return positions and images."""
    positions, images = model(**params).replace_images(data, np.random.default_rng(seed))
    return positions, images


def test_a_run_with_images_of_no_class() -> None:
    """int(N r) images are others, their labels stay and their true label is none; all else is as it was."""
    images, labels = squares(200)
    data = prepared(make_data(images, labels), model(rate=0.3))
    assert data.truth.train is not None
    theirs = data.truth.train == -1
    assert theirs.sum() == 60
    assert data.truth.num_open_set == 60
    assert data.truth.noise_rate == pytest.approx(0.3)
    np.testing.assert_array_equal(data.train.labels, labels)
    np.testing.assert_array_equal(data.truth.train[~theirs], labels[~theirs])
    shown = data.train.images.fetch(np.arange(200))
    np.testing.assert_array_equal(shown[~theirs], images[~theirs])
    digits = {np.rint(image * (255 / 16)).astype(np.uint8).tobytes() for image in load_digits().images}
    assert all(image.tobytes() in digits for image in shown[theirs])
    assert data.truth.confusion is not None
    assert np.array_equal(data.truth.confusion, np.diag(np.bincount(labels[~theirs], minlength=4)))


def test_what_is_declared() -> None:
    info: NoiseInfo = model(rate=0.3).declared(4)
    assert info.rate == 0.3
    assert np.array_equal(info.transition, np.eye(4))  # type: ignore[arg-type]


def test_images_are_made_to_fit(samples: Any) -> None:
    """Grey 8×8 digits become RGB of 12×10, with three equal channels, as bright as before."""
    data = samples(1000, images=np.zeros((1000, 12, 10, 3), np.uint8))
    positions, images = replaced(data, rate=0.5)
    assert images.shape == (500, 12, 10, 3)
    assert images.dtype == np.uint8
    assert len(set(positions.tolist())) == 500
    assert (images[..., 0] == images[..., 1]).all()
    assert (images[..., 0] == images[..., 2]).all()
    digits = load_digits().images * (255 / 16)
    assert images.mean() == pytest.approx(digits.mean(), rel=0.05)


def test_no_image_is_shown_twice_while_there_are_others(samples: Any) -> None:
    """There are 1,442 training digits; of 2,000 that are needed none is shown three times."""
    for count, times in ((1000, 1), (2000, 2)):
        _, images = replaced(samples(count, images=np.zeros((count, 8, 8, 1), np.uint8)), rate=1.0)
        _, counts = np.unique(images.reshape(count, -1), axis=0, return_counts=True)
        assert counts.max() == times


def test_the_seed_decides(samples: Any) -> None:
    data = samples(500, images=np.zeros((500, 8, 8, 1), np.uint8))
    (first, shown), (again, same), (other, _) = replaced(data), replaced(data), replaced(data, seed=2)
    assert np.array_equal(first, again)
    assert np.array_equal(shown, same)
    assert not np.array_equal(first, other)


def test_nothing_is_replaced_at_rate_zero(samples: Any) -> None:
    positions, images = replaced(samples(50, images=np.zeros((50, 8, 8, 1), np.uint8)), rate=0.0)
    assert positions.shape == (0,)
    assert images.shape == (0, 8, 8, 1)


def test_images_of_our_own_classes(samples: Any) -> None:
    """Those of classes that go by one of our names are left out, so digits among digits leaves none."""
    with pytest.raises(nlcore.UserError, match="our own classes"):
        replaced(samples(50, tuple("0123456789")))
    data = samples(300, ("0", "2", "4", "6", "8"), np.zeros((300, 8, 8, 1), np.uint8))
    _, images = replaced(data, rate=1.0)
    digits = load_digits()
    labels_of = {
        np.rint(image * (255 / 16)).astype(np.uint8).tobytes(): label
        for image, label in zip(digits.images, digits.target, strict=True)
    }
    assert {labels_of[image.tobytes()] % 2 for image in images} == {1}


def test_a_dataset_that_is_not_there(samples: Any, tmp_path: Path) -> None:
    """The other dataset is looked for where ours is, and is downloaded only where that is allowed."""
    with pytest.raises(nlcore.UserError, match="no dataset 'nonsense'"):
        replaced(samples(5), images="nonsense")
    source = DatasetContext(tmp_path, download=False)
    with pytest.raises(nlcore.UserError, match=str(tmp_path)):
        replaced(samples(5, ("a", "b"), source=source), images="cifar10")


@dataclass(frozen=True)
class WithDigits(OpenSet):
    """With images that are there without a download."""

    images: str = "digits"


@pytest.mark.parametrize("check", noise.CHECKS)
def test_conformance(check: Any) -> None:
    """The suite finds no files for the default; with the digits every rule holds."""
    check(WithDigits)
