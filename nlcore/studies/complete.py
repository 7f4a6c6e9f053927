"""What runs lack because they were made before it was there: until it came, a new parameter had its default."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from nlcore.config.choose import Finder, select
from nlcore.config.recipe import without_none
from nlcore.errors import UserError
from nlcore.host.hookspecs import slots
from nlcore.host.registry import registry

if TYPE_CHECKING:
    from nlcore.studies.read import Run


def completed(runs: Sequence[Run]) -> list[Run]:
    """
    Return runs that all have the parameters which others of the same components have.

    Components are looked up, and imported, only where something is missing; one that is not installed stays as it is.
    """
    having: dict[tuple[str, str], set[str]] = {}
    for run in runs:
        for slot, name, words in _parameters(run):
            having.setdefault((slot, name), set()).update(words)
    usual: dict[tuple[str, str], Mapping[str, object]] = {}
    found = []
    for run in runs:
        more: dict[str, object] = {}
        for slot, name, words in _parameters(run):
            missing = having[slot, name] - words
            if missing:
                defaults = usual.setdefault((slot, name), _usual(slot, name))
                more |= {word: defaults[word] for word in missing if word in defaults}
        found.append(replace(run, words={**run.words, **more}) if more else run)
    return found


def _parameters(run: Run) -> list[tuple[str, str, set[str]]]:
    """Return of each slot what fills it, and the words of its parameters."""
    return [
        (slot, str(run.words[slot]), {word for word in run.words if word.startswith(f"{slot}.")})
        for slot in slots()
        if slot in run.words
    ]


def _usual(slot: str, name: str) -> dict[str, object]:
    """Return the defaults of what fills a slot, none where they cannot be known."""
    try:
        chosen = select(Finder(registry()), slot, name, (), ())
    except UserError:
        return {}
    return {f"{slot}.{key}": without_none(value) for key, value in chosen.params.items()}
