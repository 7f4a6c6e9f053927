"""Truncated GCE against Zhang & Sabuncu 2018 in float64: L_q(p_y) where a label is trusted, L_q(k) elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from scipy.special import softmax

import nlcore
from nlcore.training.bound_loss import LossSetup

B, K, N = 6, 5, 20
INDEX = torch.tensor([3, 17, 0, 8, 19, 4])
GIVEN = torch.arange(N) % K


def set_up(**params: Any) -> Any:
    """Return the loss before its first epoch."""
    loss = nlcore.create("loss", "truncated_gce", **params)
    loss.setup(LossSetup(K, N, GIVEN, torch.device("cpu"), torch.Generator(), lambda: None))
    return loss


def draw() -> tuple[torch.Tensor, torch.Tensor]:
    """Return logits float64 (B, K) and the labels (B,) of the samples at INDEX."""
    random = torch.Generator().manual_seed(34)
    return 3 * torch.randn(B, K, generator=random, dtype=torch.float64), GIVEN[INDEX]


def predicting(p: list[float]) -> Callable[[], torch.Tensor]:
    """Return a `predict` that gives each sample's label these probabilities, in turn, and shares the rest out."""
    own = np.resize(p, N)[:, None]
    rows = np.where(np.eye(K)[GIVEN.numpy()] == 1, own, (1 - own) / (K - 1))
    return lambda: torch.from_numpy(np.log(rows)).float()


def never() -> torch.Tensor:
    """Predictions are costly: nobody asks without need."""
    raise AssertionError("asked for predictions")


@pytest.mark.parametrize(
    ("dtype", "result", "tolerance"),
    [
        (torch.bfloat16, torch.float32, 2e-6),
        (torch.float32, torch.float32, 2e-6),
        (torch.float64, torch.float64, 1e-13),
    ],
)
@pytest.mark.parametrize(("q", "k"), [(0.7, 0.5), (1.0, 0.2)])
def test_value(dtype: torch.dtype, result: torch.dtype, tolerance: float, q: float, k: float) -> None:
    """Half of the labels are trusted; the others cost the same whatever is predicted."""
    loss = set_up(q=q, k=k, start=1)
    loss.begin_epoch(1, 9, predicting([k + 0.01, k - 0.01]))  # samples at even positions are trusted
    logits, targets = draw()
    logits = logits.to(dtype)
    losses = loss(logits, targets, INDEX)
    p = softmax(logits.double().numpy(), axis=1)[np.arange(B), targets.numpy()]
    expected = np.where(INDEX.numpy() % 2 == 0, (1 - p**q) / q, (1 - k**q) / q)
    assert losses.dtype == result
    np.testing.assert_allclose(losses.double().numpy(), expected, rtol=tolerance, atol=tolerance)


def test_gradient() -> None:
    """That of GCE where a label is trusted, p_y^q (p − y), none elsewhere."""
    loss = set_up(start=1)
    loss.begin_epoch(1, 9, predicting([0.9, 0.1]))
    logits, targets = draw()
    logits.requires_grad_()
    loss(logits, targets, INDEX).sum().backward()
    p = softmax(logits.detach().numpy(), axis=1)
    own = p[np.arange(B), targets.numpy()][:, None]
    trusted = INDEX.numpy()[:, None] % 2 == 0
    assert logits.grad is not None
    np.testing.assert_allclose(logits.grad.numpy(), trusted * own**0.7 * (p - np.eye(K)[targets]), atol=1e-13)
    assert torch.autograd.gradcheck(lambda f: loss(f, targets, INDEX), logits)


def test_it_is_gce_before_the_start() -> None:
    """Until epoch 40, by default, and nobody is asked for predictions."""
    loss = set_up()
    logits, targets = draw()
    for epoch in range(1, 40):
        loss.begin_epoch(epoch, 120, never)
    assert torch.equal(loss(logits, targets, INDEX), nlcore.create("loss", "gce", q=0.7)(logits, targets))


def test_labels_are_judged_in_epochs_40_50_60() -> None:
    """By the authors' schedule; in between what was judged stays, and who was left out may come back."""
    loss = set_up()
    asked: list[int] = []
    for epoch in range(1, 66):
        asked_before = len(asked)

        def predict() -> torch.Tensor:
            asked.append(epoch)  # noqa: B023
            return predicting([0.9] if len(asked) > 1 else [0.9, 0.1])()

        loss.begin_epoch(epoch, 120, predict)
        if len(asked) > asked_before and epoch == 40:
            assert loss.state_dict()["w"].tolist() == [True, False] * (N // 2)
    assert asked == [40, 50, 60]
    assert loss.state_dict()["w"].all()


def test_extreme_logits() -> None:
    """Bounded by 1/q, with gradients that are finite."""
    logits = torch.tensor([[1e4, -1e4, 0, 0, 0], [1e4, -1e4, 0, 0, 0]], requires_grad=True)
    losses = set_up()(logits, torch.tensor([0, 1]), torch.tensor([0, 1]))
    losses.sum().backward()
    np.testing.assert_allclose(losses.detach().numpy(), [0, 1 / 0.7], rtol=1e-6)
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()


def test_state_dict_round_trip() -> None:
    """A resumed run leaves the same labels out."""
    before, after = set_up(start=1), set_up(start=1)
    before.begin_epoch(1, 9, predicting([0.9, 0.1]))
    after.load_state_dict({name: value.clone() for name, value in before.state_dict().items()})
    logits, targets = draw()
    assert torch.equal(after(logits, targets, INDEX), before(logits, targets, INDEX))
    assert not torch.equal(set_up()(logits, targets, INDEX), before(logits, targets, INDEX))


def test_without_setup_or_index() -> None:
    """It cannot tell whom to trust."""
    with pytest.raises(RuntimeError, match="setup"):
        nlcore.create("loss", "truncated_gce")(*draw(), INDEX)
    with pytest.raises(RuntimeError, match="index"):
        set_up()(*draw())
