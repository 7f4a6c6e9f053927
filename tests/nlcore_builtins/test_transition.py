"""Transition matrices: from files, where each way to be wrong has its sentence, and from anchor points."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fuzzing import FUZZ, refused_or_read
from hypothesis import given
from hypothesis import strategies as some
from nlcore_builtins.transition import at_anchors, read_transition
from numpy.typing import NDArray

import nlcore

T = np.array([[0.7, 0.2, 0.1], [0.0, 0.9, 0.1], [0.3, 0.3, 0.4]])


def test_every_format_gives_the_same_matrix(tmp_path: Path) -> None:
    """As .npy, as .npz with a name or without, as .csv with a mark at its beginning and empty lines."""
    np.save(tmp_path / "a.npy", T)
    np.savez(tmp_path / "b.npz", T)
    np.savez(tmp_path / "c.npz", transition=T, classes=np.array(["x", "y", "z"]))
    (tmp_path / "d.csv").write_text("\ufeff0.7,0.2,0.1\n0, 0.9, 0.1\n\n0.3,0.3,0.4\n", encoding="utf-8")
    for name in ("a.npy", "b.npz", "c.npz", "d.csv"):
        read = read_transition(tmp_path / name, 3)
        assert read.dtype == np.float64
        np.testing.assert_allclose(read, T, rtol=1e-15)


def test_rounded_digits_are_forgiven_and_rows_scaled(tmp_path: Path) -> None:
    """Three thirds with three digits sum to 0.999."""
    (tmp_path / "t.csv").write_text("0.333,0.333,0.333\n0,1,0\n0,0,1\n")
    np.testing.assert_allclose(read_transition(str(tmp_path / "t.csv"), 3)[0], np.full(3, 1 / 3), rtol=1e-15)


def test_whole_numbers_are_a_matrix_too(tmp_path: Path) -> None:
    """A permutation is row- and column-stochastic: nothing is ambiguous about it."""
    np.save(tmp_path / "t.npy", np.eye(3, dtype=np.int64)[[1, 2, 0]])
    assert read_transition(tmp_path / "t.npy", 3).tolist() == [[0, 1, 0], [0, 0, 1], [1, 0, 0]]


@pytest.mark.parametrize(
    ("matrix", "said"),
    [
        (T[:2], "square, 3 by 3 here; this is 2 by 3"),
        (T[0], "square, 3 by 3 here; this is 3"),
        (np.array(1.0), "a single number"),
        (np.eye(10), r"for 10 classes; there are 3 here: is it for another dataset\?"),
        (T - np.diag([0.0, 0.0, 0.7]), r"row 2, column 2 \(from 0\) is -0.3; probabilities are not negative"),
        (T + np.diag([0.0, 0.5, 0.0]), r"row 1 sums to 1.5, not to 1"),
        (0 * T, r"row 0 sums to 0, not to 1"),
        (T.T, r"column-stochastic: its columns sum to 1.*give the transpose"),
        (np.where(T == 0.9, np.nan, T), r"row 1, column 1 \(from 0\) is not a finite number"),
        (np.where(T == 0.2, np.inf, T), r"row 0, column 1 \(from 0\) is not a finite number"),
        (np.array([["a", "b"], ["c", "d"]]), "holds numbers"),
        (T.astype(complex), "holds numbers, not complex128"),
    ],
)
def test_wrong_matrices(matrix: NDArray[Any], said: str, tmp_path: Path) -> None:
    """The sentence names the file and what is wrong in it."""
    np.save(tmp_path / "t.npy", matrix)
    with pytest.raises(nlcore.UserError, match=said) as error:
        read_transition(tmp_path / "t.npy", 3)
    assert str(tmp_path / "t.npy") in str(error.value)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("t.npy", None, "There is no file"),
        ("t.txt", b"1", r"\.npy, \.npz and \.csv"),
        ("t.npy", b"not numpy", "cannot be read as a matrix"),
        ("t.npy", b"", "cannot be read as a matrix"),
        ("t.npz", b"PK\x03\x04 truncated", "cannot be read as a matrix"),
        ("t.csv", b"a,b\n1,0\n0,1\n", "cannot be read as a matrix of numbers"),
        ("t.csv", b"1,0\n0\n", "cannot be read as a matrix of numbers"),
        ("t.csv", b"\xff\xfe1", "cannot be read as a matrix of numbers"),
        ("t.csv", b"", "square"),
    ],
)
def test_wrong_files(name: str, content: bytes | None, said: str, tmp_path: Path) -> None:
    """No traceback for a file that is not there, not of this kind, or damaged."""
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(nlcore.UserError, match=said):
        read_transition(tmp_path / name, 3)


def test_an_archive_of_several_arrays_must_say_which(tmp_path: Path) -> None:
    """A run's labels.npz, say."""
    np.savez(tmp_path / "t.npz", ids=np.arange(3), given=np.arange(3))
    with pytest.raises(nlcore.UserError, match="holds 2 arrays: call the matrix 'transition'"):
        read_transition(tmp_path / "t.npz", 3)


