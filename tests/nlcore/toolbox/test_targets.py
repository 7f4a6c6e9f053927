"""Sharpening and mixing against their formulas, the draws against their distributions."""

from __future__ import annotations

from collections import Counter
from itertools import permutations

import numpy as np
import pytest
import torch
from scipy import stats

from nlcore.toolbox import beta, mix, mixup_pairs, mixup_pairs_within, sharpen

P = torch.tensor([[0.5, 0.3, 0.2], [0.1, 0.1, 0.8]], dtype=torch.float64)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("temperature", [0.3, 0.5, 1.0, 2.0])
def test_sharpen_takes_powers_and_normalises(temperature: float) -> None:
    powers = P.numpy() ** (1 / temperature)
    np.testing.assert_allclose(sharpen(P, temperature), powers / powers.sum(1, keepdims=True), rtol=1e-12)


def test_sharpen_takes_any_number_of_dimensions() -> None:
    torch.testing.assert_close(sharpen(P[None].repeat(4, 1, 1), 0.5)[3], sharpen(P, 0.5))


def test_a_small_temperature_and_zeros_do_no_harm() -> None:
    p = torch.tensor([0.4, 0.6, 0.0])
    torch.testing.assert_close(sharpen(p, 1e-3), torch.tensor([0.0, 1.0, 0.0]))  # 0.4^1000 is 0 in float32


def test_lambda_is_beta_distributed() -> None:
    for alpha in (0.2, 4.0):
        lam = beta(alpha, 4000, seeded())
        assert lam.shape == (4000,)
        assert lam.dtype == torch.float32
        assert stats.kstest(lam.double().numpy(), stats.beta(alpha, alpha).cdf).pvalue > 0.01


def test_lambda_is_drawn_from_the_generator_and_moves_it_on() -> None:
    random = seeded(3)
    first, second = beta(1.0, 8, random), beta(1.0, 8, random)
    assert torch.equal(first, beta(1.0, 8, seeded(3)))
    assert not torch.equal(first, second)


def test_partners_are_a_permutation_of_as_many_rows_as_there_are() -> None:
    order = torch.rand(9, generator=seeded())
    assert sorted(mixup_pairs(order, 6).tolist()) == list(range(6))
    assert torch.equal(mixup_pairs(order, 6), mixup_pairs(order[:6], 6))


def test_all_permutations_are_equally_likely() -> None:
    random = seeded()
    drawn = Counter(tuple(mixup_pairs(torch.rand(3, generator=random), 3).tolist()) for _ in range(1200))
    assert stats.chisquare([drawn[p] for p in permutations(range(3))]).pvalue > 0.01


@pytest.mark.parametrize("dtype", [torch.bool, torch.float32, torch.int64])
def test_chosen_rows_are_mixed_among_themselves_and_so_is_the_rest(dtype: torch.dtype) -> None:
    chosen = torch.tensor([0, 1, 1, 0, 1, 0, 1]).to(dtype)
    for seed in range(20):
        partner = mixup_pairs_within(torch.rand(8, generator=seeded(seed)), chosen)
        assert sorted(partner.tolist()) == list(range(7))
        assert torch.equal(chosen[partner], chosen)


def test_chosen_rows_are_permuted_evenly() -> None:
    random, chosen = seeded(), torch.tensor([1, 0, 1, 0, 1])
    drawn = Counter(
        tuple(mixup_pairs_within(torch.rand(5, generator=random), chosen)[chosen == 1].tolist()) for _ in range(1200)
    )
    assert stats.chisquare([drawn[p] for p in permutations((0, 2, 4))]).pvalue > 0.01


@pytest.mark.parametrize("value", [0, 1])
def test_with_all_or_none_chosen_the_pairs_are_those_of_the_whole_batch(value: int) -> None:
    order = torch.rand(9, generator=seeded())
    assert torch.equal(mixup_pairs_within(order, torch.full((6,), value)), mixup_pairs(order, 6))


def test_mix_is_a_convex_combination_for_images_and_for_targets() -> None:
    partner, lam = torch.tensor([2, 0, 1]), torch.tensor(0.75)
    for values in (torch.rand(3, 2, 4, 4, generator=seeded()), torch.rand(3, 5, generator=seeded())):
        v = values.numpy()
        np.testing.assert_allclose(mix(values, partner, lam), 0.75 * v + 0.25 * v[[2, 0, 1]], rtol=1e-6)


def test_mix_takes_a_lambda_for_each_row_and_a_number() -> None:
    values, partner = torch.tensor([[0.0], [4.0]]), torch.tensor([1, 0])
    torch.testing.assert_close(mix(values, partner, torch.tensor([[0.5], [0.25]])), torch.tensor([[2.0], [1.0]]))
    assert torch.equal(mix(values, partner, 1.0), values)
