"""Early-learning regularisation against Liu et al. 2020, eq. 6 and 9, in float64."""

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

B, K, N = 6, 5, 20
INDEX = torch.tensor([3, 17, 0, 8, 19, 4])


def set_up(loss: Any, samples: int = N, classes: int = K) -> Any:
    """Return the loss with an empty memory."""
    labels = torch.zeros(samples, dtype=torch.int64)
    loss.setup(LossSetup(classes, samples, labels, torch.device("cpu"), torch.Generator(), lambda: None))
    return loss


def draw(seed: int = 15) -> tuple[torch.Tensor, torch.Tensor]:
    """Return logits float64 (B, K), none so sure that p is clamped, and labels (B,)."""
    random = torch.Generator().manual_seed(seed)
    logits = torch.randn(B, K, generator=random, dtype=torch.float64)
    return logits, torch.randint(K, (B,), generator=random)


def clamped(f: Array) -> Array:
    """Return p as the authors' code has it, within [1e-4, 1 − 1e-4]."""
    result: Array = np.clip(softmax(f, axis=1), 1e-4, 1 - 1e-4)
    return result


def normalised(f: Array) -> Array:
    """Return p scaled to sum 1, as it goes into the memory."""
    p = clamped(f)
    result: Array = p / p.sum(1, keepdims=True)
    return result


def formula(f: Array, y: Array, t: Array, lam: float) -> Array:
    """Return −log p_y + λ log(1 − ⟨p, t⟩) for the memory rows t (B, K)."""
    cross_entropy = -log_softmax(f, axis=1)[np.arange(len(f)), y]
    result: Array = cross_entropy + lam * np.log(1 - (clamped(f) * t).sum(1))
    return result


def memory(loss: Any) -> Array:
    """Return the memory (N, K)."""
    result: Array = loss.state_dict()["t"].double().numpy()
    return result


def test_memory_over_two_steps() -> None:
    """From 0, t ← β t + (1 − β) p for the observed samples alone."""
    loss = set_up(nlcore.create("loss", "elr", beta=0.6))
    first, second = draw(1)[0], 5 * draw(2)[0]
    loss.observe(first, INDEX)
    expected = np.zeros((N, K))
    expected[INDEX.numpy()] = 0.4 * normalised(first.numpy())
    np.testing.assert_allclose(memory(loss), expected, atol=1e-7)
    # Half of them again, in another order, and sure enough for the clamp to be felt.
    again = INDEX.flip(0)[:3]
    loss.observe(second[:3], again)
    expected[again.numpy()] = 0.6 * expected[again.numpy()] + 0.4 * normalised(second[:3].numpy())
    np.testing.assert_allclose(memory(loss), expected, atol=1e-7)


def test_memory_of_sure_predictions() -> None:
    """The clamp, then scaling to sum 1: (1 − 1e-4, 1e-4, …) / (1 + (K − 2) 1e-4)."""
    loss = set_up(nlcore.create("loss", "elr", beta=0.0))
    loss.observe(torch.tensor([[1e4, -1e4, 0.0, 0.0, 0.0]]), torch.tensor([2]))
    expected = np.array([1 - 1e-4, 1e-4, 1e-4, 1e-4, 1e-4]) / (1 + 3e-4)
    np.testing.assert_allclose(memory(loss)[2], expected, rtol=1e-5)


@pytest.mark.parametrize("observed", [torch.bfloat16, torch.float32])
def test_memory_is_float32(observed: torch.dtype) -> None:
    """Predictions in bf16 are averaged in float32."""
    loss = set_up(nlcore.create("loss", "elr", beta=0.7))
    logits = draw()[0].to(observed)
    for _ in range(3):
        loss.observe(logits, INDEX)
    expected = (1 - 0.7**3) * normalised(logits.double().numpy())
    assert loss.state_dict()["t"].dtype == torch.float32
    np.testing.assert_allclose(memory(loss)[INDEX.numpy()], expected, atol=1e-6)


@pytest.mark.parametrize(
    ("dtype", "result", "tolerance"),
    [
        (torch.bfloat16, torch.float32, 3e-6),
        (torch.float16, torch.float32, 3e-6),
        (torch.float32, torch.float32, 3e-6),
        (torch.float64, torch.float64, 1e-12),
    ],
)
@pytest.mark.parametrize("lam", [0.0, 3.0])
def test_value(dtype: torch.dtype, result: torch.dtype, tolerance: float, lam: float) -> None:
    """The formula at a memory that holds something, with the arithmetic of float32 or better."""
    loss = set_up(nlcore.create("loss", "elr", beta=0.3, lam=lam))
    loss.observe(draw(3)[0], INDEX)
    logits, targets = draw(4)
    logits = logits.to(dtype)
    losses = loss(logits, targets, INDEX)
    expected = formula(logits.double().numpy(), targets.numpy(), memory(loss)[INDEX.numpy()], lam)
    assert losses.dtype == result
    assert losses.shape == (B,)
    np.testing.assert_allclose(losses.double().numpy(), expected, rtol=tolerance, atol=tolerance)


