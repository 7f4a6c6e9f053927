"""Which components fill the slots of a run, and with which parameters: what is suggested, below what is said."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from nlcore.config.recipe import SHORTHANDS, Overrides, check_names
from nlcore.config.settings import SHORT_NAMES
from nlcore.errors import ParameterError
from nlcore.host.discovery import Entry
from nlcore.host.hookspecs import Kind, slots
from nlcore.host.registry import Registry
from nlcore.host.selection import Selection, addresses
from nlcore.parameters import Parameter


class Finder:
    """The components that names mean, each looked up once."""

    def __init__(self, known: Registry) -> None:
        self.known = known
        self._entries: dict[tuple[str, str], list[Entry]] = {}
        self._signatures: dict[Entry, tuple[type, dict[str, Parameter]]] = {}

    def entries(self, slot: str, name: str) -> list[Entry]:
        """Return the components that a name means: several where the kind chains, none for a slot that may be empty."""
        if (slot, name) not in self._entries:
            _, kind = slots()[slot]
            self._entries[slot, name] = [self.known.find(kind.name, part) for part in _parts(name, kind)]
        return self._entries[slot, name]

    def display(self, slot: str, name: str) -> str:
        """Return the shortest name that means the same."""
        return "+".join(self.known.display_name(entry) for entry in self.entries(slot, name)) or "none"

    def signature(self, entry: Entry) -> tuple[type, dict[str, Parameter]]:
        """Return a component's class and the parameters that it declares."""
        if entry not in self._signatures:
            self._signatures[entry] = self.known.signature(entry)
        return self._signatures[entry]


def _parts(name: str, kind: Kind) -> list[str]:
    """Return the names in a name; of what has no say in the numbers each counts once, and a comma is as good as a +."""
    if not kind.chains:
        return [name]
    if not joined_by_commas(kind):
        return [part.strip() for part in name.split("+")]
    return [] if name == "none" else [*dict.fromkeys(part.strip() for part in name.replace(",", "+").split("+"))]


def joined_by_commas(kind: Kind) -> bool:
    """Return whether a comma joins components of this kind as a + does, and does not tell values of a study apart."""
    return kind.chains and not kind.decides


def suggestions(finder: Finder, layers: Sequence[Overrides]) -> tuple[Overrides, ...]:
    """
    Return the layers that the chosen components suggest, the strongest last.

    What one component suggests may choose another, which has suggestions of its own; so the choice is made again until
    nothing changes.
    """
    found: tuple[Overrides, ...] = ()
    for _ in range(len(slots())):
        names = names_of(finder, (*found, *layers))
        found_now = tuple(_suggested_by(finder, slot, name) for slot, name in _weakest_first(names))
        if found_now == found:
            break
        found = found_now
    return found


