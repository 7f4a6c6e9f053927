"""
The conformance suite: what a component must do to work with every other, as checks that anyone can run on their own.

On the command line ``nl check my-package``; as pytest::

    from nlcore.checks import parametrize_with_checks

    @parametrize_with_checks("my-package")
    def test_conformance(check):
        check()

Each check is a small function whose docstring begins with the rule. Importing this package does not import torch.
"""

from __future__ import annotations

from nlcore.checks.parametrize import parametrize_with_checks
from nlcore.checks.suite import Check, NotApplicable, Outcome, checks_for, run_checks

__all__ = ["Check", "NotApplicable", "Outcome", "checks_for", "parametrize_with_checks", "run_checks"]
