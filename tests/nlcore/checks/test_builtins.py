"""What comes with nlcore passes the suite that others run on theirs."""

from __future__ import annotations

from typing import Any

import pytest

from nlcore.checks import parametrize_with_checks

#: Kinds whose checks train networks, look at thousands of neighbours, or start other programs.
SLOW = ("architecture:", "estimator:", "executor:", "strategy:", "tracker:")


def _of_slow_kinds(marked: pytest.MarkDecorator, slow: bool) -> pytest.MarkDecorator:
    name, params = marked.args
    return pytest.mark.parametrize(name, [one for one in params if str(one.id).startswith(SLOW) is slow])


BUILTINS: Any = parametrize_with_checks("nlcore")


@_of_slow_kinds(BUILTINS, False)
def test_conformance(check: Any) -> None:
    check()


@pytest.mark.slow
@_of_slow_kinds(BUILTINS, True)
def test_conformance_of_what_takes_longer(check: Any) -> None:
    check()
