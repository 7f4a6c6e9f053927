"""Choosing samples against plain numpy and scikit-learn's neighbours."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.neighbors import NearestNeighbors

from nlcore import UserError
from nlcore.toolbox import class_balanced_indices, keep_smallest, knn_votes


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


LOSSES = torch.rand(100, generator=seeded())
FEATURES = torch.randn(60, 8, generator=seeded(1))
LABELS = torch.randint(4, (60,), generator=seeded(2))


@pytest.mark.parametrize("share", [0.0, 0.05, 0.5, 0.29, 0.999, 1.0, 1])  # 0.29 · 100 = 28.999… in float64
def test_the_smallest_losses_are_kept_as_many_as_the_share_says_rounded_down(share: float) -> None:
    count = max(1, int(share * 100))
    kept = np.zeros(100)
    kept[np.argsort(LOSSES.numpy())[:count]] = 1
    np.testing.assert_array_equal(keep_smallest(LOSSES, share), kept)
    np.testing.assert_array_equal(keep_smallest(LOSSES, torch.tensor(share, dtype=torch.float64)), kept)


def test_a_share_in_float32_is_not_rounded_down_where_the_product_is_whole() -> None:
    assert keep_smallest(LOSSES[:10], torch.tensor(0.9)).sum() == 9  # float32's 0.9 is a little less than 0.9


def test_of_equal_losses_the_first_are_kept_and_nan_never_before_a_number() -> None:
    assert keep_smallest(torch.tensor([1.0, 1.0, 0.0, 1.0]), 0.5).tolist() == [1, 0, 1, 0]
    assert keep_smallest(torch.tensor([float("nan"), 5.0, float("inf"), 1.0]), 0.75).tolist() == [0, 1, 1, 1]


def test_weights_have_the_losses_dtype_and_no_gradient() -> None:
    weights = keep_smallest(LOSSES.double().requires_grad_(), 0.5)
    assert weights.dtype == torch.float64
    assert not weights.requires_grad


def test_keeping_asks_no_tensor_for_its_value() -> None:
    assert keep_smallest(LOSSES.to("meta"), torch.tensor(0.5, device="meta")).shape == (100,)  # meta has no values


def test_each_class_that_occurs_is_drawn_equally_often_and_repeats_only_where_it_must() -> None:
    labels = torch.tensor([5, 0, 2, 0, 2, 0, 2, 0, 5, 0])  # five of 0, three of 2, two of 5, none of 1, 3, 4
    drawn = class_balanced_indices(labels, 3, seeded())
    assert drawn.dtype == torch.int64
    assert labels[drawn].tolist() == [0, 0, 0, 2, 2, 2, 5, 5, 5]
    assert len(set(drawn[:3].tolist())) == 3
    assert sorted(drawn[3:6].tolist()) == [2, 4, 6]


def test_every_sample_of_a_class_is_as_likely() -> None:
    labels, random = torch.tensor([0, 1, 0, 1, 0, 0, 1]), seeded()
    draws = torch.stack([class_balanced_indices(labels, 4, random) for _ in range(500)])
    often = draws.flatten().bincount(minlength=7).double() / 500
    assert often[labels == 0].tolist() == [1, 1, 1, 1]  # exactly four: without replacement
    # Three of class 1, four draws with replacement: 4/3 each, standard error (4 · 1/3 · 2/3 / 500)^½ = 0.042
    torch.testing.assert_close(often[labels == 1], torch.full((3,), 4 / 3, dtype=torch.float64), atol=0.15, rtol=0)


def test_the_same_generator_draws_the_same_positions() -> None:
    assert torch.equal(class_balanced_indices(LABELS, 7, seeded(5)), class_balanced_indices(LABELS, 7, seeded(5)))
    assert not torch.equal(class_balanced_indices(LABELS, 7, seeded(5)), class_balanced_indices(LABELS, 7, seeded(6)))


def test_without_samples_nothing_is_drawn() -> None:
    drawn = class_balanced_indices(torch.empty(0, dtype=torch.int64), 3, seeded())
    assert drawn.shape == (0,)
    assert drawn.dtype == torch.int64


def neighbours(k: int) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    found: np.ndarray[tuple[int, ...], np.dtype[np.int64]]
    found = NearestNeighbors(n_neighbors=k, metric="cosine").fit(FEATURES).kneighbors(return_distance=False)
    return found  # without a query, a sample is no neighbour of its own


@pytest.mark.parametrize("chunk", [1, 7, 60, 512])
@pytest.mark.parametrize("k", [1, 10, 59])
def test_votes_are_the_labels_of_the_nearest_by_cosine(k: int, chunk: int) -> None:
    one_hot = np.eye(5)[LABELS.numpy()]  # class 4 does not occur
    votes = knn_votes(FEATURES, LABELS, k, num_classes=5, chunk=chunk)
    assert votes.dtype == torch.float32
    np.testing.assert_array_equal(votes, one_hot[neighbours(k)].sum(1))


def test_votes_of_soft_labels_are_their_sum() -> None:
    soft = torch.rand(60, 3, generator=seeded(3)).softmax(1)
    votes = knn_votes(FEATURES, soft, 10, num_classes=3)
    np.testing.assert_allclose(votes, soft.numpy()[neighbours(10)].sum(1), rtol=1e-5)


def test_a_duplicate_votes_but_a_sample_does_not_vote_for_itself() -> None:
    features = torch.tensor([[1.0, 0.0], [3.0, 0.0], [0.0, 1.0]])  # 0 and 1 point the same way
    votes = knn_votes(features, torch.tensor([0, 1, 2]), 1, num_classes=3)
    assert votes[:2].tolist() == [[0, 1, 0], [1, 0, 0]]


@pytest.mark.parametrize("k", [0, 60, 200])
def test_more_neighbours_than_there_are_others_is_an_error(k: int) -> None:
    with pytest.raises(
        UserError, match=rf"^{k} nearest neighbours .* each of the 60 samples has 59 others; .*most 59\.$"
    ):
        knn_votes(FEATURES, LABELS, k, num_classes=4)
