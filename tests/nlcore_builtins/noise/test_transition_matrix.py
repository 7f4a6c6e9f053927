"""Noise by a matrix from a file: drawn from the row of the true class, and files that hold no such matrix."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nlcore
from nlcore.checks import noise


def model(path: Path) -> Any:
    """Return the noise model of a file."""
    return nlcore.create("noise", "transition_matrix", file=str(path))


def test_what_is_realised_is_what_is_declared(labels: Any, counted: Any, follows: Any, tmp_path: Path) -> None:
    """A matrix that is not symmetric, with impossible flips at both ends of its rows."""
    T = np.random.default_rng(4).dirichlet(np.full(10, 0.5), size=10)
    T[:, 0], T[:5, 9] = 0, 0
    T /= T.sum(axis=1, keepdims=True)
    np.save(tmp_path / "T.npy", T)
    info = model(tmp_path / "T.npy").declared(10)
    np.testing.assert_allclose(info.transition, T, atol=1e-12)
    assert info.rate == pytest.approx(1 - np.trace(T) / 10)
    given = model(tmp_path / "T.npy").corrupt(labels, 10, np.random.default_rng(2))
    follows(counted(labels, given), T)


def test_rows_without_chance_are_followed_exactly(labels: Any, tmp_path: Path) -> None:
    """A permutation, and the identity."""
    order = np.random.default_rng(1).permutation(10)
    np.savetxt(tmp_path / "T.csv", np.eye(10)[order], delimiter=",")
    assert np.array_equal(model(tmp_path / "T.csv").corrupt(labels, 10, np.random.default_rng(0)), order[labels])
    np.save(tmp_path / "T.npy", np.eye(10))
    assert np.array_equal(model(tmp_path / "T.npy").corrupt(labels, 10, np.random.default_rng(0)), labels)


@pytest.mark.parametrize(
    ("matrix", "said"),
    [
        (np.full((3, 3), 1 / 3), "3 classes"),
        (np.full((10, 9), 1 / 9), "10 by 9"),
        (np.eye(10) * 2 - np.full((10, 10), 0.1), "negative"),
        (np.eye(10) * 0.5, "sums to 0.5"),
        (np.vstack([np.full((1, 10), 0.5), np.full((9, 10), 0.5 / 9)]), "column-stochastic"),
    ],
)
def test_matrices_that_are_none(matrix: Any, said: str, labels: Any, tmp_path: Path) -> None:
    np.save(tmp_path / "T.npy", matrix)
    for method, arguments in (("corrupt", (labels, 10, np.random.default_rng(0))), ("declared", (10,))):
        with pytest.raises(nlcore.UserError) as error:
            getattr(model(tmp_path / "T.npy"), method)(*arguments)
        assert said in str(error.value)
        assert "T.npy" in str(error.value)


def test_no_file(labels: Any, tmp_path: Path) -> None:
    with pytest.raises(nlcore.UserError, match=r"none\.npy"):
        model(tmp_path / "none.npy").corrupt(labels, 10, np.random.default_rng(0))
    with pytest.raises(nlcore.UserError, match=r"--noise\.file"):
        nlcore.create("noise", "transition_matrix").corrupt(labels, 10, np.random.default_rng(0))


RULES = [check for check in noise.CHECKS if "image" not in check.__name__ and "rate" not in check.__name__]


@pytest.mark.parametrize("check", RULES)
def test_conformance(check: Any, tmp_path: Path) -> None:
    """The suite has no file for the default; with one every rule that applies holds."""
    np.save(tmp_path / "T.npy", np.random.default_rng(4).dirichlet(np.full(10, 0.5), size=10))
    check(lambda: model(tmp_path / "T.npy"))
