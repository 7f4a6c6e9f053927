"""``--scale``: a run that is shorter than its recipe, all of whose schedules are shortened by one factor."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any

from nlcore.config.settings import TrainingSettings
from nlcore.host.selection import Selection
from nlcore.parameters import Interval, Parameter, parameters_of, show_value

_FACTOR = Parameter("scale", float, 1.0, "", Interval("(0, 1]"))


def asked_scale(layers: Sequence[Mapping[str, object]]) -> float:
    """
    Return the factor that the layers ask for, 1 where none does.

    Raises:
        ParameterError: it is no number above 0 and up to 1.

    """
    given = [layer["scale"] for layer in layers if "scale" in layer]
    return float(_FACTOR.convert(given[-1], "scale")) if given else 1.0


def shortened(
    selections: Mapping[str, Selection], settings: TrainingSettings, scale: float
) -> tuple[dict[str, object], str]:
    """
    Return the layer of settings that shortens a run, and in words what it changes.

    Whatever counts epochs is multiplied: the run's length and what components declare so (`nlcore.parameter`).
    Whole numbers are rounded, and none that was at least 1 falls below 1.

    Args:
        selections, settings: of the run at its whole length.
        scale: the factor, above 0 and up to 1.

    """
    layer: dict[str, object] = {}
    said = []
    for name, item, value in _counted(selections, settings):
        shorter: Any = value * scale
        if item.type is int:
            shorter = max(min(value, 1), math.floor(shorter + 0.5))
            while item.interval and shorter not in item.interval:  # it may have to be 2 at least
                shorter += 1
        if shorter != value:
            layer[name] = shorter
            said.append(f"{name} {show_value(value)} → {show_value(round(shorter, 6))}")
    return layer, f"shortened by --scale {show_value(scale)}: {', '.join(said) or 'nothing'}"


def _counted(
    selections: Mapping[str, Selection], settings: TrainingSettings
) -> Iterator[tuple[str, Parameter, int | float]]:
    """Yield everything that counts epochs: its name, what it is, its value."""
    declared = parameters_of(TrainingSettings)
    for setting in fields(TrainingSettings):
        value = getattr(settings, setting.name)
        if declared[setting.name].epochs and isinstance(value, (int, float)):
            yield setting.name, declared[setting.name], value
    for slot, selection in selections.items():
        for key, (part, name) in selection.addresses().items():
            if part.declared[name].epochs and isinstance(part.params[name], (int, float)):
                yield f"{slot}.{key}", part.declared[name], part.params[name]
