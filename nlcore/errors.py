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


class NotInstalledError(UserError):
    """A package that a component needs is not installed; the message says how to install it."""


class PluginError(UserError):
    """A plugin or a component of it that cannot be used."""


def nearest(word: str, candidates: Iterable[str]) -> list[str]:
    """
    Return up to three of `candidates` that `word` is probably meant for, the nearest first.

    Near is a slip of the fingers, another case or a beginning; a guess beyond that misleads more than it helps.
    """
    plain = {name: name.lower().replace("-", "_") for name in candidates}
    typed = word.lower().replace("-", "_")
    close = difflib.get_close_matches(typed, plain.values(), n=3, cutoff=0.65)
    close += [name for name in plain.values() if len(typed) > 2 and name.startswith(typed) and name not in close]
    return [name for one in dict.fromkeys(close) for name, spelled in plain.items() if spelled == one][:3]


def did_you_mean(word: str, candidates: Iterable[str]) -> str:
    """Return ``" Did you mean 'x'?"`` with the nearest of `candidates`, or an empty string where none is near."""
    near = nearest(word, candidates)
    return f" Did you mean {' or '.join(repr(name) for name in near)}?" if near else ""


def plural(count: int, noun: str, more: str = "") -> str:
    """Return ``1 epoch``, ``1,797 images``; `more` is the plural where it does not end in s."""
    return f"{count:,} {noun if count == 1 else more or f'{noun}s'}"
