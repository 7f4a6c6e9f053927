"""Peer loss against Liu & Guo 2020 in float64: CE(f_i, y_i) − α CE(f_i, y_n) with CE(f, y) = −log(p_y + 1e-5)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy.special import softmax

import nlcore
from nlcore.training.bound_loss import LossSetup

B, K, N = 6, 5, 4000
INDEX = torch.tensor([3, 17, 0, 8, 19, 4])
GIVEN = (torch.arange(N) % 8).clamp(max=4)  # half of the labels are 4, the others 1/8 each


def set_up(seed: int = 1, **params: Any) -> Any:
    """Return the loss before its first epoch."""
    loss = nlcore.create("loss", "peer", **params)
    random = torch.Generator().manual_seed(seed)
    loss.setup(LossSetup(K, N, GIVEN, torch.device("cpu"), random, lambda: None))
    return loss


def never() -> torch.Tensor:
    """It needs no predictions."""
    raise AssertionError("asked for predictions")


def draw() -> tuple[torch.Tensor, torch.Tensor]:
    """Return logits float64 (B, K) and the labels (B,) of the samples at INDEX."""
    random = torch.Generator().manual_seed(35)
    return 3 * torch.randn(B, K, generator=random, dtype=torch.float64), GIVEN[INDEX]


def minus_log_p(logits: torch.Tensor) -> Any:
    """Return the authors' cross-entropy with every label, (B, K)."""
    return -np.log(softmax(logits.double().numpy(), axis=1) + 1e-5)


@pytest.mark.parametrize(
    ("dtype", "result", "tolerance"),
    [
        (torch.bfloat16, torch.float32, 5e-6),
        (torch.float32, torch.float32, 5e-6),
        (torch.float64, torch.float64, 1e-12),
    ],
)
def test_value(dtype: torch.dtype, result: torch.dtype, tolerance: float) -> None:
    """The formula at full weight, with the labels that were drawn for these samples."""
    loss = set_up(alpha=2.5, warm_up=0, ramp=1)
    loss.begin_epoch(2, 9, never)
    logits, targets = draw()
    logits = logits.to(dtype)
    losses = loss(logits, targets, INDEX)
    each, rows = minus_log_p(logits), np.arange(B)
    expected = each[rows, targets] - 2.5 * each[rows, loss.peers[INDEX]]
    assert losses.dtype == result
    np.testing.assert_allclose(losses.double().numpy(), expected, rtol=tolerance, atol=tolerance)


def test_soft_targets() -> None:
    """The first term is linear in the target."""
    loss = set_up(alpha=2.5, warm_up=0, ramp=1)
    loss.begin_epoch(2, 9, never)
    logits, _ = draw()
    y = np.random.default_rng(1).dirichlet(np.ones(K), B)
    each = minus_log_p(logits)
    expected = (y * each).sum(1) - 2.5 * each[np.arange(B), loss.peers[INDEX]]
    np.testing.assert_allclose(loss(logits, torch.from_numpy(y), INDEX).numpy(), expected, rtol=1e-12)


def test_gradient() -> None:
    """∂CE(f, y)/∂f = p_y / (p_y + 1e-5) (p − y), for each of the two labels."""
    loss = set_up(alpha=2.0, warm_up=0, ramp=1)
    loss.begin_epoch(2, 9, never)
    logits, targets = draw()
    logits.requires_grad_()
    loss(logits, targets, INDEX).sum().backward()
    p = softmax(logits.detach().numpy(), axis=1)
    expected = np.zeros((B, K))
    for labels, weight in ((targets, 1.0), (loss.peers[INDEX], -2.0)):
        own = p[np.arange(B), labels][:, None]
        expected += weight * own / (own + 1e-5) * (p - np.eye(K)[labels])
    assert logits.grad is not None
    np.testing.assert_allclose(logits.grad.numpy(), expected, atol=1e-13)
    assert torch.autograd.gradcheck(lambda f: loss(f, targets, INDEX), logits)


