"""Broken components, and what their checks must say about them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Refuses = Callable[[Callable[[Any], None], Any, str], None]


@pytest.fixture
def refuses() -> Refuses:
    """Return a function that asserts that a check fails for this component, with a message that has these words."""

    def call(check: Callable[[Any], None], component: Any, words: str) -> None:
        with pytest.raises(AssertionError, match=words):
            check(component)

    return call
