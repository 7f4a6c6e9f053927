"""Components by name: looking them up, what happens where names collide, and creating them."""

from __future__ import annotations

import functools
import importlib
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nlcore import contracts
from nlcore.errors import PluginError, UserError, did_you_mean, plural
from nlcore.host import hookspecs, suggest
from nlcore.host.discovery import Entry, Plugin, discover, reason
from nlcore.host.hookspecs import BUILTIN
from nlcore.host.plugin_file import plugin_files
from nlcore.parameters import Parameter, check_parameters, parameters_of

__all__ = ["KINDS", "Entry", "Plugin", "Registry", "registry"]

#: The kinds of component, in the order in which a run uses them.
KINDS = tuple(kind for kind in hookspecs.HOOKS if kind != "preset")


@dataclass(frozen=True)
class Registry:
    """All plugins that were found, and their components by name."""

    plugins: tuple[Plugin, ...]

    @property
    def entries(self) -> tuple[Entry, ...]:
        """What all plugins bring: components and presets."""
        return tuple(entry for plugin in self.plugins for entry in plugin.entries)

    @property
    def failures(self) -> tuple[Plugin, ...]:
        """The plugins that were skipped."""
        return tuple(plugin for plugin in self.plugins if plugin.state == "failed")

    def of_kind(self, kind: str) -> list[Entry]:
        """
        Return the entries of one kind, built-ins first, in the order of their names (numbers by value).

        Raises:
            UserError: there is no such kind.

        """
        if kind not in hookspecs.HOOKS:
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
            names_of = {one: [self.display_name(entry) for entry in self.of_kind(one)] for one in hookspecs.HOOKS}
            raise UserError(
                f"There is no {kind} {name!r}.{suggest.component(kind, name, names_of)} "
                f"'{'nl presets' if kind == 'preset' else f'nl list-plugins --kind {kind}'}' lists all."
                + self._failed()
            )
        return found[0]

    def display_name(self, entry: Entry) -> str:
        """Return the shortest name that means `entry`: the bare one, unless another component owns or shares it."""
        alike = [other for other in self.of_kind(entry.kind) if other.name == entry.name]
        return entry.name if entry.builtin or len(alike) == 1 else entry.full_name

    def file_of(self, entry: Entry) -> str:
        """Return the single file that brought a component, an empty string where a package did."""
        return next(plugin.file for plugin in self.plugins if entry in plugin.entries)

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
            raise PluginError(f"The {who} cannot be imported: {reason(error)}.") from error
        if not isinstance(target, type):
            raise PluginError(f"The {who} is no class.")
        own = {name for base in target.__mro__ for name in vars(base)}  # not type's: every class can be called
        lacking = [
            name for name in contracts.REQUIRED[entry.kind] if name not in own or not callable(getattr(target, name))
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
        return f" {plural(count, 'plugin')} failed to load." if count else ""


def registry() -> Registry:
    """
    Return the registry of this environment; plugins are loaded on the first call.

    ``NL_PLUGINS`` allows (``a,b``) or blocks (``-a``) distributions by name before anything of them is imported; the
    built-ins always load, and so do the files in ``NL_PLUGIN_PATH``. With ``NL_STRICT=1`` a plugin that fails raises
    instead of being skipped.

    Raises:
        PluginError: a file in ``NL_PLUGIN_PATH`` that cannot be loaded.

    """
    strict = os.environ.get("NL_STRICT", "") == "1"
    return _registry(os.environ.get("NL_PLUGINS", ""), plugin_files(), strict, tuple(sys.path))


@functools.lru_cache(maxsize=8)
def _registry(choice: str, files: tuple[str, ...], strict: bool, path: tuple[str, ...]) -> Registry:
    found = Registry(discover(choice, files))
    for plugin in found.failures:
        assert plugin.error is not None
        if strict or plugin.distribution == BUILTIN:
            raise plugin.error
        if plugin.file:  # it was asked for: going on without it is not what was meant
            more = "" if isinstance(plugin.error, PluginError) else " 'nl --plugin FILE doctor --traceback' shows more."
            raise PluginError(
                f"The plugin file {plugin.file} cannot be loaded: {plugin.reason}.{more}"
            ) from plugin.error
    for plugin in found.failures:
        print(plugin, file=sys.stderr)
    return found


def _natural(name: str) -> list[tuple[str, int]]:
    return [(word, int(number or 0)) for word, number in re.findall(r"([^0-9]*)([0-9]*)", name)]
