"""
Finding plugins and creating components by name.

Plugins are loaded one entry point at a time, so that one that fails takes nothing else down: pluggy's own loader stops
at the first failure and drops the second of two distributions with the same entry-point name. Each plugin is
registered with a pluggy manager of its own, which validates its hooks; a failed one leaves nothing behind.
"""

from __future__ import annotations

import functools
import importlib
import os
import re
import sys
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from types import ModuleType
from typing import Any

import pluggy

from nlcore import hookspecs, roles
from nlcore.components import Component, Parameter, check_parameters, parameters_of
from nlcore.errors import PluginError, UserError, did_you_mean

GROUP = "nlcore"
BUILTIN = "nlcore"  # the distribution whose components own the bare names

KINDS = tuple(hookspecs.HOOKS)


@dataclass(frozen=True)
class Entry:
    """A registered component: what kind it is and who brought it."""

    kind: str
    component: Component
    distribution: str
    version: str

    @property
    def name(self) -> str:
        """The component's bare name."""
        return self.component.name

    @property
    def full_name(self) -> str:
        """The name that is never ambiguous, ``distribution/name``."""
        return f"{self.distribution}/{self.name}"

    @property
    def builtin(self) -> bool:
        """Whether it came with nlcore."""
        return self.distribution == BUILTIN


@dataclass(frozen=True)
class Failure:
    """A plugin that was skipped, and why."""

    distribution: str
    version: str
    entry_point: str
    reason: str
    traceback: str

    def __str__(self) -> str:
        """One line for the terminal."""
        return (
            f"nlcore: skipped plugin {self.entry_point!r} of {self.distribution} {self.version}: {self.reason} "
            "(NL_STRICT=1 shows the traceback)"
        )


@dataclass(frozen=True)
class Registry:
    """All components that were found, and the plugins that failed."""

    entries: tuple[Entry, ...]
    failures: tuple[Failure, ...]

    def of_kind(self, kind: str) -> list[Entry]:
        """
        Return the entries of one kind, built-ins first, in the order of their names (numbers by value).

        Raises:
            UserError: there is no such kind.

        """
        if kind not in KINDS:
            raise UserError(f"There is no kind {kind!r}.{did_you_mean(kind, KINDS)} Kinds are {', '.join(KINDS)}.")
        found = [entry for entry in self.entries if entry.kind == kind]
        return sorted(found, key=lambda entry: (not entry.builtin, _natural(entry.name), entry.distribution))

    def find(self, kind: str, name: str) -> Entry:
        """
        Look a component up by its bare name or its full name.

        Raises:
            UserError: there is none of that name, or two third parties share it.

        """
        entries = self.of_kind(kind)
        if "/" in name:
            found = [entry for entry in entries if entry.full_name == name]
        else:
            found = [entry for entry in entries if entry.name == name]
            found = [entry for entry in found if entry.builtin] or found
        if len(found) > 1:
            names = " or ".join(entry.full_name for entry in found)
            raise UserError(f"Several plugins have a {kind} {name!r}. Say which: {names}.")
        if not found:
            raise UserError(
                f"There is no {kind} {name!r}.{did_you_mean(name, (self.display_name(entry) for entry in entries))} "
                f"'nl list-plugins --kind {kind}' lists all." + self._failed()
            )
        return found[0]

    def display_name(self, entry: Entry) -> str:
        """Return the shortest name that means `entry`: the bare one, unless another component owns or shares it."""
        alike = [other for other in self.of_kind(entry.kind) if other.name == entry.name]
        return entry.name if entry.builtin or len(alike) == 1 else entry.full_name

    def load(self, entry: Entry) -> type:
        """
        Import a component's class and check that it fits its role.

        Raises:
            PluginError: it cannot be imported, is no class, or lacks what its role requires. A built-in's own error
                is raised as it is.

        """
        module, _, path = entry.component.target.partition(":")
        who = f"{entry.kind} {entry.full_name} ({entry.component.target}, version {entry.version})"
        try:
            target: Any = importlib.import_module(module)
            for part in path.split("."):
                target = getattr(target, part)
        except (Exception, SystemExit) as error:
            if entry.builtin:
                raise
            raise PluginError(f"The {who} cannot be imported: {_reason(error)}.") from error
        if not isinstance(target, type):
            raise PluginError(f"The {who} is no class.")
        own = {name for base in target.__mro__ for name in vars(base)}  # not type's: every class can be called
        lacking = [
            name for name in roles.REQUIRED[entry.kind] if name not in own or not callable(getattr(target, name))
        ]
        if lacking:
            raise PluginError(f"The {who} does not fit its role: it has no method {', '.join(lacking)}.")
        return target

    def declared(self, kind: str, name: str) -> tuple[type, dict[str, Parameter]]:
        """
        Return a component's class and the parameters that it declares.

        Raises:
            UserError: unknown name, or a plugin that does not work.

        """
        entry = self.find(kind, name)
        cls = self.load(entry)
        try:
            return cls, parameters_of(cls)
        except TypeError as error:
            raise PluginError(f"The {kind} {entry.full_name} declares its parameters wrongly: {error}.") from error

    def create(self, kind: str, name: str, params: Mapping[str, object] | None = None) -> Any:
        """
        Return a component with these parameters; the others have their defaults.

        Raises:
            UserError: unknown name or parameter, a wrong value, or a plugin that does not work.

        """
        cls, _ = self.declared(kind, name)
        checked = check_parameters(cls, params or {}, kind, name)
        try:
            return cls(**checked)
        except ValueError as error:  # a component's own check, across parameters
            raise UserError(f"{kind} {name}: {error}") from error

    def _failed(self) -> str:
        count = len(self.failures)
        return f" {count} plugin{'s' * (count > 1)} failed to load." if count else ""


