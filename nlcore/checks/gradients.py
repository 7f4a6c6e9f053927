"""What holds for the gradients of losses."""

from __future__ import annotations

import torch
from torch import Tensor

from nlcore.checks.constants import Constants
from nlcore.testing.loss_at_work import PROMOTE, B, K, N, batch, set_up


def is_finite_for_extreme_logits(cls: type) -> None:
    """Losses and their gradients are finite for logits of ±10,000, whatever the label, in bf16, float32 and float64."""
    sure = 2e4 * torch.eye(K) - 1e4
    extreme = torch.cat([sure.repeat_interleave(K, 0), torch.full((K, K), 1e4), torch.full((K, K), -1e4)])
    targets = torch.arange(K).repeat(K + 2)
    index = torch.arange(len(extreme)) % N
    for dtype in (torch.bfloat16, torch.float32, torch.float64):
        logits = extreme.to(dtype, copy=True).requires_grad_()
        losses = set_up(cls)(logits, targets, index)
        assert losses.isfinite().all(), f"{dtype}: it is {losses[~losses.isfinite()][0]} for {_SURE}"
        gradient = _gradient(losses.sum(), logits)
        assert gradient.isfinite().all(), f"{dtype}: its gradient is NaN or infinite for {_SURE}"


def gradient_reaches_the_logits(cls: type) -> None:
    """The logits get a gradient that is finite and not zero for all samples."""
    logits, targets, index = batch(B)
    gradient = _gradient(set_up(cls)(logits.requires_grad_(), targets, index).sum(), logits)
    assert gradient.isfinite().all(), "The gradient is NaN or infinite for ordinary logits."
    assert gradient.any(), "The gradient is zero for every sample: nothing would be learned."


def gradient_is_that_of_the_value(cls: type) -> None:
    """
    In float64 the gradient equals the numerical one, of the loss with what it declares constant held constant.

    A loss declares a part constant (a target made from the prediction, say) by ``.detach()`` or by computing it under
    ``torch.no_grad()``; it then keeps its value in the finite differences. What leaves the graph otherwise, by
    ``.data``, ``.item()``, numpy or ``torch.tensor``, does not: a gradient that is lost by accident is found.
    """
    logits, targets, index = batch(B)
    logits = logits.double().requires_grad_()
    loss, constants = set_up(cls), Constants()

    def held(x: Tensor) -> Tensor:
        with constants.held():
            losses: Tensor = loss(x, targets, index)
        return losses

    dtype = held(logits).dtype
    assert dtype == torch.float64, f"For float64 logits it returns {dtype}: float64 is to be kept, as in {PROMOTE}."
    assert torch.autograd.gradcheck(held, logits, raise_exception=False), (
        "The gradient is not that of the value (torch.autograd.gradcheck). If a part is meant to be constant, say so "
        "with .detach() or torch.no_grad(); .data, .item(), numpy and torch.tensor(...) lose the gradient silently."
    )


CHECKS = (is_finite_for_extreme_logits, gradient_reaches_the_logits, gradient_is_that_of_the_value)

_SURE = "logits of ±10,000: work with log_softmax, and keep probabilities away from 0 under a log or a power."


def _gradient(total: Tensor, logits: Tensor) -> Tensor:
    detached = "No gradient reaches the logits: the loss leaves the graph (.detach(), .data, .item(), numpy)."
    assert total.requires_grad, detached
    (gradient,) = torch.autograd.grad(total, logits, allow_unused=True)
    assert gradient is not None, detached
    return gradient
