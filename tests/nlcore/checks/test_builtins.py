"""What comes with nlcore passes the suite that others run on theirs."""

from __future__ import annotations

from typing import Any

from nlcore.checks import parametrize_with_checks


@parametrize_with_checks("nlcore")
def test_conformance(check: Any) -> None:
    check()
