"""What holds for losses. Each is set up through the contract first, and has seen an epoch begin and predictions."""

from __future__ import annotations

import copy
import io
import math

import torch
from torch import Tensor
from torch.nn import functional as F

from nlcore.checks import gradients
from nlcore.checks.replay import ReplayError, differences
from nlcore.checks.suite import NotApplicable
from nlcore.checks.two_processes import from_one_process
from nlcore.testing.loss_at_work import PROMOTE, B, K, batch, begin, learned, set_up
from nlcore.testing.same import equal
from nlcore.testing.tiny_run import TinyRun
from nlcore.testing.toy import Plain, TinyNet
from nlcore.training.capture import may_be_captured


def gives_one_value_for_each_sample(cls: type) -> None:
    """The losses of a batch are a floating-point tensor (B,), not reduced."""
    losses = set_up(cls)(*batch(B))
    assert isinstance(losses, Tensor), f"It returns {type(losses).__name__}, not a tensor."
    good = losses.shape == (B,) and losses.is_floating_point()
    assert good, (
        f"For logits ({B}, {K}) it returns {losses.dtype} {tuple(losses.shape)}, not ({B},). Do not take the mean: "
        'strategies weight and select samples (reduction="none").'
    )


def takes_a_batch_of_one(cls: type) -> None:
    """A batch of one sample gives one finite value, (1,)."""
    losses = set_up(cls)(*batch(1))
    assert losses.shape == (1,), f"For one sample it returns {tuple(losses.shape)}, not (1,): squeeze dimension 1 only."
    assert losses.isfinite().all(), f"For one sample it returns {losses.item()}."


def follows_a_permutation(cls: type) -> None:
    """A batch in another order gives the same losses in that order."""
    loss = set_up(cls)
    logits, targets, index = batch(B)
    order = torch.tensor([3, 0, 4, 1, 2])
    there, here = loss(logits[order], targets[order], index[order]), loss(logits, targets, index)[order]
    assert torch.allclose(there, here, rtol=1e-5, atol=1e-6), (
        "In another order the samples have other losses: look per-sample state up by `index`, not by the place in the "
        "batch."
    )


def is_deterministic(cls: type) -> None:
    """Calling it twice gives the same bits and changes nothing: not its state, not its arguments."""
    loss = set_up(cls)
    given = batch(B)
    before = copy.deepcopy((vars(loss), given))
    first = loss(*given)
    assert equal(first, loss(*given)), "The same call gives another result: a loss draws nothing when it is called."
    assert equal((vars(loss), given), before), (
        "Calling it changes its state or its arguments. Strategies may call a loss more than once, to select samples: "
        "update a memory in observe(logits, index), and do nothing in place."
    )


def takes_bf16_logits(cls: type) -> None:
    """The losses of bf16 logits are computed in at least float32, under autocast too."""
    logits, targets, index = batch(B)
    logits, loss = logits.bfloat16(), set_up(cls)
    exact = loss(logits.float(), targets, index)
    for autocast in (False, True):
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            losses = loss(logits, targets, index)
        good = losses.dtype in (torch.float32, torch.float64) and torch.allclose(
            losses.float(), exact.float(), 1e-4, 1e-5
        )
        assert good, f"Of bf16 logits it returns {losses.dtype}, computed in too few digits. Begin with {PROMOTE}."


def takes_soft_targets(cls: type) -> None:
    """Where it declares ``soft_targets``, float targets (B, K) are taken, and one-hot ones mean the label."""
    if not getattr(cls, "soft_targets", False):
        raise NotApplicable("It does not declare soft_targets.")
    loss = set_up(cls)
    logits, targets, index = batch(B)
    hard, soft = loss(logits, targets, index), loss(logits, F.one_hot(targets, K).float(), index)
    assert soft.shape == (B,), f"For targets ({B}, {K}) it returns {tuple(soft.shape)}, not ({B},)."
    assert torch.allclose(hard, soft, rtol=1e-5, atol=1e-6), "A one-hot target gives another loss than its label."
    assert loss(logits, torch.full((B, K), 1 / K), index).isfinite().all(), "It is not finite for a uniform target."


