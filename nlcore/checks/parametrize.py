"""The conformance suite as pytest: one test for each check of each component."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from nlcore.checks.suite import Check, NotApplicable, checks_for, find
from nlcore.errors import UserError, did_you_mean

F = TypeVar("F", bound=Callable[..., Any])


def parametrize_with_checks(target: str, expected_failures: Mapping[str, str] | None = None) -> Callable[[F], F]:
    """
    Return a decorator that runs a test once for every check of a package's components.

    The test takes ``check`` and calls it. A check that does not apply is skipped with its reason.

    Args:
        target: the distribution's name, or one component as ``kind:name``.
        expected_failures: for a check's name (``is_deterministic``, for all components) or a test's id
            (``loss:mine/is_deterministic``), why it fails. It is strict: one that passes fails the test.

    Raises:
        UserError: an unknown target or check, or an expected failure without a reason.

    """
    import pytest

    expected = dict(expected_failures or {})
    checks = [check for entry in find(target) for check in checks_for(entry)]
    known = {name: None for check in checks for name in (check.name, str(check))}
    for name, reason in expected.items():
        if name not in known:
            raise UserError(f"expected_failures: there is no check {name!r} here.{did_you_mean(name, known)}")
        if not isinstance(reason, str) or not reason.strip():
            raise UserError(f"expected_failures: say in a few words why {name!r} fails.")
    params = []
    for check in checks:
        why = expected.get(str(check)) or expected.get(check.name)
        marks = [pytest.mark.xfail(strict=True, reason=why)] if why else []
        params.append(pytest.param(_Skipping(check), id=str(check), marks=marks))
    return pytest.mark.parametrize("check", params)


class _Skipping:
    """A check that tells pytest where it does not apply."""

    def __init__(self, check: Check) -> None:
        self.check = check

    def __call__(self) -> None:
        import pytest

        try:
            self.check()
        except NotApplicable as error:
            pytest.skip(str(error))
