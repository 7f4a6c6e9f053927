"""Which components fill the slots of a run, and with which parameters: what is suggested, below what is said."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from nlcore.config.recipe import Overrides, check_names
from nlcore.config.settings import SHORT_NAMES
from nlcore.errors import ParameterError
from nlcore.host.discovery import Entry
from nlcore.host.hookspecs import slots
from nlcore.host.registry import Registry
from nlcore.host.selection import Selection, addresses
from nlcore.parameters import Parameter


def suggestions(known: Registry, layers: Sequence[Overrides]) -> tuple[Overrides, ...]:
    """
    Return the layers that the chosen components suggest, the strongest last.

    What one component suggests may choose another, which has suggestions of its own; so the choice is made again until
    nothing changes.
    """
    found: tuple[Overrides, ...] = ()
    for _ in range(len(slots())):
        names = names_of(known, (*found, *layers))
        found_now = tuple(_suggested_by(known, slot, name) for slot, name in _weakest_first(names))
        if found_now == found:
            break
        found = found_now
    return found


def _weakest_first(names: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield the choices in the order in which their suggestions count: the dataset's last."""
    yield from ((slot, name) for slot, name in names.items() if slot != "dataset")
    yield "dataset", names["dataset"]


def _suggested_by(known: Registry, slot: str, name: str) -> Overrides:
    _, kind = slots()[slot]
    merged: dict[str, object] = {}
    for entry in _entries(known, slot, name):
        defaults: Overrides = getattr(known.load(entry), "defaults", {})
        check_names(defaults)
        merged |= expand_short(defaults)
    return {key: value for key, value in merged.items() if key != kind.name}


def names_of(known: Registry, layers: Sequence[Overrides]) -> dict[str, str]:
    """Return the component that is chosen for each slot, by the shortest name that means it."""
    chosen = {slot: row.default for slot, (row, _) in slots().items()}
    for layer in layers:
        chosen |= {slot: require_text(slot, layer[slot]) for slot in chosen if slot in layer}
    return {slot: _display(known, slot, name) for slot, name in chosen.items()}


def _display(known: Registry, slot: str, name: str) -> str:
    return "+".join(known.display_name(entry) for entry in _entries(known, slot, name)) or "none"


def _entries(known: Registry, slot: str, name: str) -> list[Entry]:
    """Return the components that a name means: several where the kind chains, none for a slot that may be empty."""
    _, kind = slots()[slot]
    if not kind.chains:
        return [known.find(kind.name, name)]
    if not kind.decides and name == "none":
        return []
    return [known.find(kind.name, part.strip()) for part in name.split("+")]


@dataclass(frozen=True)
class _Candidate:
    """A component of a slot on its way to being selected."""

    entry: Entry
    name: str
    declared: Mapping[str, Parameter]


def select(
    known: Registry, slot: str, name: str, suggested_layers: Sequence[Overrides], layers: Sequence[Overrides]
) -> Selection:
    """Check a slot's parameters and complete them: what is suggested where it fits, then defaults."""
    _, kind = slots()[slot]
    candidates = tuple(
        _Candidate(entry, known.display_name(entry), known.signature(entry)[1]) for entry in _entries(known, slot, name)
    )
    where = addresses(candidates)
    given: list[dict[str, object]] = [{} for _ in candidates]
    for layer in suggested_layers:
        for key, value in _fitting(known, layer, slot, kind.name, name).items():
            for number, candidate in enumerate(candidates):
                if key in candidate.declared:
                    given[number][key] = value
    suggested = [dict(one) for one in given]
    for key, value in _given_for(known, layers, slot, name).items():
        number, inner = _address(where, candidates, slot, kind.name, key)
        given[number][inner] = value
    return Selection(
        slot,
        tuple(
            known.select(candidate.entry, params, slot, candidate.name, usual)
            for candidate, params, usual in zip(candidates, given, suggested, strict=True)
        ),
    )


def _fitting(known: Registry, layer: Overrides, slot: str, kind: str, name: str) -> dict[str, object]:
    """
    Return the parameters that a suggestion has for a slot; one for a kind is for all its slots.

    Those that come with a component's name are for that component. So are rates, which mean another thing to another
    optimiser: without a name they are for the usual one.
    """
    meant = layer.get(slot, slots()[slot][0].default if slot == "optimizer" else None)
    if meant is not None and _display(known, slot, str(meant)) != name:
        return {}
    return {
        key.removeprefix(f"{prefix}."): value
        for prefix in dict.fromkeys((kind, slot))
        for key, value in layer.items()
        if key.startswith(f"{prefix}.")
    }


def _given_for(known: Registry, layers: Sequence[Overrides], slot: str, name: str) -> dict[str, object]:
    """Return the parameters that the layers give for a slot, without those for another component."""
    given: dict[str, object] = {}
    current: str | None = None
    for layer in layers:
        if slot in layer:
            now = _display(known, slot, str(layer[slot]))
            if now != current:
                current, given = now, {}
        prefix = f"{slot}."
        given |= {key.removeprefix(prefix): value for key, value in layer.items() if key.startswith(prefix)}
    return given


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
    long = {SHORT_NAMES.get(key, key): value for key, value in layer.items() if key not in ("labels", "preset")}
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
