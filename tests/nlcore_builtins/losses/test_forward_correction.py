"""Forward correction against Patrini et al. 2017, theorem 2, in float64: ℓ = −log Σ_i p_i T_iy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.special import softmax

import nlcore
from nlcore.contracts import NoiseInfo
from nlcore.training.bound_loss import LossSetup

Array = NDArray[np.float64]

B, K, N = 6, 4, 300

#: Asymmetric, and with zeros: class 0 is never given as 3, and class 2 is given as itself only.
T = np.array([[0.6, 0.3, 0.1, 0.0], [0.2, 0.5, 0.2, 0.1], [0.0, 0.0, 1.0, 0.0], [0.1, 0.1, 0.1, 0.7]])


def set_up(transition: str = "known", declared: NoiseInfo | None = None, **params: Any) -> Any:
    """Return the loss, set up, with T declared by the noise."""
    loss = nlcore.create("loss", "forward_correction", transition=transition, **params)
    labels = torch.arange(N) % K
    noise = declared or NoiseInfo(0.4, T)
    loss.setup(LossSetup(K, N, labels, torch.device("cpu"), torch.Generator(), lambda: noise))
    return loss


def draw() -> tuple[torch.Tensor, torch.Tensor]:
    """Return logits float64 (B, K) and labels (B,)."""
    random = torch.Generator().manual_seed(31)
    return 2 * torch.randn(B, K, generator=random, dtype=torch.float64), torch.randint(K, (B,), generator=random)


@pytest.mark.parametrize(
    ("dtype", "result", "tolerance"),
    [
        (torch.bfloat16, torch.float32, 3e-6),
        (torch.float32, torch.float32, 3e-6),
        (torch.float64, torch.float64, 1e-13),
    ],
)
def test_value(dtype: torch.dtype, result: torch.dtype, tolerance: float) -> None:
    """The formula, with the arithmetic of float32 or better."""
    logits, targets = draw()
    logits = logits.to(dtype)
    losses = set_up()(logits, targets)
    given = softmax(logits.double().numpy(), axis=1) @ T
    assert losses.dtype == result
    expected = -np.log(given[np.arange(B), targets.numpy()])
    np.testing.assert_allclose(losses.double().numpy(), expected, rtol=tolerance, atol=tolerance)


def test_soft_targets() -> None:
    """A distribution over given labels: −Σ_j y_j log (p T)_j."""
    logits, _ = draw()
    y = np.random.default_rng(1).dirichlet(np.ones(K), B)
    expected = -(y * np.log(softmax(logits.numpy(), axis=1) @ T)).sum(1)
    np.testing.assert_allclose(set_up()(logits, torch.from_numpy(y)).numpy(), expected, rtol=1e-12)


def test_gradient() -> None:
    """∂ℓ/∂f_k = p_k (1 − T_ky / Σ_i p_i T_iy)."""
    logits, targets = draw()
    logits.requires_grad_()
    loss = set_up()
    loss(logits, targets).sum().backward()
    assert logits.grad is not None
    p, y = softmax(logits.detach().numpy(), axis=1), targets.numpy()
    expected = p * (1 - T[:, y].T / (p @ T)[np.arange(B), y][:, None])
    np.testing.assert_allclose(logits.grad.numpy(), expected, atol=1e-13)
    assert torch.autograd.gradcheck(lambda f: loss(f, targets), logits)


def test_the_identity_gives_cross_entropy_also_for_extreme_logits() -> None:
    """The warm-up is cross-entropy, to the last bit that matters: ±1e4 included."""
    loss = set_up("estimated")
    for logits, targets in (draw(), (torch.tensor([[1e4, -1e4, 0.0, 0.0]]), torch.tensor([1]))):
        f = logits.clone().requires_grad_()
        g = logits.clone().requires_grad_()
        ours, theirs = loss(f, targets), torch.nn.functional.cross_entropy(g, targets, reduction="none")
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=0)
        ours.sum().backward()
        theirs.sum().backward()  # type: ignore[no-untyped-call]
        torch.testing.assert_close(f.grad, g.grad)


def test_extreme_logits() -> None:
    """Sure of class 3: label 1 costs −log T_31; sure of class 2, label 0 is ruled out by T and still finite."""
    logits = torch.tensor([[0.0, -1e4, 0.0, 1e4], [-1e4, -1e4, 1e4, -1e4]], requires_grad=True)
    losses = set_up()(logits, torch.tensor([1, 0]))
    losses.sum().backward()
    assert losses[0].item() == pytest.approx(-np.log(0.1))
    assert 1e4 < losses[1].item() < 1e5
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()


def test_its_minimiser_predicts_the_true_class() -> None:
    """Theorem 2: of all predictions for samples of class 1, whose labels follow T_1, the minimiser is class 1."""
    f = torch.zeros(1, K, dtype=torch.float64, requires_grad=True)
    loss, weights = set_up(), torch.from_numpy(T[1])
    adam = torch.optim.Adam([f], lr=1.0)
    for _ in range(300):
        adam.zero_grad()
        (weights * loss(f.expand(K, K), torch.arange(K))).sum().backward()
        adam.step()
    assert f.detach().softmax(1)[0, 1] > 0.99


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


def test_a_matrix_that_rules_given_labels_out() -> None:
    """Its loss would be infinite."""
    with pytest.raises(nlcore.UserError, match=r"column 2 is 0.*but 75 have"):
        set_up("known", NoiseInfo(0.4, np.array([[0.5, 0.5, 0, 0], [0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1.0]])))


@pytest.mark.slow
def test_known_is_an_oracle_and_estimated_is_not() -> None:
    """Runs on the digits, through the front door."""
    common: Any = {"dataset": "digits", "epochs": 1, "quiet": True, "threads": "1", "architecture.width": 4}
    known = nlcore.run(loss="forward_correction", **{**common, "loss.transition": "known"})
    estimated = nlcore.run(loss="forward_correction", **{**common, "loss.warm_up": 0})
    assert known.oracles == ("noise rate",)
    assert estimated.oracles == ()


def test_without_setup() -> None:
    """There is no T yet."""
    with pytest.raises(RuntimeError, match="setup"):
        nlcore.create("loss", "forward_correction")(*draw())


@pytest.mark.parametrize("params", [{"warm_up": -1}, {"percentile": 101}])
def test_wrong_parameters(params: dict[str, object]) -> None:
    """Epochs and percentiles have their ranges."""
    with pytest.raises(nlcore.ParameterError, match=r"loss\.(warm_up|percentile)"):
        nlcore.create("loss", "forward_correction", **params)
