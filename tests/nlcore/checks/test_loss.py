"""Each check of losses finds one that breaks its rule, and leaves those alone that do not."""

from __future__ import annotations

import sys
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from nlcore.checks import NotApplicable, gradients
from nlcore.checks import loss as losses


class Good:
    """Cross-entropy."""

    def __call__(self, logits: Tensor, targets: Tensor, index: Tensor | None = None) -> Tensor:
        """Return the losses (B,)."""
        return F.cross_entropy(logits.to(torch.promote_types(logits.dtype, torch.float32)), targets, reduction="none")


class Mean(Good):
    def __call__(self, logits: Tensor, targets: Tensor, index: Tensor | None = None) -> Tensor:
        return super().__call__(logits, targets).mean()


class Number(Good):
    def __call__(self, logits: Tensor, targets: Tensor, index: Tensor | None = None) -> Any:
        return super().__call__(logits, targets).mean().item()


class Squeezes(Good):
    def __call__(self, logits: Tensor, targets: Tensor, index: Tensor | None = None) -> Tensor:
        return super().__call__(logits, targets).squeeze()


class AgainstOthers(Good):
    """One sample has no others."""

    def __call__(self, logits: Tensor, targets: Tensor, index: Tensor | None = None) -> Tensor:
        values = super().__call__(logits, targets)
        return values / (values.sum() - values)


class LogOfSoftmax:
    def __call__(self, logits: Tensor, targets: Tensor, index: Tensor | None = None) -> Tensor:
        return -logits.softmax(1).gather(1, targets[:, None]).squeeze(1).log()


class InfiniteSlope:
    """√p is finite everywhere and its slope at 0 is not."""

    def __call__(self, logits: Tensor, targets: Tensor, index: Tensor | None = None) -> Tensor:
        return 1 - logits.float().softmax(1).gather(1, targets[:, None]).squeeze(1).sqrt()


class Detached(Good):
    def __call__(self, logits: Tensor, targets: Tensor, index: Tensor | None = None) -> Tensor:
        return super().__call__(logits.detach(), targets)


class Constant(Good):
    def __call__(self, logits: Tensor, targets: Tensor, index: Tensor | None = None) -> Tensor:
        return super().__call__(0 * logits, targets)


class LostByData(Good):
    def __call__(self, logits: Tensor, targets: Tensor, index: Tensor | None = None) -> Tensor:
        return super().__call__(logits, targets) * logits.data.softmax(1).amax(1)


class LostByNumpy(Good):
    def __call__(self, logits: Tensor, targets: Tensor, index: Tensor | None = None) -> Tensor:
        weight = [float(np.exp(-value.item())) for value in super().__call__(logits, targets)]
        return super().__call__(logits, targets) * torch.as_tensor(weight, dtype=logits.dtype)