def _weakest_first(names: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield the choices in the order in which their suggestions count: the dataset's last."""
    yield from ((slot, name) for slot, name in names.items() if slot != "dataset")
    yield "dataset", names["dataset"]


def _suggested_by(finder: Finder, slot: str, name: str) -> Overrides:
    _, kind = slots()[slot]
    merged: dict[str, object] = {}
    for entry in finder.entries(slot, name):
        defaults: Overrides = getattr(finder.signature(entry)[0], "defaults", {})
        check_names(defaults)
        merged |= expand_short(defaults)
    return {key: value for key, value in merged.items() if key != kind.name}


def names_of(finder: Finder, layers: Sequence[Overrides]) -> dict[str, str]:
    """Return the component that is chosen for each slot, by the shortest name that means it."""
    chosen = {slot: row.default for slot, (row, _) in slots().items()}
    for layer in layers:
        chosen |= {slot: require_text(slot, layer[slot]) for slot in chosen if slot in layer}
    return {slot: finder.display(slot, name) for slot, name in chosen.items()}


@dataclass(frozen=True)
class _Candidate:
    """A component of a slot on its way to being selected."""

    entry: Entry
    name: str
    declared: Mapping[str, Parameter]


def select(
    finder: Finder, slot: str, name: str, suggested_layers: Sequence[Overrides], layers: Sequence[Overrides]
) -> Selection:
    """Check a slot's parameters and complete them: what is suggested where it fits, then defaults."""
    _, kind = slots()[slot]
    candidates = tuple(
        _Candidate(entry, finder.known.display_name(entry), finder.signature(entry)[1])
        for entry in finder.entries(slot, name)
    )
    where = addresses(candidates)
    given: list[dict[str, object]] = [{} for _ in candidates]
    for layer in suggested_layers:
        for key, value in _fitting(finder, layer, slot, kind.name, name).items():
            for number, candidate in enumerate(candidates):
                if key in candidate.declared:
                    given[number][key] = value
    suggested = [dict(one) for one in given]
    otherwise: list[dict[str, object]] = [{} for _ in candidates]
    for key, values in _given_for(finder, layers, slot, name).items():
        number, inner = _address(where, candidates, slot, kind.name, key)
        given[number][inner] = values[-1]
        if len(values) > 1:
            otherwise[number][inner] = values[-2]
    return Selection(
        slot,
        tuple(
            finder.known.select(candidate.entry, params, slot, candidate.name, usual, below)
            for candidate, params, usual, below in zip(candidates, given, suggested, otherwise, strict=True)
        ),
    )


def _fitting(finder: Finder, layer: Overrides, slot: str, kind: str, name: str) -> dict[str, object]:
    """
    Return the parameters that a suggestion has for a slot; one for a kind is for all its slots.

    Those that come with a component's name are for that component. So are rates, which mean another thing to another
    optimiser: without a name they are for the usual one.
    """
    meant = layer.get(slot, slots()[slot][0].default if slot == "optimizer" else None)
    if meant is not None and finder.display(slot, str(meant)) != name:
        return {}
    return {
        key.removeprefix(f"{prefix}."): value
        for prefix in dict.fromkeys((kind, slot))
        for key, value in layer.items()
        if key.startswith(f"{prefix}.")
    }


def _given_for(finder: Finder, layers: Sequence[Overrides], slot: str, name: str) -> dict[str, list[object]]:
    """
    Return what the layers give for each parameter of a slot, the last wins; not what is for another component.

    Of another data set's, what both declare alike stays: the size of one's own images, in folders or in a table.
    """
    given: dict[str, list[object]] = {}
    current: str | None = None
    for layer in layers:
        if slot in layer:
            now = finder.display(slot, str(layer[slot]))
            if now != current:
                kept = _alike(finder, slot, current, now) if slot == "dataset" and given and current else ()
                current, given = now, {key: values for key, values in given.items() if key in kept}
        prefix = f"{slot}."
        for key, value in layer.items():
            if key.startswith(prefix):
                given.setdefault(key.removeprefix(prefix), []).append(value)
    return given


def _alike(finder: Finder, slot: str, one: str, other: str) -> list[str]:
    """Return the parameters that two components declare in the same words, whatever their defaults; no files."""
    declared = [finder.signature(entry)[1] for name in (one, other) for entry in finder.entries(slot, name)]
    first, second = ({key: replace(item, default=None) for key, item in of_one.items()} for of_one in declared)
    return [key for key, item in first.items() if second.get(key) == item and not item.path]


def _address(
    where: Mapping[str, tuple[int, str]], candidates: Sequence[_Candidate], slot: str, kind: str, key: str
) -> tuple[int, str]:
    """Return which of a slot's components a parameter is for, and its name there."""
    if key in where:
        return where[key]
    if len(candidates) == 1:
        return 0, key.removeprefix(f"{candidates[0].name}.")  # checked with all others
    several = [name for name in where if name.endswith(f".{key}")]
    if several:
        raise ParameterError(f"{slot}.{key}: several have it; say {' or '.join(f'{slot}.{name}' for name in several)}.")
    has = f"They have {', '.join(where)}." if where else "They have none."
    names = "+".join(candidate.name for candidate in candidates) or "none"
    raise ParameterError(f"{slot}.{key}: none of the {kind}s {names} has a parameter {key!r}. {has}")


def expand_short(layer: Overrides) -> Overrides:
    """Return a layer with what is short for something else written out."""
    long = {SHORT_NAMES.get(key, key): value for key, value in layer.items() if key not in SHORTHANDS}
    if type(layer.get("threads")) is int:
        long["threads"] = str(layer["threads"])
    if "labels" in layer:
        if any(key.partition(".")[0] == "noise" and key != "noise.which" for key in layer):
            raise ParameterError(
                "labels: labels from a file are the noise of a run; leave --noise and its parameters out."
            )
        long |= {"noise": "stored", "noise.file": layer["labels"]}
    return long


def require_text(slot: str, value: object) -> str:
    if not isinstance(value, str):
        what = slots()[slot][1].name if slot in slots() else slot
        raise ParameterError(f"{slot} = {value}: must be the name of a {what}, as text.")
    return value
