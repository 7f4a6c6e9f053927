"""
Finding wrong labels: what is certain of a data set, what models say of it, what people decide. Called, it is an audit.

`nlcore.audit` names a function and this package, and Python lets a submodule stand before anything else of the same
name. So the package can be called: `nlcore.api` says what happens then.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Callable
from typing import Any

door: Callable[..., Any]


class _Callable(types.ModuleType):
    def __call__(self, *args: Any, **words: Any) -> Any:
        """Do an audit; see `nlcore.api.audit`."""
        return self.door(*args, **words)


sys.modules[__name__].__class__ = _Callable