class WrongBackward(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        (x,) = ctx.saved_tensors
        return gradient * x


class RightBackward(WrongBackward):
    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        (x,) = ctx.saved_tensors
        return gradient * 2 * x


class SquaredWrongly(Good):
    def __call__(self, logits: Tensor, targets: Tensor, index: Tensor | None = None) -> Tensor:
        result: Tensor = WrongBackward.apply(super().__call__(logits, targets))
        return result


class SquaredRightly(Good):
    def __call__(self, logits: Tensor, targets: Tensor, index: Tensor | None = None) -> Tensor:
        result: Tensor = RightBackward.apply(super().__call__(logits, targets))
        return result


class Single:
    def __call__(self, logits: Tensor, targets: Tensor, index: Tensor | None = None) -> Tensor:
        return F.cross_entropy(logits.float(), targets, reduction="none")


class Half:
    def __call__(self, logits: Tensor, targets: Tensor, index: Tensor | None = None) -> Tensor:
        return F.cross_entropy(logits, targets, reduction="none")


class HalfUnderAutocast(Good):
    """A matrix product, which autocast computes in bf16."""

    def __call__(self, logits: Tensor, targets: Tensor, index: Tensor | None = None) -> Tensor:
        logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
        return (super().__call__(logits @ (0.3 * torch.eye(logits.shape[1], dtype=logits.dtype)), targets)).float()


class ByPlace(Good):
    def __call__(self, logits: Tensor, targets: Tensor, index: Tensor | None = None) -> Tensor:
        return super().__call__(logits, targets) * torch.arange(1, len(logits) + 1)


class Draws(Good):
    def __call__(self, logits: Tensor, targets: Tensor, index: Tensor | None = None) -> Tensor:
        return super().__call__(logits + 0.1 * torch.randn_like(logits), targets)


class Counts(Good):
    def setup(self, ctx: Any) -> None:
        """Make the state."""
        self.calls = torch.zeros(())

    def __call__(self, logits: Tensor, targets: Tensor, index: Tensor | None = None) -> Tensor:
        self.calls = self.calls + 1
        return super().__call__(logits, targets)


class InPlace(Good):
    def __call__(self, logits: Tensor, targets: Tensor, index: Tensor | None = None) -> Tensor:
        targets.fill_(0)
        return super().__call__(logits, targets)


class SaysSoft(Good):
    soft_targets: ClassVar[bool] = True

    def __call__(self, logits: Tensor, targets: Tensor, index: Tensor | None = None) -> Tensor:
        if targets.ndim == 2:
            return -(targets * logits.log_softmax(1)).mean(1)  # a mean over classes
        return super().__call__(logits, targets)


class Remembers(Good):
    """Weighs samples by what it saw of them."""

    def setup(self, ctx: Any) -> None:
        """Make the memory."""
        self.seen = torch.ones(ctx.num_samples)

    def observe(self, logits: Tensor, index: Tensor) -> None:
        """Remember."""
        self.seen[index] = logits.softmax(1).amax(1)

    def __call__(self, logits: Tensor, targets: Tensor, index: Tensor | None = None) -> Tensor:
        return super().__call__(logits, targets) * self.seen[index]


class SavesObject(Remembers):
    def state_dict(self) -> dict[str, Any]:
        """Return what no safe loader reads."""
        return {"seen": self.seen, "loss": Good()}


class LearnsUnsaved(Good):
    def setup(self, ctx: Any) -> None:
        """Make what is learned."""
        self.bias = torch.zeros(ctx.num_classes, requires_grad=True)

    def param_groups(self) -> list[dict[str, Any]]:
        """Return it."""
        return [{"params": [self.bias]}]

    def __call__(self, logits: Tensor, targets: Tensor, index: Tensor | None = None) -> Tensor:
        return super().__call__(logits * (1 + self.bias), targets)


class Learns(LearnsUnsaved):
    def state_dict(self) -> dict[str, Any]:
        """Return what was learned."""
        return {"bias": self.bias.detach()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore it."""
        self.bias.data.copy_(state["bias"])


class VectorPenalty(Good):
    def penalty(self, network: Any) -> Tensor:
        """Return too much."""
        return torch.zeros(3)


class NothingToLearn(Good):
    def param_groups(self) -> list[dict[str, Any]]:
        """Return what has no gradient."""
        return [{"params": [torch.zeros(3)]}]


class NegativeScale(Good):
    def lr_scale(self, epoch: int) -> float:
        """Return what would climb."""
        return -1.0


class CountsInPython(Good):
    """Its coefficient is a number of Python's, and a recorded step would keep the first one."""

    capturable = True
    weight: Any

    def begin_epoch(self, epoch: int, epochs: int, predict: Any) -> None:
        """Set the coefficient."""
        self.weight = epoch / epochs

    def __call__(self, logits: Tensor, targets: Tensor, index: Tensor | None = None) -> Tensor:
        return super().__call__(logits, targets) * getattr(self, "weight", 1.0)


class CountsOnTheDevice(CountsInPython):
    def setup(self, ctx: Any) -> None:
        """Make the coefficient."""
        self.weight = torch.ones((), device=ctx.device)

    def begin_epoch(self, epoch: int, epochs: int, predict: Any) -> None:
        self.weight.fill_(epoch / epochs)


class CountsLate(CountsInPython):
    """Its number is 1 for so long that a short run would not show it."""

    def begin_epoch(self, epoch: int, epochs: int, predict: Any) -> None:
        self.weight = 1.0 if epoch < 500 else 0.5


class CountsCalls(Good):
    """It keeps no state that it says, and is wrong when it is recorded."""

    calls = 0

    def __call__(self, logits: Tensor, targets: Tensor, index: Tensor | None = None) -> Tensor:
        self.calls += 1
        return super().__call__(logits, targets) / self.calls


class DrawsANumber(Good):
    capturable = True

    def __call__(self, logits: Tensor, targets: Tensor, index: Tensor | None = None) -> Tensor:
        return super().__call__(logits, targets) * torch.rand(())


class GoesThroughNumpy(Good):
    capturable = True

    def __call__(self, logits: Tensor, targets: Tensor, index: Tensor | None = None) -> Tensor:
        return super().__call__(logits, targets) * float(targets.numpy().mean() >= 0)


class AsksItself(Good):
    capturable: bool = True

    def __call__(self, logits: Tensor, targets: Tensor, index: Tensor | None = None) -> Tensor:
        values = super().__call__(logits, targets)
        return values if values.mean() > 1e-3 else 2 * values


class AsksUnasked(AsksItself):
    """It keeps no state and promises nothing."""

    capturable = False


class DrawsByProcess(Good):
    """Weights samples by what no seed tells: which process this is."""

    def __call__(self, logits: Tensor, targets: Tensor, index: Tensor | None = None) -> Tensor:
        """Return the losses."""
        return super().__call__(logits, targets, index) * (9 if "nlcore.runs.member" in sys.orig_argv else 1)


class OneHot(Good):
    """On a CPU one_hot looks at the labels, on a GPU it does not."""

    def __call__(self, logits: Tensor, targets: Tensor, index: Tensor | None = None) -> Tensor:
        return -(F.one_hot(targets, logits.shape[1]) * logits.log_softmax(1)).sum(1)


BROKEN: list[tuple[Any, type, str]] = [
    (losses.gives_one_value_for_each_sample, Mean, "Do not take the mean"),
    (losses.gives_one_value_for_each_sample, Number, "not a tensor"),
    (losses.takes_a_batch_of_one, Squeezes, r"returns \(\), not \(1,\)"),
    (losses.takes_a_batch_of_one, AgainstOthers, "inf"),
    (gradients.is_finite_for_extreme_logits, LogOfSoftmax, "it is inf"),
    (gradients.is_finite_for_extreme_logits, InfiniteSlope, "gradient is NaN"),
    (gradients.gradient_reaches_the_logits, Detached, "No gradient reaches"),
    (gradients.gradient_reaches_the_logits, Constant, "zero for every sample"),
    (gradients.gradient_is_that_of_the_value, LostByData, "not that of the value"),
    (gradients.gradient_is_that_of_the_value, LostByNumpy, "not that of the value"),
    (gradients.gradient_is_that_of_the_value, SquaredWrongly, "not that of the value"),
    (gradients.gradient_is_that_of_the_value, Single, "float64 is to be kept"),
    (losses.follows_a_permutation, ByPlace, "by `index`"),
    (losses.is_deterministic, Draws, "another result"),
    (losses.is_deterministic, Counts, "changes its state"),
    (losses.is_deterministic, InPlace, "another result|arguments"),
    (losses.takes_bf16_logits, Half, "torch.bfloat16, computed in too few digits"),
    (losses.takes_bf16_logits, HalfUnderAutocast, "too few digits"),
    (losses.takes_soft_targets, SaysSoft, "another loss than its label"),
    (losses.restores_its_state, Remembers, "goes on with other losses"),
    (losses.restores_its_state, LearnsUnsaved, "goes on with other losses"),
    (losses.restores_its_state, SavesObject, "more than tensors"),
    (losses.optional_methods_give_what_they_say, VectorPenalty, "not a finite scalar"),
    (losses.optional_methods_give_what_they_say, NothingToLearn, "require a gradient"),
    (losses.optional_methods_give_what_they_say, NegativeScale, "lr_scale"),
    (losses.captured_steps_do_the_same, CountsInPython, "not do what the step itself does"),
    (losses.captured_steps_do_the_same, CountsLate, "in epoch 600 "),
    (losses.captured_steps_do_the_same, CountsCalls, "not do what the step itself does"),
    (losses.captured_steps_do_the_same, DrawsANumber, "draws numbers in the step"),
    (losses.captured_steps_do_the_same, GoesThroughNumpy, "asks the device for values"),
    (losses.captured_steps_do_the_same, AsksItself, "asks the device for a value"),
    (losses.two_processes_do_the_same, DrawsByProcess, "away from where it ends in one"),
]


@pytest.mark.parametrize(("check", "cls", "words"), BROKEN)
def test_refuses(check: Any, cls: type, words: str, refuses: Any) -> None:
    refuses(check, cls, words)


def test_every_check_refuses_something() -> None:
    assert {check for check, _, _ in BROKEN} == set(losses.CHECKS)


@pytest.mark.parametrize("cls", [Good, Learns, SquaredRightly])
def test_lets_good_ones_pass(cls: type) -> None:
    for check in losses.CHECKS:
        try:
            check(cls)
        except NotApplicable:
            assert check in (
                losses.takes_soft_targets,
                losses.restores_its_state,
                losses.optional_methods_give_what_they_say,
                losses.captured_steps_do_the_same,
            )


@pytest.mark.parametrize("cls", [Good, CountsOnTheDevice, OneHot])
def test_these_can_be_recorded(cls: type) -> None:
    losses.captured_steps_do_the_same(cls)


@pytest.mark.parametrize("cls", [Learns, AsksUnasked])
def test_without_a_promise_nothing_is_recorded(cls: type) -> None:
    with pytest.raises(NotApplicable, match="capturable"):
        losses.captured_steps_do_the_same(cls)


class TargetByDetach(Good):
    def __call__(self, logits: Tensor, targets: Tensor, index: Tensor | None = None) -> Tensor:
        p = (2 * logits).softmax(1).detach()
        p /= p.sum(1, keepdim=True) + 1  # in place and not idempotent
        return -(p * logits.log_softmax(1)).sum(1)


class TargetUnderNoGrad(Good):
    @torch.no_grad()
    def _target(self, logits: Tensor) -> Tensor:
        p = logits.softmax(1) ** 2
        p.div_(p.sum(1, keepdim=True) + 1)
        p[p < 0.1] = 0
        return p

    def __call__(self, logits: Tensor, targets: Tensor, index: Tensor | None = None) -> Tensor:
        return -(self._target(logits) * logits.log_softmax(1)).sum(1)


class Straight(Good):
    """The value rounds, the gradient does not."""

    def __call__(self, logits: Tensor, targets: Tensor, index: Tensor | None = None) -> Tensor:
        return super().__call__(logits + (logits.round() - logits).detach(), targets)


@pytest.mark.parametrize("cls", [TargetByDetach, TargetUnderNoGrad, Straight])
def test_what_is_declared_constant_is_held(cls: type) -> None:
    gradients.gradient_is_that_of_the_value(cls)


class HeldAndWrong(TargetByDetach):
    """Declaring a constant excuses nothing else."""

    def __call__(self, logits: Tensor, targets: Tensor, index: Tensor | None = None) -> Tensor:
        result: Tensor = WrongBackward.apply(super().__call__(logits, targets))
        return result


def test_a_constant_excuses_nothing_else(refuses: Any) -> None:
    refuses(gradients.gradient_is_that_of_the_value, HeldAndWrong, "not that of the value")
