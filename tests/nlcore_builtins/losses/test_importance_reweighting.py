"""Importance reweighting in float64: ℓ = −β log p_y with β = p_y / Σ_i p_i T_iy, a constant."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from nlcore_builtins.losses.importance_reweighting import ImportanceReweighting
from numpy.typing import NDArray
from scipy.special import softmax

import nlcore
from nlcore.contracts import NoiseInfo
from nlcore.training.bound_loss import LossSetup

Array = NDArray[np.float64]

B, K, N = 6, 4, 300

#: Asymmetric, and with zeros beside the diagonal.
T = np.array([[0.6, 0.3, 0.1, 0.0], [0.2, 0.5, 0.2, 0.1], [0.0, 0.0, 1.0, 0.0], [0.1, 0.1, 0.1, 0.7]])


def set_up(transition: str = "known", declared: NoiseInfo | None = None, **params: Any) -> Any:
    """Return the loss, set up, with T declared by the noise."""
    loss: Any = ImportanceReweighting(transition=transition, **params)
    noise = declared or NoiseInfo(0.4, T)
    labels = torch.arange(N) % T.shape[0]
    classes = K if noise.transition is None else len(noise.transition)
    loss.setup(LossSetup(classes, N, labels % classes, torch.device("cpu"), torch.Generator(), lambda: noise))
    return loss


def draw() -> tuple[torch.Tensor, torch.Tensor]:
    """Return logits float64 (B, K) and labels (B,)."""
    random = torch.Generator().manual_seed(31)
    return 2 * torch.randn(B, K, generator=random, dtype=torch.float64), torch.randint(K, (B,), generator=random)


def weights(f: Array) -> Array:
    """Return β (B, K) for each label that may be given."""
    p = softmax(f, axis=1)
    result: Array = p / (p @ T)
    return result


@pytest.mark.parametrize(
    ("dtype", "result", "tolerance"),
    [
        (torch.bfloat16, torch.float32, 5e-6),
        (torch.float32, torch.float32, 5e-6),
        (torch.float64, torch.float64, 1e-12),
    ],
)
def test_value(dtype: torch.dtype, result: torch.dtype, tolerance: float) -> None:
    """The formula, with the arithmetic of float32 or better."""
    logits, targets = draw()
    logits = logits.to(dtype)
    losses = set_up()(logits, targets)
    f, rows, y = logits.double().numpy(), np.arange(B), targets.numpy()
    expected = -weights(f)[rows, y] * np.log(softmax(f, axis=1)[rows, y])
    assert losses.dtype == result
    np.testing.assert_allclose(losses.double().numpy(), expected, rtol=tolerance, atol=tolerance)


def test_gradient_is_that_of_cross_entropy_times_the_weight() -> None:
    """∂ℓ/∂f_k = β (p_k − [k = y]): nothing comes through β."""
    logits, targets = draw()
    logits.requires_grad_()
    set_up()(logits, targets).sum().backward()
    f, y = logits.detach().numpy(), targets.numpy()
    expected = weights(f)[np.arange(B), y][:, None] * (softmax(f, axis=1) - np.eye(K)[y])
    assert logits.grad is not None
    np.testing.assert_allclose(logits.grad.numpy(), expected, atol=1e-12)


def test_soft_targets() -> None:
    """A distribution over given labels has the mean loss over them, each with its weight."""
    logits, _ = draw()
    y = np.random.default_rng(1).dirichlet(np.ones(K), B)
    expected = -(y * weights(logits.numpy()) * np.log(softmax(logits.numpy(), axis=1))).sum(1)
    np.testing.assert_allclose(set_up()(logits, torch.from_numpy(y)).numpy(), expected, rtol=1e-12)


def test_the_identity_gives_cross_entropy_also_for_extreme_logits() -> None:
    """β ≡ 1 in the warm-up: values and gradients, ±1e4 included."""
    loss = set_up("estimated")
    for logits, targets in (draw(), (torch.tensor([[1e4, -1e4, 0.0, 0.0]]), torch.tensor([1]))):
        f, g = logits.clone().requires_grad_(), logits.clone().requires_grad_()
        ours, theirs = loss(f, targets), torch.nn.functional.cross_entropy(g, targets, reduction="none")
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=0)
        ours.sum().backward()
        theirs.sum().backward()  # type: ignore[no-untyped-call]
        torch.testing.assert_close(f.grad, g.grad)


def test_a_weight_is_at_most_one_over_the_diagonal() -> None:
    """Whatever the network predicts, ±1e4 included: β ≤ 1 / T_yy, read off the gradient β (p_y − 1)."""
    sure = 2e4 * torch.eye(K) - 1e4
    spread = torch.linspace(0, 50, 40)[:, None] * torch.eye(K).repeat(10, 1)
    logits = torch.cat([sure, spread, torch.zeros(1, K)]).double().requires_grad_()
    for y in range(K):
        (slope,) = torch.autograd.grad(set_up()(logits, torch.full((len(logits),), y)).sum(), logits)
        rest = 1 - logits.detach().softmax(1)[:, y]
        assert slope.isfinite().all()
        assert (-slope[:, y] <= rest / T[y, y] + 1e-12).all()


def test_reweighted_given_labels_have_the_gradient_of_true_ones() -> None:
    """Where the network predicts P(true | x): E_given[β ∇CE] = E_true[∇CE] for any T."""
    posterior = np.random.default_rng(3).dirichlet(np.ones(K), B)
    logits = torch.from_numpy(np.log(posterior)).requires_grad_()
    given = torch.from_numpy(posterior @ T)
    loss = set_up()
    total: Any = sum(given[:, y] @ loss(logits, torch.full((B,), y)) for y in range(K))
    (slope,) = torch.autograd.grad(total, logits)
    np.testing.assert_allclose(slope.numpy(), 0, atol=1e-12)  # as Σ_y p_y (p − onehot y) = 0
    unweighted = given.numpy() - posterior
    assert abs(unweighted).max() > 0.1  # cross-entropy would go elsewhere


def test_t_is_estimated_when_the_warm_up_is_over() -> None:
    """Until then the network is not even asked; then its posteriors at anchor points are T's rows, once."""
    asked = []

    def predict() -> torch.Tensor:
        asked.append(1)
        return torch.from_numpy(np.log(T.clip(1e-12)[np.arange(N) % K]))

    loss = set_up("estimated", warm_up=2, percentile=100.0)
    logits, targets = draw()
    for epoch in (1, 2):
        loss.begin_epoch(epoch, 9, predict)
        torch.testing.assert_close(
            loss(logits, targets), torch.nn.functional.cross_entropy(logits, targets, reduction="none")
        )
    assert not asked
    for epoch in (3, 4):
        loss.begin_epoch(epoch, 9, predict)
        np.testing.assert_allclose(loss(logits, targets), set_up()(logits, targets), rtol=1e-9)
    assert len(asked) == 1


