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
    parameters = [_parameters(run) for run in runs]
    having: dict[tuple[str, str], set[str]] = {}
    for found in parameters:
        for chosen, words in found.items():
            having.setdefault(chosen, set()).update(words)
    usual: dict[tuple[str, str], Mapping[str, object]] = {}
    more: list[dict[str, object]] = [{} for _ in runs]
    for found, added in zip(parameters, more, strict=True):
        for chosen, words in found.items():
            missing = having[chosen] - words
            if missing and chosen not in usual:
                usual[chosen] = _usual(*chosen)
            added |= {word: usual[chosen][word] for word in missing if word in usual[chosen]}
    return [replace(run, words={**run.words, **added}) if added else run for run, added in zip(runs, more, strict=True)]


def _parameters(run: Run) -> dict[tuple[str, str], set[str]]:
    """Return for each slot and what fills it the words of its parameters."""
    words: dict[str, set[str]] = {slot: set() for slot in slots() if slot in run.words}
    for word in run.words:
        slot, dot, _ = word.partition(".")
        if dot and slot in words:
            words[slot].add(word)
    return {(slot, str(run.words[slot])): found for slot, found in words.items()}


def _usual(slot: str, name: str) -> dict[str, object]:
    """Return the defaults of what fills a slot, none where they cannot be known."""
    try:
        chosen = select(Finder(registry()), slot, name, (), ())
    except UserError:
        return {}
    return {f"{slot}.{key}": without_none(value) for key, value in chosen.params.items()}