def test_an_archive_of_objects_is_not_unpickled(tmp_path: Path) -> None:
    """Reading a matrix runs no code."""
    np.save(tmp_path / "t.npy", np.array([{}, {}]), allow_pickle=True)
    with pytest.raises(nlcore.UserError, match="cannot be read as a matrix"):
        read_transition(tmp_path / "t.npy", 3)


def posteriors(count: int) -> NDArray[np.float64]:
    """Return what a perfect network predicts of given labels, P(given | x) = Σ_i P(true = i | x) T_i, (N, K)."""
    rng = np.random.default_rng(4)
    # One class in four samples is beyond doubt, as anchor points ask for.
    true = np.where(
        rng.random((count, 1)) < 0.25, np.eye(3)[rng.integers(3, size=count)], rng.dirichlet([1, 1, 1], count)
    )
    result: NDArray[np.float64] = true @ np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.0, 0.4, 0.6]])
    return result


@pytest.mark.parametrize("percentile", [97.0, 100.0])
def test_anchor_points_recover_the_matrix(percentile: float) -> None:
    """Where some samples belong to a class beyond doubt, their posterior is its row, whatever their share above."""
    with np.errstate(divide="ignore"):
        logits = torch.from_numpy(np.log(posteriors(2000).clip(1e-12)))
    expected = [[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.0, 0.4, 0.6]]
    np.testing.assert_allclose(at_anchors(logits, percentile), expected, atol=1e-9)


def test_outliers_are_no_anchor_points() -> None:
    """One in a hundred is sure of class 0 by accident: the 97th percentile does not fall for it, the maximum does."""
    p = posteriors(2000)
    p[:20] = [0.98, 0.01, 0.01]
    logits = torch.from_numpy(np.log(p.clip(1e-12)))
    np.testing.assert_allclose(at_anchors(logits, 97.0)[0], [0.7, 0.2, 0.1], atol=1e-9)
    np.testing.assert_allclose(at_anchors(logits, 100.0)[0], [0.98, 0.01, 0.01], atol=1e-9)


def test_the_anchor_is_the_last_one_below_the_percentile() -> None:
    """As in the authors' code: of 101 samples the 98th smallest is np.percentile(·, 97)."""
    values = np.random.default_rng(5).permutation(np.linspace(0.1, 0.9, 101))
    p = np.stack([values, 1 - values], 1)
    T = at_anchors(torch.from_numpy(np.log(p)), 97.0)
    for k in (0, 1):
        assert T[k, k] == pytest.approx(np.percentile(p[:, k], 97))
    np.testing.assert_allclose(T.sum(1), 1, rtol=1e-15)


NUMBERS = some.one_of(some.sampled_from(["0", "1", "0.5", "-1", "nan", "1e999", "x", "", "½"]), some.floats().map(str))


@FUZZ
@given(rows=some.lists(some.lists(NUMBERS, min_size=1, max_size=3), max_size=3), separator=some.sampled_from(",; "))
def test_any_table_is_a_matrix_or_is_refused(rows: list[list[str]], separator: str, tmp_path: Path) -> None:
    (tmp_path / "T.csv").write_text("\n".join(separator.join(row) for row in rows), encoding="utf-8")
    with refused_or_read(tmp_path):
        T = read_transition(tmp_path / "T.csv", 2)
        assert T.shape == (2, 2)
        np.testing.assert_allclose(T.sum(1), 1)


@FUZZ
@given(content=some.binary(max_size=80), ending=some.sampled_from(["csv", "npy", "npz"]), head=some.booleans())
def test_any_bytes_are_a_matrix_or_are_refused(content: bytes, ending: str, head: bool, tmp_path: Path) -> None:
    path = tmp_path / f"T.{ending}"
    starts = {"csv": b"1,0\n", "npy": b"\x93NUMPY\x01\x00v\x00{'descr': ", "npz": b"PK\x03\x04"}
    path.write_bytes((starts[ending] if head else b"") + content)
    with refused_or_read(tmp_path):
        read_transition(path, 2)
