"""What can go wrong, said to the user. The command line turns these into one sentence and an exit code."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """Wrong usage or bad input: the message says what is wrong, what is allowed and what to do. Exit code 2."""


class RunError(Exception):
    """A run that cannot go on, through no fault of what was given: a full disk, too little memory. Exit code 1."""


class ComponentError(RunError):
    """A third party's component that failed at work; the message names component, distribution, version and method."""


class ParameterError(UserError, ValueError):
    """A parameter that is unknown, of the wrong type or out of its range."""


class PluginError(UserError):
    """A plugin or a component of it that cannot be used."""


def did_you_mean(word: str, candidates: Iterable[str]) -> str:
    """Return ``" Did you mean 'x'?"`` with the nearest of `candidates`, or an empty string where none is near."""
    near = difflib.get_close_matches(word, list(candidates), n=3, cutoff=0.5)
    return f" Did you mean {' or '.join(repr(name) for name in near)}?" if near else ""