def test_without_a_weight_it_is_cross_entropy() -> None:
    """α = 0, and every α in the first 21 epochs: up to the constant 1e-5."""
    logits, targets = draw()
    expected = torch.nn.functional.cross_entropy(logits, targets, reduction="none")
    for loss, epoch in ((set_up(alpha=0.0), 300), (set_up(), 1), (set_up(), 21)):
        loss.begin_epoch(epoch, 340, never)
        torch.testing.assert_close(loss(logits, targets, INDEX), expected, rtol=0, atol=1e-2)
        assert loss.lr_scale(epoch) == 1.0


def test_peers_follow_the_given_labels_and_are_drawn_anew_in_each_epoch() -> None:
    """Shares of the labels drawn are those of the labels given; the draw is the generator's alone."""
    loss, other = set_up(seed=1), set_up(seed=1)
    drawn = []
    for epoch in (1, 2):
        loss.begin_epoch(epoch, 9, never)
        other.begin_epoch(epoch, 9, never)
        assert torch.equal(loss.peers, other.peers)
        drawn.append(loss.peers.clone())
        shares = torch.bincount(drawn[-1], minlength=K) / N
        np.testing.assert_allclose(shares, [1 / 8, 1 / 8, 1 / 8, 1 / 8, 1 / 2], atol=0.03)  # about four deviations
        # They have nothing to do with a sample's own label: they agree as often as by chance, 4/64 + 1/4.
        assert (drawn[-1] == GIVEN).double().mean().item() == pytest.approx(4 / 64 + 1 / 4, abs=0.03)
    assert not torch.equal(*drawn)


def test_the_mean_is_that_of_two_random_samples() -> None:
    """Over all samples the peer term comes to the mean over independent pairs (n1, n2), as the paper defines it."""
    loss = set_up(alpha=1.0, warm_up=0, ramp=1)
    f = torch.randn(N, K, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    index = torch.arange(N)
    means = []
    for epoch in range(2, 42):
        loss.begin_epoch(epoch, 99, never)
        means.append(loss(f, GIVEN, index).mean().item())
    each = minus_log_p(f)
    shares = np.bincount(GIVEN, minlength=K) / N
    all_pairs = (each @ shares).mean()  # (1/N²) Σ_n1 Σ_n2 CE(f_n1, y_n2)
    expected = each[np.arange(N), GIVEN].mean() - all_pairs
    deviation = np.std(means) / np.sqrt(len(means))
    assert deviation < 0.01
    assert np.mean(means) == pytest.approx(expected, abs=5 * deviation)


def test_alpha_grows_to_5_over_340_epochs_and_divides_the_learning_rate() -> None:
    """0 for 20 epochs, then a straight line over 320."""
    loss = set_up()
    for epoch, alpha in ((1, 0.0), (20, 0.0), (21, 0.0), (181, 2.5), (341, 5.0), (900, 5.0)):
        loss.begin_epoch(epoch, 900, never)
        assert loss.weight.item() == pytest.approx(alpha)
        assert loss.lr_scale(epoch) == pytest.approx(1 / (1 + alpha))


def test_extreme_logits() -> None:
    """No term is above −log 1e-5 = 11.5: what is subtracted is bounded, and so the loss from below."""
    loss = set_up(alpha=5.0, warm_up=0, ramp=1)
    loss.begin_epoch(2, 9, never)
    logits = (2e4 * torch.eye(K) - 1e4).requires_grad_()
    losses = loss(logits, torch.arange(K), torch.arange(K))
    losses.sum().backward()
    assert losses.min().item() >= -5 * -np.log(1e-5) - 1e-3
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()


def test_without_setup_or_index() -> None:
    """There are no labels drawn, or none to be found."""
    with pytest.raises(RuntimeError, match="setup"):
        nlcore.create("loss", "peer")(*draw(), INDEX)
    with pytest.raises(RuntimeError, match="index"):
        set_up()(*draw())
