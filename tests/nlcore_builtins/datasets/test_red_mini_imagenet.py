"""Red Mini-ImageNet: which labels are wrong is known by the images' names, and classes are called like synsets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_archives import SYNSETS, lines, red_mini_imagenet

import nlcore
from nlcore import UserError
from nlcore.contracts import Data, DatasetContext
from nlcore.data import stores
from nlcore.data.prepare import prepare


def load(directory: Path, **more: Any) -> Data:
    dataset = nlcore.create("dataset", "red_mini_imagenet", **{"size": 9, **more})
    return dataset.load(DatasetContext(directory))  # type: ignore[no-any-return]


def test_classes_are_synsets_and_images_from_the_web_are_wrong(tmp_path: Path) -> None:
    red_mini_imagenet(tmp_path)
    data = load(tmp_path)
    assert data.classes == tuple(reversed(SYNSETS[:100]))
    assert data.train.clean is not None
    assert data.train.labels.tolist() == [n % 100 for n in range(500)]
    assert data.train.clean.tolist() == [*(n % 100 for n in range(400)), *[-1] * 100]
    dataset, noise = nlcore.create("dataset", "red_mini_imagenet", size=9), nlcore.create("noise", "none")
    found = prepare(dataset, noise, DatasetContext(tmp_path), noise_seed=1)
    assert found.truth.noise_rate == 0.2
    assert found.truth.num_open_set == 100


def test_decoded_before_training_and_while_training_are_the_same(tmp_path: Path) -> None:
    red_mini_imagenet(tmp_path)
    kept, decoded = load(tmp_path), load(tmp_path, memory=0)
    assert isinstance(kept.train.images, np.ndarray)
    assert not isinstance(decoded.train.images, np.ndarray)
    assert kept.fingerprint == decoded.fingerprint
    for one, other in ((kept.train, decoded.train), (kept.test, decoded.test)):
        count = len(one.labels)
        np.testing.assert_array_equal(one.images, stores.as_store(other.images).fetch(np.arange(count)))
        assert one.ids.tolist() == other.ids.tolist()


def test_what_fits_memory_changes_nothing_about_broken_images(tmp_path: Path) -> None:
    (red_mini_imagenet(tmp_path) / "all_images" / f"{7:016x}.jpg").write_bytes(b"no image")
    for memory in (4.0, 0.0):
        with pytest.raises(UserError, match=rf"1 images cannot be read: all_images/{7:016x}\.jpg"):
            load(tmp_path, memory=memory)
    found = [load(tmp_path, memory=memory, skip_unreadable=True) for memory in (4.0, 0.0)]
    assert found[0].fingerprint == found[1].fingerprint
    assert [len(one.train.ids) for one in found] == [499, 499]


def test_validation_images_may_lie_in_folders_of_classes(tmp_path: Path) -> None:
    root = red_mini_imagenet(tmp_path)
    flat = load(tmp_path)
    for number in range(100):
        name = f"ILSVRC2012_val_{number:08}.jpg"
        (root / "validation" / str(number)).mkdir()
        (root / "validation" / name).rename(root / "validation" / str(number) / name)
    found = load(tmp_path)
    assert found.test.ids[7] == "validation/7/ILSVRC2012_val_00000007.jpg"
    np.testing.assert_array_equal(np.asarray(found.test.images), np.asarray(flat.test.images))


def test_another_rate_is_another_list(tmp_path: Path) -> None:
    red_mini_imagenet(tmp_path)
    with pytest.raises(UserError, match=r"there is no .*split/red_noise_nl_0\.8"):
        load(tmp_path, rate="0.8")
    with pytest.raises(UserError, match=r"0\.45"):
        load(tmp_path, rate="0.45")


def test_a_class_of_two_synsets_is_refused(tmp_path: Path) -> None:
    path = red_mini_imagenet(tmp_path) / "split" / "red_noise_nl_0.2"
    content = path.read_text().splitlines()
    lines(path, [content[0].replace(" 0", " 17"), *content[1:]])
    with pytest.raises(UserError, match="has not images of one synset each in the classes 17"):
        load(tmp_path)
