"""CIFAR-100N: labels by sample id, and files that are not what they should be. The official file is not to be had."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import nlcore
from nlcore.contracts import NoiseContext


def samples(ids: Any, directory: Path | None = None) -> NoiseContext:
    """Return what a noise model sees of these samples."""
    return NoiseContext(np.asarray(ids), None, ("apple",) * 100, directory)  # type: ignore[arg-type]


def corrupt(labels: Any, data: NoiseContext | None, name: str = "cifar100n", **params: Any) -> Any:
    """Return the given labels."""
    return nlcore.create("noise", name, **params).corrupt(labels, 100, np.random.default_rng(0), data)


@pytest.fixture
def fake(tmp_path: Path) -> Path:
    """Write a file of the official form: every label is the next class, with coarse labels beside them."""
    clean = np.arange(50_000) % 100
    content = {"clean_label": clean, "noisy_label": (clean + 1) % 100, "noisy_coarse_label": clean // 5}
    torch.save(content, tmp_path / "CIFAR-100_human.pt")
    return tmp_path / "CIFAR-100_human.pt"


def test_labels_are_looked_up_by_id(fake: Path) -> None:
    ids = np.array([49_999, 3, 17])
    np.testing.assert_array_equal(corrupt(ids % 100, samples(ids), file=str(fake)), (ids + 1) % 100)
    np.testing.assert_array_equal(corrupt(ids % 100, samples(ids, fake.parent)), (ids + 1) % 100)
    np.testing.assert_array_equal(corrupt(ids % 100, samples(ids), "stored", file=str(fake)), (ids + 1) % 100)


def test_the_published_rate() -> None:
    """Wei et al. 2022, table 1: 40.20 %."""
    info = nlcore.create("noise", "cifar100n").declared(100)
    assert info.rate == 0.4020
    assert info.transition is None


def test_samples_of_another_dataset(fake: Path) -> None:
    for ids, labels in (([0, 1], [1, 0]), ([50_000], [0]), ([-1], [99]), (["a"], [0])):
        with pytest.raises(nlcore.UserError, match="cifar100n"):
            corrupt(np.array(labels), samples(ids), file=str(fake))
    with pytest.raises(nlcore.UserError, match="data"):
        corrupt(np.array([0]), None, file=str(fake))


def test_files_that_are_not_it(tmp_path: Path) -> None:
    clean = np.arange(50_000) % 10
    for content in (
        {"clean_label": clean, "worse_label": clean},
        {"clean_label": clean[:5], "noisy_label": clean},
        [1],
    ):
        torch.save(content, tmp_path / "other.pt")
        with pytest.raises(nlcore.UserError, match="is not CIFAR-100N's official file"):
            corrupt(np.array([0]), samples([0]), file=str(tmp_path / "other.pt"))
    with pytest.raises(nlcore.UserError, match=r"CIFAR-100_human\.pt is not there .* --noise\.file"):
        corrupt(np.array([0]), samples([0], tmp_path))
