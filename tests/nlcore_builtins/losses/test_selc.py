"""Self-ensemble label correction against Lu & He 2022, in float64, with whole targets instead of their two parts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.special import log_softmax, softmax

import nlcore
from nlcore.training.bound_loss import LossSetup

Array = NDArray[np.float64]

B, K, N, EPOCHS = 6, 5, 20, 10
INDEX = torch.tensor([3, 17, 0, 8, 19, 4])
LABELS = torch.randint(K, (N,), generator=torch.Generator().manual_seed(1))


def set_up(**params: float) -> Any:
    """Return the loss for N samples."""
    loss = nlcore.create("loss", "selc", **params)
    loss.setup(LossSetup(K, N, LABELS, torch.device("cpu"), torch.Generator(), lambda: None))
    return loss


def begin(loss: Any, epoch: int) -> None:
    loss.begin_epoch(epoch, EPOCHS, lambda: None)


def draw(seed: int, scale: float = 1.0) -> torch.Tensor:
    """Return logits float64 (B, K)."""
    return scale * torch.randn(B, K, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def formula(f: Array, t: Array) -> Array:
    """Return −Σ_k t_k log p_k."""
    result: Array = -(t * log_softmax(f, axis=1)).sum(1)
    return result


def test_targets_over_the_turning_point() -> None:
    """One-hot up to epoch 5 of 10, then t ← α t + (1 − α) p each time a sample is observed, for those alone."""
    loss = set_up(alpha=0.8, start=0.5)
    targets = np.eye(K)[LABELS.numpy()]
    for epoch in range(1, 9):
        begin(loss, epoch)
        shown = INDEX if epoch != 7 else INDEX[:2]
        observed = draw(epoch, 3)[: len(shown)]
        loss.observe(observed, shown)
        if epoch > 5:
            p = softmax(observed.numpy(), axis=1)
            targets[shown.numpy()] = 0.8 * targets[shown.numpy()] + 0.2 * p
        logits = draw(100 + epoch)
        for index in (INDEX, (INDEX + 1) % N):
            found = loss(logits, LABELS[index], index).numpy()
            np.testing.assert_allclose(found, formula(logits.numpy(), targets[index.numpy()]), rtol=1e-6)


def test_before_the_turning_point_it_is_cross_entropy() -> None:
    loss = set_up(start=1.0)
    for epoch in range(1, EPOCHS + 1):
        begin(loss, epoch)
        loss.observe(draw(epoch), INDEX)
    logits, targets = draw(50), LABELS[INDEX]
    expected = torch.nn.functional.cross_entropy(logits, targets, reduction="none")
    torch.testing.assert_close(loss(logits, targets, INDEX), expected)


def test_another_label_than_the_given_one() -> None:
    """A strategy that asks about another label (mixup's partner, a selected one) gets it in the given one's place."""
    loss = set_up(alpha=0.7, start=0.0)
    begin(loss, 1)
    observed, logits = draw(1), draw(2)
    loss.observe(observed, INDEX)
    other = (LABELS[INDEX] + 1) % K
    t = 0.7 * np.eye(K)[other.numpy()] + 0.3 * softmax(observed.numpy(), axis=1)
    np.testing.assert_allclose(loss(logits, other, INDEX).numpy(), formula(logits.numpy(), t), rtol=1e-6)


def test_gradient() -> None:
    """It is p Σ_k t_k − t, and the target is a constant."""
    loss = set_up(start=0.0)
    begin(loss, 1)
    loss.observe(draw(1), INDEX)
    logits = draw(2).requires_grad_()
    loss(logits, LABELS[INDEX], INDEX).sum().backward()
    t = 0.9 * np.eye(K)[LABELS[INDEX].numpy()] + 0.1 * softmax(draw(1).numpy(), axis=1)
    assert logits.grad is not None
    np.testing.assert_allclose(logits.grad.numpy(), softmax(logits.detach().numpy(), axis=1) - t, atol=1e-7)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_extreme_logits(dtype: torch.dtype) -> None:
    """Finite values and gradients at ±1e4, in float32 at least."""
    loss = set_up(start=0.0)
    begin(loss, 1)
    logits = (1e4 * draw(3).sign()).to(dtype).requires_grad_()
    loss.observe(logits.detach(), INDEX)
    losses = loss(logits, LABELS[INDEX], INDEX)
    losses.sum().backward()
    assert losses.dtype == torch.float32
    assert torch.isfinite(losses).all()
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()


def test_needs_its_targets() -> None:
    with pytest.raises(RuntimeError, match="setup"):
        nlcore.create("loss", "selc")(draw(1), LABELS[INDEX], INDEX)
    with pytest.raises(RuntimeError, match="index"):
        set_up()(draw(1), LABELS[INDEX])