def test_state_dict_brings_the_estimate_back() -> None:
    """A resumed run goes on with the T that was estimated before."""
    before, after = set_up("estimated", warm_up=0), set_up("estimated", warm_up=0)
    before.begin_epoch(1, 9, lambda: torch.randn(N, K, generator=torch.Generator().manual_seed(1)))
    after.load_state_dict({name: value.clone() for name, value in before.state_dict().items()})
    logits, targets = draw()
    assert torch.equal(after(logits, targets), before(logits, targets))
    assert not torch.equal(set_up("estimated")(logits, targets), before(logits, targets))


def test_two_classes() -> None:
    """By hand: p = (3/4, 1/4) and T = ((.8, .2), (.4, .6)) give β_0 = .75 / .7 and β_1 = .25 / .3."""
    loss = set_up("known", NoiseInfo(0.3, np.array([[0.8, 0.2], [0.4, 0.6]])))
    logits = torch.tensor([[3.0, 1.0], [3.0, 1.0]], dtype=torch.float64).log()
    expected = [-0.75 / 0.7 * np.log(0.75), -0.25 / 0.3 * np.log(0.25)]
    np.testing.assert_allclose(loss(logits, torch.tensor([0, 1])).numpy(), expected, rtol=1e-12)


def test_a_file(tmp_path: Path) -> None:
    """The same as if the noise had declared it; a bad one gets its sentence."""
    np.save(tmp_path / "t.npy", T)
    logits, targets = draw()
    torch.testing.assert_close(set_up(str(tmp_path / "t.npy"))(logits, targets), set_up()(logits, targets))
    np.save(tmp_path / "t.npy", T.T)
    with pytest.raises(nlcore.UserError, match="column-stochastic"):
        set_up(str(tmp_path / "t.npy"))


def test_known_needs_a_declaration() -> None:
    """Noise that depends on the image declares no matrix."""
    with pytest.raises(nlcore.UserError, match=r"declares no transition matrix\. Give --loss\.transition estimated"):
        set_up("known", NoiseInfo(0.4))


def test_a_matrix_by_which_a_label_is_never_right() -> None:
    """β would have no bound."""
    never = np.array([[0.5, 0.5, 0, 0], [0, 1, 0, 0], [0.4, 0.6, 0, 0], [0, 0, 0.5, 0.5]])
    with pytest.raises(nlcore.UserError, match=r"row 2, column 2 is 0, so label 2 would never be right"):
        set_up("known", NoiseInfo(0.4, never))


def test_without_setup() -> None:
    """There is no T yet."""
    with pytest.raises(RuntimeError, match="setup"):
        ImportanceReweighting()(*draw())
