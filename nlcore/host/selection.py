"""What fills a slot of a run: components that were found, checked and given all their parameters, once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nlcore.host.discovery import Entry
from nlcore.parameters import Parameter, show_value


@dataclass(frozen=True)
class Selected:
    """
    A component with all its parameters.

    Attributes:
        entry: who brought it.
        name: the shortest name that means it.
        cls: its class.
        declared: the parameters that the class declares.
        params: a value for each of them.
        usual: the values that would hold had the user said nothing about them: what is suggested, else defaults.

    """

    entry: Entry
    name: str
    cls: type
    declared: Mapping[str, Parameter]
    params: Mapping[str, Any]
    usual: Mapping[str, Any]
    _made: list[Any] = field(default_factory=list, repr=False, compare=False)

    def create(self) -> Any:
        """Return an instance: the one that its parameters were checked with the first time, a new one after that."""
        return self._made.pop() if self._made else self.cls(**self.params)

    @property
    def sample(self) -> Any:
        """An instance to ask what its class does not know; one that `create` may hand out."""
        if not self._made:
            self._made.append(self.cls(**self.params))
        return self._made[-1]

    def __str__(self) -> str:
        """Return the name and what differs from its defaults: ``gce (q 0.5)``; not what a default of none came to."""
        shown = {
            key: value
            for key, value in self.params.items()
            if value != self.usual[key]
            or (self.declared[key].default is not None and value != self.declared[key].default)
        }
        inside = ", ".join(f"{key} {show_value(value)}" for key, value in shown.items())
        return f"{self.name} ({inside})" if inside else self.name


@dataclass(frozen=True)
class Selection:
    """What fills a slot: one component, or several one after the other."""

    slot: str
    parts: tuple[Selected, ...]

    @property
    def name(self) -> str:
        """The name as users type it, ``crop_flip+cutout`` of several, ``none`` of none."""
        return "+".join(self.names) or "none"

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the parts."""
        return tuple(part.name for part in self.parts)

    @property
    def params(self) -> dict[str, Any]:
        """All parameters by the names that users type; one that several parts have is ``part.parameter``."""
        return {key: part.params[name] for key, (part, name) in self.addresses().items()}

    @property
    def changed(self) -> dict[str, Any]:
        """The parameters that differ from what is usual: from defaults, or from what is suggested."""
        addresses = self.addresses().items()
        return {key: part.params[name] for key, (part, name) in addresses if part.params[name] != part.usual[name]}

    def addresses(self) -> dict[str, tuple[Selected, str]]:
        """Return for each parameter, as users type it, the part that has it and its name there."""
        return {key: (self.parts[number], name) for key, (number, name) in addresses(self.parts).items()}

    @property
    def sample(self) -> Any:
        """An instance of the only part, to ask what its class does not know."""
        (part,) = self.parts
        return part.sample

    def create(self) -> Any:
        """Return an instance of the only part."""
        (part,) = self.parts
        return part.create()

    def create_all(self) -> list[Any]:
        """Return an instance of each part."""
        return [part.create() for part in self.parts]

    def __str__(self) -> str:
        return " + ".join(str(part) for part in self.parts)


def addresses(parts: tuple[Any, ...]) -> dict[str, tuple[int, str]]:
    """
    Return the names of the parameters of several components in a row, each with the part's number and its name there.

    Args:
        parts: each with a `name` and the parameters that it has `declared`.

    """
    having: dict[str, list[int]] = {}
    for number, part in enumerate(parts):
        for name in part.declared:
            having.setdefault(name, []).append(number)
    found = {}
    for name, numbers in having.items():
        for number in numbers:
            found[name if len(numbers) == 1 else f"{parts[number].name}.{name}"] = (number, name)
    return found
