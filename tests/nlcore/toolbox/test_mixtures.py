"""The two mixtures against scikit-learn, EM written out with scipy's densities, and planted samples."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy import stats
from sklearn.metrics import roc_auc_score
from sklearn.mixture import GaussianMixture

from nlcore import RunError
from nlcore.toolbox import bmm_noisy, gmm_clean

Array = NDArray[np.float64]
EPS = 1e-4


def two_gaussians(mean: float = 4, deviation: float = 0.5) -> tuple[torch.Tensor, NDArray[np.bool_]]:
    """Return losses and which are noisy: 600 from N(1, 0.2²), 400 from N(mean, deviation²)."""
    random = np.random.default_rng(0)
    losses = np.concatenate([random.normal(1, 0.2, 600), random.normal(mean, deviation, 400)])
    return torch.from_numpy(losses).float(), np.arange(1000) >= 600


def two_betas(clean: tuple[float, float], noisy: tuple[float, float]) -> tuple[torch.Tensor, NDArray[np.bool_]]:
    """Return losses and which are noisy: 3,000 from 4 Beta(clean), 2,000 from 4 Beta(noisy)."""
    random = np.random.default_rng(0)
    losses = 4 * np.concatenate([random.beta(*clean, 3000), random.beta(*noisy, 2000)])
    return torch.from_numpy(losses), np.arange(5000) >= 3000


@pytest.mark.parametrize(("mean", "deviation"), [(4, 0.5), (1.5, 0.6), (1.2, 1)])  # the more overlap, the more steps
def test_the_gaussian_mixture_is_scikit_learns_on_normalised_losses(mean: float, deviation: float) -> None:
    losses, _ = two_gaussians(mean, deviation)
    values = losses.double().numpy()
    scaled = ((values - values.min()) / (values.max() - values.min())).reshape(-1, 1)
    mixture = GaussianMixture(n_components=2, max_iter=10, tol=1e-2, reg_covar=5e-4, random_state=7).fit(scaled)
    expected = mixture.predict_proba(scaled)[:, mixture.means_.argmin()]
    clean = gmm_clean(losses, seed=7)
    assert clean.dtype == torch.float32
    np.testing.assert_allclose(clean, expected, atol=1e-6)


def test_planted_gaussians_are_told_apart() -> None:
    losses, noisy = two_gaussians()
    for seed in range(3):
        np.testing.assert_array_equal(gmm_clean(losses, seed) < 0.5, noisy)


def test_scale_and_shift_of_the_losses_change_nothing() -> None:
    losses, _ = two_gaussians()
    torch.testing.assert_close(gmm_clean(losses * 8 - 16, 0), gmm_clean(losses, 0))
    torch.testing.assert_close(bmm_noisy(losses * 8 - 16), bmm_noisy(losses), atol=1e-5, rtol=0)


@pytest.mark.parametrize("seed", [0, 2**32, 2**63 - 1])
def test_any_seed_will_do_and_gives_the_same_again(seed: int) -> None:
    losses, _ = two_gaussians()
    assert torch.equal(gmm_clean(losses, seed), gmm_clean(losses, seed))


@pytest.mark.parametrize("losses", [[], [3.0], [0.5] * 40])
def test_losses_without_differences_are_all_clean(losses: list[float]) -> None:
    assert gmm_clean(torch.tensor(losses), 0).tolist() == [1] * len(losses)
    torch.testing.assert_close(bmm_noisy(torch.tensor(losses)), torch.full((len(losses),), EPS))


@pytest.mark.parametrize("losses", [[0.0, 2.0], [0.0, 0.0, 2.0]])
def test_two_values_are_enough_for_gaussians(losses: list[float]) -> None:
    values = torch.tensor(losses)
    assert torch.equal(gmm_clean(values, 0) > 0.5, values == 0)


@pytest.mark.parametrize("losses", [[0.0, 2.0], [0.0, 0.0, 2.0], [0.0] * 99 + [2.0]])
def test_without_two_values_between_the_percentiles_betas_find_nothing_noisy(losses: list[float]) -> None:
    torch.testing.assert_close(bmm_noisy(torch.tensor(losses)), torch.full((len(losses),), EPS))


def test_two_values_between_the_percentiles_are_enough_for_betas() -> None:
    values = torch.tensor([0.0] * 12 + [2.0] * 8)
    assert torch.equal(bmm_noisy(values) < 0.5, values == 0)


@pytest.mark.parametrize("broken", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_ends_the_run_with_a_reason(broken: float) -> None:
    losses = torch.tensor([0.1, broken, 0.4])
    with pytest.raises(RunError, match=r"^1 of 3 training losses .*--lr"):
        gmm_clean(losses, 0)
    with pytest.raises(RunError, match=r"^1 of 3 training losses .*--lr"):
        bmm_noisy(losses)


def em(x: Array) -> tuple[Array, Array, Array]:
    """Return α, β and weights after ten iterations, with the densities themselves and each component in turn."""
    alpha, beta, weight = np.array([1.0, 2.0]), np.array([2.0, 1.0]), np.array([0.5, 0.5])
    for _ in range(10):
        joint = np.array([weight[k] * stats.beta.pdf(x, alpha[k], beta[k]) for k in range(2)])
        joint = joint.clip(1e-12)
        r = joint / joint.sum(0)
        for k in range(2):
            m = np.average(x, weights=r[k])
            s2 = np.average((x - m) ** 2, weights=r[k])
            alpha[k] = m * (m * (1 - m) / s2 - 1)
            beta[k] = alpha[k] * (1 - m) / m
        weight = r.sum(1) / r.sum()
    return alpha, beta, weight


@pytest.mark.parametrize("planted", [((2, 8), (8, 2)), ((1.2, 6), (4, 3)), ((20, 40), (1, 0.7))])
def test_the_beta_mixture_is_ten_steps_of_em_held_constant_beyond_its_turn(
    planted: tuple[tuple[float, float], tuple[float, float]],
) -> None:
    losses, _ = two_betas(*planted)
    values = np.sort(losses.numpy())
    low, high = np.percentile(values, (5, 95))
    x = ((values - low) / (high - low)).clip(EPS, 1 - EPS)
    alpha, beta, weight = em(x[(values >= low) & (values <= high)])
    noisy = weight[1] * stats.beta.pdf(x, alpha[1], beta[1])
    posterior = noisy / (noisy + weight[0] * stats.beta.pdf(x, alpha[0], beta[0]))
    posterior[posterior.argmax() :] = posterior.max()
    rising = np.minimum.accumulate(posterior[::-1])[::-1]  # and below its minimum at its minimum
    found = bmm_noisy(torch.from_numpy(values))
    assert found.dtype == torch.float32
    np.testing.assert_allclose(found, rising.clip(EPS, 1 - EPS), atol=1e-4)


def test_planted_beta_components_are_found_again() -> None:
    losses, noisy = two_betas((4, 16), (16, 4))
    posterior, x = bmm_noisy(losses).double().numpy(), losses.numpy() / 4
    assert posterior.mean() == pytest.approx(0.4, abs=0.02)  # the share of noisy ones
    assert np.average(x, weights=posterior) == pytest.approx(0.8, abs=0.02)  # α / (α + β)
    assert np.average(x, weights=1 - posterior) == pytest.approx(0.2, abs=0.02)
    assert ((posterior > 0.5) == noisy).mean() > 0.98
    assert roc_auc_score(noisy, posterior) > 0.99


@pytest.mark.parametrize(
    "planted",
    [
        ((5, 5), (0.6, 0.6)),  # a narrow component inside a wide one: wrong at both ends, were it not for the fix
        ((0.6, 0.6), (6, 5)),  # and a wide one around
        ((20, 40), (1, 0.7)),  # the noisy component has the most of the smallest losses
        ((2, 8), (8, 2)),
    ],
)
def test_a_larger_loss_is_never_less_likely_noisy(planted: tuple[tuple[float, float], tuple[float, float]]) -> None:
    losses, _ = two_betas(*planted)
    posterior = bmm_noisy(losses)[losses.argsort()]
    assert (posterior.diff() >= 0).all()
    assert posterior.min() >= np.float32(EPS)
    assert posterior.max() <= np.float32(1 - EPS)


def test_a_loss_far_outside_does_not_move_the_rest() -> None:
    losses, _ = two_betas((2, 8), (8, 2))
    moved = losses.clone()
    moved[moved.argmax()] = 1e6
    torch.testing.assert_close(bmm_noisy(moved), bmm_noisy(losses))
