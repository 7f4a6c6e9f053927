"""
The pieces of code that ``docs/plugin-api.md`` shows: declarations and docstrings, as they stand in their modules.

See `shown` for how pages are written anew and checked.
"""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable
from types import ModuleType

import cog

from nlcore import contracts, parameters, toolbox
from nlcore.host import hookspecs


def hooks() -> None:
    """Write the hook of each kind."""
    _write(hookspecs, *(kind.hook for kind in hookspecs.KINDS.values()))


def declaration() -> None:
    """Write how a component is declared: the records' fields and docstrings, without the checks."""
    _describe(hookspecs.Component, parameters.parameter)


def tools(*names: str) -> None:
    """Write functions of `nlcore.toolbox`: signatures and docstrings."""
    _describe(*(getattr(toolbox, name) for name in names))


def contract(*names: str) -> None:
    """Write protocols and records of `nlcore.contracts`."""
    _write(contracts, *names)


def _describe(*functions: Callable[..., object]) -> None:
    for function in functions:
        signature = str(inspect.signature(function)).replace("''", '""').replace("'", "")
        text = textwrap.indent(inspect.cleandoc(function.__doc__ or ""), "    ").strip()
        cog.outl(f'```python\n{function.__name__}{signature}\n    """\n    {text}\n    """\n```\n')


def _write(module: ModuleType, *names: str) -> None:
    for name in names:
        source = inspect.getsource(getattr(module, name)).replace("  # type: ignore[empty-body]", "")
        cog.outl(f"```python\n{source.rstrip()}\n```\n")
