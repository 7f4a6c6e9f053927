"""What a loss declares constant, held constant while its logits are moved."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from torch import Tensor
from torch.overrides import TorchFunctionMode


class Constants:
    """
    The values that a function detaches when it is called first; in later calls it gets the same again.

    They are the results of ``.detach()`` and of all that is computed under ``torch.no_grad()``, in the order in which
    they come. Grad mode that is off for another reason (inside an autograd function) declares nothing.
    """

    def __init__(self) -> None:
        self._values: list[Any] | None = None

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Record inside on the first use, replay on the later ones."""
        mode = _Hold(self._values)
        with mode:
            yield
        self._values = mode.values


class _Hold(TorchFunctionMode):
    def __init__(self, values: list[Any] | None) -> None:
        super().__init__()
        self.values: list[Any] = [] if values is None else values
        self._replay = None if values is None else iter(values)
        self._no_grad = False

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Call `func`; its result is a constant where it detaches or where the caller turned gradients off."""
        name = getattr(func, "__name__", "")
        if name == "_set_grad_enabled":  # what torch.no_grad() calls on the way in and out
            self._no_grad = not args[0]
        result = func(*args, **(kwargs or {}))
        constant = (self._no_grad or name == "detach") and name != "_set_grad_enabled"
        if not constant or any(result is given for given in args):  # in place, of what is a constant already
            return result
        if self._replay is not None:
            return _copy(next(self._replay, result))
        self.values.append(_copy(result))
        return result


def _copy(value: Any) -> Any:
    """Return a copy of a tensor, which the caller may change in place."""
    return value.clone() if isinstance(value, Tensor) else value
