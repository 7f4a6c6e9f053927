"""
What the settings of a study declare of their values: whether a comma belongs to one, whether one names a file.

Of a component's parameter only its class knows. So it is imported, but only where the answer matters.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence

from nlcore.config.choose import Finder, joined_by_commas
from nlcore.config.recipe import read_preset
from nlcore.config.settings import SHORT_NAMES, TrainingSettings
from nlcore.errors import UserError
from nlcore.host.hookspecs import slots
from nlcore.host.registry import registry
from nlcore.parameters import Parameter, parameters_of, show_value
from nlcore.textfiles import TextInFile

_Layers = Sequence[Mapping[str, object]]


def has_commas(key: str, layers: _Layers) -> bool:
    """
    Return whether a comma belongs to the value of a setting.

    Args:
        key: its name, ``lr_milestones``, or that of a component's parameter, ``noise.map``.
        layers: of settings, each of one value or several, that say which components there are.

    """
    if key in slots():
        return joined_by_commas(slots()[key][1])
    return any(one.commas for one in _declared(key, layers))


def typed(key: str, value: object, layers: _Layers) -> str:
    """Return a value as it is typed on the command line; where it names a file, from any folder."""
    if isinstance(value, TextInFile):
        for one in _declared(key, layers):
            if one.path:
                return show_value(one.convert(value, key))
    return show_value(value)


def _declared(key: str, layers: _Layers) -> list[Parameter]:
    """Return what a setting may be: of a parameter, what each component declares that a run may have."""
    if key == "labels":
        key, layers = "noise.file", [{"noise": "stored"}]
    slot, dot, name = SHORT_NAMES.get(key, key).partition(".")
    if not dot or slot not in slots():
        return [found] if (found := parameters_of(TrainingSettings).get(key)) else []
    finder = Finder(registry())
    of_each = []
    for one in _chosen(slot, layers):
        with contextlib.suppress(UserError):  # there is none of that name, say, which is told once all is known
            of_each += [finder.signature(entry)[1] for entry in finder.entries(slot, one)]
    last = name.rpartition(".")[2]  # of several components in a row, one's name stands before it
    return [one[last] for one in of_each if last in one]


def _chosen(slot: str, layers: _Layers) -> set[str]:
    """Return the components that any of the runs may have in a slot."""
    presets = [read_preset(name) for layer in layers for name in _names(layer.get("preset", ()))]
    found = {name for layer in (*layers, *presets) for name in _names(layer.get(slot, ()))}
    return found or {slots()[slot][0].default}


def _names(value: object) -> list[str]:
    several = value.split(",") if isinstance(value, str) else value if isinstance(value, Sequence) else ()
    return [str(one).strip() for one in several]
