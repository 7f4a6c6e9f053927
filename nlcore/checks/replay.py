"""
A capturing without a GPU: every operation of a step, done again on the same memory.

It keeps what a CUDA graph keeps and no more: which operations, on which tensors, with which numbers. Python that ran
in the step does not run again. So a step that relies on it gives other results when it is replayed, here as there; and
one that asks the device for a value cannot be captured. What it cannot see is what lies where: on a CPU all lies there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from nlcore.testing.same import equal
from nlcore.training.capture import StepCapture


class ReplayError(RuntimeError):
    """The step does what no capturing can do again."""


class ReplayedCalls:
    """A `nlcore.training.capture.Recording` on the CPU."""

    def __init__(self) -> None:
        self._calls: list[tuple[Any, tuple[Any, ...], dict[str, Any], Any]] = []

    def warm_up(self, step: Callable[[], Tensor]) -> Tensor:
        """Do the step."""
        return step()

    def capture(self, step: Callable[[], Tensor]) -> Tensor:
        """Do the step and note its operations."""
        with _AsOnTheDevice(), _Notes(self._calls):
            return step()

    @torch.no_grad()
    def replay(self) -> None:
        """Do the noted operations again; what they make goes where it went before."""
        for function, args, kwargs, outputs in self._calls:
            given = {_memory(tensor) for tensor in _tensors((args, kwargs))}
            for before, now in zip(_tensors(outputs), _tensors(function(*args, **kwargs)), strict=True):
                if _memory(before) not in given:  # else it is a view, or was changed in place
                    before.copy_(now)


class _Notes(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Writes operations down, below autograd and autocast, and refuses those that ask the device for a value."""

    def __init__(self, calls: list[tuple[Any, tuple[Any, ...], dict[str, Any], Any]]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._calls = calls

    def __torch_dispatch__(
        self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Note and do an operation."""
        kwargs = kwargs or {}
        if torch.Tag.data_dependent_output in function.tags or _depends_on_values(function, args):
            raise ReplayError(f"it asks the device for a value ({function.name()})")
        outputs = function(*args, **kwargs)
        if torch.Tag.nondeterministic_seeded in function.tags and all(out.ndim < 2 for out in _tensors(outputs)):
            raise ReplayError(f"it draws numbers in the step ({function.name()})")  # dropout has more dimensions
        if function.namespace != "profiler":
            self._calls.append((function, args, kwargs, outputs))
        return outputs


class _AsOnTheDevice(TorchFunctionMode):
    """Refuses what would fetch values from a GPU; lets one_hot read no labels, whose range it checks on a CPU only."""

    def __torch_function__(
        self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Do one_hot of a stated number of classes without looking; do all else as it is."""
        kwargs = kwargs or {}
        if function in (Tensor.cpu, Tensor.numpy, Tensor.tolist):
            raise ReplayError(f"it asks the device for values (Tensor.{function.__name__})")
        classes = kwargs.get("num_classes", args[1] if len(args) > 1 else -1)
        if function is not F.one_hot or classes < 1:
            return function(*args, **kwargs)
        labels: Tensor = args[0] if args else kwargs["tensor"]
        return labels.new_zeros(*labels.shape, classes).scatter_(-1, labels[..., None], 1)


def _depends_on_values(function: Any, args: tuple[Any, ...]) -> bool:
    """Tell whether the shape of an operation's result depends on values: of an index only where it is a mask."""
    aten = torch.ops.aten
    if function.overloadpacket in (aten.index, aten.index_put, aten.index_put_, aten._index_put_impl_):
        return any(tensor.dtype in (torch.bool, torch.uint8) for tensor in _tensors(args[1]))
    return torch.Tag.dynamic_output_shape in function.tags


def _tensors(tree: Any) -> Iterator[Tensor]:
    return (leaf for leaf in tree_leaves(tree) if isinstance(leaf, Tensor))


def _memory(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()


#: The epochs of a long run that are trained: the first ones, in which steps are captured, and some of what comes later.
EPOCHS = (1, 2, 3, 4, 400, 600, 800, 1000)


def differences(make_run: Callable[[int], Any]) -> str:
    """
    Return in words how a run of captured steps differs from one of steps run one by one; empty where it does not.

    Args:
        make_run: takes the number of epochs and makes a new `nlcore.testing.tiny_run.TinyRun`, the same each time.

    Raises:
        ReplayError: it cannot be captured, so that a run does its steps one by one; the message says why.

    """
    alone, captured = make_run(EPOCHS[-1]), make_run(EPOCHS[-1])
    alone.ctx.optimizers.lr_as_tensor = True  # as a captured step reads them
    captured.trainer.capture = StepCapture(captured.strategy, captured.ctx, ReplayedCalls)
    for epoch in EPOCHS:
        losses = [run.train_epoch(epoch) for run in (alone, captured)]
        if captured.trainer.capture.refusal:
            raise ReplayError(captured.trainer.capture.refusal)
        if losses[0] != losses[1] or not equal(alone.trainer.state_dict(), captured.trainer.state_dict()):
            return f"in epoch {epoch} a replayed step does not do what the step itself does"
    return ""
