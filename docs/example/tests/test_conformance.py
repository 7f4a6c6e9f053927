"""nlcore's conformance suite: every rule that there is for a plugin."""

from __future__ import annotations

from collections.abc import Callable

from nlcore.checks import parametrize_with_checks


@parametrize_with_checks("nlcore-example")
def test_conformance(check: Callable[[], None]) -> None:
    """Keep it."""
    check()