def registry() -> Registry:
    """
    Return the registry of this environment; plugins are loaded on the first call.

    ``NL_PLUGINS`` allows (``a,b``) or blocks (``-a``) distributions by name before anything of them is imported; the
    built-ins always load. With ``NL_STRICT=1`` a plugin that fails raises instead of being skipped.
    """
    return _discover(os.environ.get("NL_PLUGINS", ""), os.environ.get("NL_STRICT", "") == "1", tuple(sys.path))


@functools.lru_cache(maxsize=8)
def _discover(choice: str, strict: bool, path: tuple[str, ...]) -> Registry:
    entries: list[Entry] = []
    failures: list[Failure] = []
    for point in _entry_points(choice):
        distribution, version = _owner(point)
        try:
            entries += _components(point.load(), distribution, version)
        except (Exception, SystemExit) as error:
            if strict or distribution == BUILTIN:
                raise
            text = "".join(traceback.format_exception(error))
            failures.append(Failure(distribution, version, point.name, _reason(error), text))
    for failure in failures:
        print(failure, file=sys.stderr)
    return Registry(tuple(entries), tuple(failures))


def _entry_points(choice: str) -> Iterator[metadata.EntryPoint]:
    """Yield the entry points that `choice` lets through, the built-ins' first."""
    words = [word.strip() for word in choice.split(",") if word.strip()]
    blocked = {_normal(word[1:]) for word in words if word.startswith("-")}
    allowed = {_normal(word) for word in words if not word.startswith("-")}
    points = sorted(metadata.entry_points(group=GROUP), key=lambda point: (*_owner(point), point.name))
    yield from (point for point in points if _owner(point)[0] == BUILTIN)
    for point in points:
        name = _owner(point)[0]
        if name != BUILTIN and name not in blocked and (not allowed or name in allowed):
            yield point


def _owner(point: metadata.EntryPoint) -> tuple[str, str]:
    """Return distribution and version; what an interrupted (un)installation left behind may have neither."""
    try:
        about: Any = point.dist.metadata if point.dist else {}
        return _normal(about["Name"]), about["Version"] or "?"
    except (KeyError, TypeError, OSError):
        return "unknown", "?"


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _natural(name: str) -> list[tuple[str, int]]:
    return [(word, int(number or 0)) for word, number in re.findall(r"([^0-9]*)([0-9]*)", name)]


def _components(plugin: object, distribution: str, version: str) -> list[Entry]:
    """Register one plugin and return its components, or raise with the reason why it cannot be used."""
    if not isinstance(plugin, ModuleType):
        raise PluginError("its entry point is no module")
    api = getattr(plugin, "NLCORE_API", None)
    if api != hookspecs.NLCORE_API:
        said = "does not state NLCORE_API" if api is None else f"was written for NLCORE_API = {api!r}"
        raise PluginError(f"it {said}; this is NLCORE_API = {hookspecs.NLCORE_API}")
    manager = pluggy.PluginManager("nlcore")
    manager.add_hookspecs(hookspecs)
    manager.register(plugin)
    known = hookspecs.HOOKS.values()
    misspelt = [name for name in vars(plugin) if name not in known and _is_hook(vars(plugin)[name])]
    if misspelt:
        raise PluginError(f"there is no hook {misspelt[0]!r}.{did_you_mean(misspelt[0], known)}")
    unmarked = [name for name in known if callable(value := vars(plugin).get(name)) and not _is_hook(value)]
    if unmarked:
        raise PluginError(f"{unmarked[0]} is not marked @hookimpl")
    if not manager.get_hookcallers(plugin):
        raise PluginError("it implements no hook (each must be marked @hookimpl)")
    entries: list[Entry] = []
    for kind, hook in hookspecs.HOOKS.items():
        for implementation in getattr(manager.hook, hook).get_hookimpls():
            returned = implementation.function()  # pluggy's own call drops None, which is a forgotten return
            if not isinstance(returned, list) or not all(isinstance(item, Component) for item in returned):
                raise PluginError(f"{hook} returned {returned!r:.60}, not a list of Component")
            entries += [Entry(kind, component, distribution, version) for component in returned]
    names = [(entry.kind, entry.name) for entry in entries]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise PluginError(f"it has two components of kind {twice[0]} named {twice[1]!r}")
    return entries


def _is_hook(value: object) -> bool:
    return callable(value) and hasattr(value, "nlcore_impl")


def _reason(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return text if isinstance(error, PluginError) else f"{type(error).__name__}: {text}"