def test_defaults_are_the_authors() -> None:
    """β = 0.7 and λ = 3, as for CIFAR-10 with symmetric noise, in the first step of a training."""
    loss = set_up(nlcore.create("loss", "elr"))
    logits, targets = draw()
    loss.observe(logits, INDEX)
    expected = formula(logits.numpy(), targets.numpy(), 0.3 * normalised(logits.numpy()), 3.0)
    np.testing.assert_allclose(loss(logits, targets, INDEX).numpy(), expected, rtol=1e-6)


def test_an_empty_memory_gives_cross_entropy() -> None:
    """Nothing is held on to before anything was observed."""
    logits, targets = draw()
    losses = set_up(nlcore.create("loss", "elr"))(logits, targets, INDEX)
    expected = torch.nn.functional.cross_entropy(logits, targets, reduction="none")
    torch.testing.assert_close(losses, expected, rtol=0, atol=1e-14)


def test_gradient() -> None:
    """∂ℓ/∂f_k = p_k − y_k − λ p_k (t_k − ⟨p, t⟩) / (1 − ⟨p, t⟩): it pulls towards what is remembered."""
    loss = set_up(nlcore.create("loss", "elr", beta=0.3, lam=2.0))
    loss.observe(draw(5)[0], INDEX)
    logits, targets = draw(6)
    logits.requires_grad_()
    loss(logits, targets, INDEX).sum().backward()
    assert logits.grad is not None
    p, t = softmax(logits.detach().numpy(), axis=1), memory(loss)[INDEX.numpy()]
    inner = (p * t).sum(1, keepdims=True)
    expected = p - np.eye(K)[targets.numpy()] - 2.0 * p * (t - inner) / (1 - inner)
    np.testing.assert_allclose(logits.grad.numpy(), expected, atol=1e-12)
    assert torch.autograd.gradcheck(lambda f: loss(f, targets, INDEX), logits)


def test_the_memory_takes_no_gradient() -> None:
    """A memory that kept the graph would grow without end."""
    loss = set_up(nlcore.create("loss", "elr"))
    logits, targets = draw()
    logits.requires_grad_()
    loss.observe(logits.detach(), INDEX)
    loss(logits, targets, INDEX).sum().backward()
    assert not loss.state_dict()["t"].requires_grad


def test_extreme_logits() -> None:
    """Sure for many epochs: log(1 − ⟨p, t⟩) is bounded by the clamp, at log 1e-4 = −9.21 and a little more."""
    loss = set_up(nlcore.create("loss", "elr", beta=0.0, lam=1.0), classes=3)
    logits = torch.tensor([[1e4, -1e4, 0.0], [1e4, -1e4, 0.0]], requires_grad=True)
    index = torch.tensor([1, 5])
    loss.observe(logits.detach(), index)
    losses = loss(logits, torch.tensor([0, 1]), index)
    losses.sum().backward()
    t = np.array([1 - 1e-4, 1e-4, 1e-4]) / (1 + 1e-4)
    regulariser = np.log(1 - t @ [1 - 1e-4, 1e-4, 1e-4])
    np.testing.assert_allclose(losses.detach().numpy(), [regulariser, 2e4 + regulariser], rtol=1e-3)
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()


def test_state_dict_round_trip() -> None:
    """A resumed training holds on to what it saw before."""
    before = set_up(nlcore.create("loss", "elr"))
    logits, targets = draw()
    before.observe(logits, INDEX)
    state = {name: value.clone() for name, value in before.state_dict().items()}
    after = set_up(nlcore.create("loss", "elr"))
    assert not torch.equal(after(logits, targets, INDEX), before(logits, targets, INDEX))
    after.load_state_dict(state)
    assert torch.equal(after(logits, targets, INDEX), before(logits, targets, INDEX))


@pytest.mark.parametrize("index", [None, INDEX])
def test_without_setup(index: torch.Tensor | None) -> None:
    """There is no memory to look anything up in."""
    with pytest.raises(RuntimeError, match="setup"):
        nlcore.create("loss", "elr")(*draw(), index)


def test_without_index() -> None:
    """The memory is keyed by position: without one there is no answer."""
    with pytest.raises(RuntimeError, match="index"):
        set_up(nlcore.create("loss", "elr"))(*draw())


@pytest.mark.parametrize("params", [{"beta": 1.5}, {"beta": "abc"}, {"lam": -1}, {"lam": float("nan")}])
def test_wrong_parameters(params: dict[str, object]) -> None:
    """β is a share, λ a weight."""
    with pytest.raises(nlcore.ParameterError, match=r"loss\.(beta|lam)"):
        nlcore.create("loss", "elr", **params)
