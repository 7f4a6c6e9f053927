"""What a strategy trains or copies beside its context, and what would be lost with the run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from torch import nn

from nlcore.training.context import Context


def say_unsaved(strategy: Any, ctx: Context) -> None:
    """Say which networks a strategy holds that the context has not made: they are not in the weights of the run."""
    known = {id(parameter) for module in ctx.saved.values() for parameter in module.parameters()}
    names = [
        name
        for name, module in _modules(getattr(strategy, "__dict__", {}))
        if not known.issuperset(map(id, module.parameters()))
    ]
    if names:
        ctx.report(
            f"The strategy keeps a network of its own ({', '.join(names)}), which is not saved: a model that is loaded "
            "has it as setup makes it. ctx.teacher(network) or ctx.module(module) saves it with the run."
        )


def _modules(holder: Mapping[str, Any]) -> Iterator[tuple[str, nn.Module]]:
    for name, value in holder.items():
        if isinstance(value, nn.Module):
            yield name, value
        elif isinstance(value, dict):
            yield from _modules({f"{name}[{key!r}]": one for key, one in value.items()})
        elif isinstance(value, list | tuple):
            yield from _modules({f"{name}[{place}]": one for place, one in enumerate(value)})