def restores_its_state(cls: type) -> None:
    """What it remembers comes back from ``state_dict`` through a file that holds tensors and primitives only."""
    loss, fresh = set_up(cls), set_up(cls, predictions=False)
    if not any(hasattr(loss, name) for name in ("setup", "observe", "param_groups", "state_dict")):
        raise NotApplicable("It keeps no state.")
    for tensor in learned(loss):
        tensor.data += 0.1  # as after some training
    if hasattr(loss, "state_dict"):
        file = io.BytesIO()
        torch.save(loss.state_dict(), file)
        file.seek(0)
        try:
            state = torch.load(file, weights_only=True)
        except Exception as error:
            raise AssertionError(f"state_dict holds more than tensors and primitives: {error}") from error
        fresh.load_state_dict(state)
        assert equal(fresh.state_dict(), loss.state_dict()), "After load_state_dict its state_dict is another one."
    for each in (loss, fresh):
        begin(each, 2)
    same = torch.allclose(loss(*batch(B)), fresh(*batch(B)))
    assert same, (
        "A run that is resumed goes on with other losses: what observe() remembers and what is learned must be in "
        "state_dict() and come back in load_state_dict(state)."
    )


def optional_methods_give_what_they_say(cls: type) -> None:
    """``penalty`` gives a finite scalar, ``param_groups`` learnable tensors, ``lr_scale`` a number of at least 0."""
    loss = set_up(cls)
    if not any(hasattr(loss, name) for name in ("penalty", "param_groups", "lr_scale")):
        raise NotApplicable("It has no penalty, param_groups or lr_scale.")
    if hasattr(loss, "penalty"):
        penalty = loss.penalty(TinyNet(K, 1))
        good = isinstance(penalty, Tensor) and penalty.ndim == 0 and bool(penalty.isfinite())
        assert good, f"penalty(network) returns {penalty!r:.80}, not a finite scalar tensor."
    if hasattr(loss, "param_groups"):
        tensors = learned(loss)
        good = bool(tensors) and all(tensor.is_leaf and tensor.requires_grad for tensor in tensors)
        assert good, "param_groups() must be a list of {'params': [leaf tensors that require a gradient], ...}."
    if hasattr(loss, "lr_scale"):
        scale = float(loss.lr_scale(1))
        good = math.isfinite(scale) and scale >= 0
        assert good, f"lr_scale(1) returns {scale}; it multiplies the learning rate."


def captured_steps_do_the_same(cls: type) -> None:
    """Where it declares ``capturable`` or keeps no state, steps that are captured and replayed give the same bits."""
    if not may_be_captured(cls):
        raise NotApplicable("It keeps a state and does not declare capturable.")
    try:
        found = differences(lambda epochs: TinyRun(Plain(), epochs, make_loss=cls))
    except ReplayError as error:
        if not hasattr(cls, "capturable"):  # without a promise it is no fault: such steps run one by one
            raise NotApplicable(f"It does not declare capturable, and {error}.") from error
        found = str(error)
    assert not found, (
        f"Captured: {found}. Of a captured step only the operations on tensors are done again: write an epoch's "
        "coefficients into tensors that stay where they are (fill_, copy_), and never ask one for its value (.item(), "
        "if, a mask as an index). A loss that cannot do without says capturable = False."
    )


def two_processes_do_the_same(cls: type) -> None:
    """Two processes that share each batch train with it as one does, up to the order of sums."""
    difference = from_one_process(Plain, cls)
    assert not difference, (
        f"In two processes {difference}. What it draws comes from the generator of setup(ctx), and what it knows of "
        "other samples from observe(logits, index)."
    )


CHECKS = (
    gives_one_value_for_each_sample,
    takes_a_batch_of_one,
    *gradients.CHECKS,
    follows_a_permutation,
    is_deterministic,
    takes_bf16_logits,
    takes_soft_targets,
    restores_its_state,
    optional_methods_give_what_they_say,
    captured_steps_do_the_same,
    two_processes_do_the_same,
)
