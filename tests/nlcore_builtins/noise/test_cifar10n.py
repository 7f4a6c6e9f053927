"""CIFAR-10N: the published rates, the right labels for a subset, and files that are not what they should be."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import nlcore
from nlcore.contracts import DatasetContext, NoiseContext

#: Wei et al. 2022, table 1.
PUBLISHED = {"aggre": 9.03, "random1": 17.23, "random2": 18.12, "random3": 17.64, "worse": 40.21}


def samples(ids: Any, directory: Path | None = None) -> NoiseContext:
    """Return what a noise model sees of these samples."""
    return NoiseContext(np.asarray(ids), None, ("airplane",) * 10, directory)  # type: ignore[arg-type]


def corrupt(labels: Any, data: NoiseContext | None, **params: Any) -> Any:
    """Return the given labels."""
    return nlcore.create("noise", "cifar10n", **params).corrupt(labels, 10, np.random.default_rng(0), data)


@pytest.fixture
def fake(tmp_path: Path) -> Path:
    """Write a file of the official form with known content: worse is clean + 1, the others clean."""
    clean = np.arange(50_000) % 10
    names = ("clean_label", "aggre_label", "random_label1", "random_label2", "random_label3")
    torch.save({**dict.fromkeys(names, clean), "worse_label": (clean + 1) % 10}, tmp_path / "CIFAR-10_human.pt")
    return tmp_path / "CIFAR-10_human.pt"


@pytest.mark.slow
@pytest.mark.cifar10
@pytest.mark.parametrize("which", PUBLISHED)
def test_the_published_rates(which: str, cifar10_dir: Path, cifar10n_file: Path) -> None:
    data = nlcore.create("dataset", "cifar10", per_class=-1).load(DatasetContext(cifar10_dir, download=False))
    given = corrupt(data.train.labels, samples(data.train.ids), which=which, file=str(cifar10n_file))
    # The authors' file holds 4,505 wrong majority labels, 9.01 %, where the paper prints 9.03 %; the rest agrees.
    held = {**PUBLISHED, "aggre": 9.01}[which]
    assert 100 * np.mean(given != data.train.labels) == pytest.approx(held, abs=0.005)
    declared = nlcore.create("noise", "cifar10n", which=which).declared(10)
    assert 100 * declared.rate == pytest.approx(PUBLISHED[which])


@pytest.mark.slow
@pytest.mark.cifar10
def test_the_default_subset_gets_its_own_labels(cifar10_dir: Path, cifar10n_file: Path) -> None:
    whole, part = (
        nlcore.create("dataset", "cifar10", per_class=count).load(DatasetContext(cifar10_dir, download=False)).train
        for count in (-1, 2_000)
    )
    of_all = corrupt(whole.labels, samples(whole.ids), file=str(cifar10n_file))
    of_part = corrupt(part.labels, samples(part.ids), file=str(cifar10n_file))
    assert len(of_part) == 20_000
    np.testing.assert_array_equal(of_part, of_all[part.ids])


def test_labels_are_looked_up_by_id(fake: Path) -> None:
    ids = np.array([49_999, 3, 17])
    np.testing.assert_array_equal(corrupt(ids % 10, samples(ids), file=str(fake)), (ids + 1) % 10)
    np.testing.assert_array_equal(corrupt(ids % 10, samples(ids, fake.parent), which="aggre"), ids % 10)


def test_samples_of_another_dataset(fake: Path) -> None:
    for ids, labels in (([0, 1], [1, 0]), ([50_000], [0]), (["a"], [0])):
        with pytest.raises(nlcore.UserError, match="cifar10n"):
            corrupt(np.array(labels), samples(ids), file=str(fake))
    with pytest.raises(nlcore.UserError, match="data"):
        corrupt(np.array([0]), None, file=str(fake))


class Malicious:
    """Makes a folder when it is unpickled."""

    def __reduce__(self) -> Any:
        return os.mkdir, ("owned",)


def test_files_that_are_not_it(tmp_path: Path) -> None:
    for name, content in (
        ("malicious.pt", {"clean_label": Malicious()}),
        ("short.pt", {"clean_label": np.arange(10)}),
        ("list.pt", [1, 2]),
    ):
        torch.save(content, tmp_path / name)
        with pytest.raises(nlcore.UserError, match="is not CIFAR-10N's official file"):
            corrupt(np.array([0]), samples([0]), file=str(tmp_path / name))
    assert not Path("owned").exists()
    (tmp_path / "text.pt").write_text("no tensors")
    with pytest.raises(nlcore.UserError, match=r"text\.pt"):
        corrupt(np.array([0]), samples([0]), file=str(tmp_path / "text.pt"))
    with pytest.raises(nlcore.UserError, match="There is no file"):
        corrupt(np.array([0]), samples([0]), file=str(tmp_path / "none.pt"))
    with pytest.raises(nlcore.UserError, match=r"--noise\.file"):
        corrupt(np.array([0]), samples([0], tmp_path))
