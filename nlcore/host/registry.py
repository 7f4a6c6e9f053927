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

from nlcore.errors import PluginError, UserError, did_you_mean, plural
from nlcore.host import suggest
from nlcore.host.discovery import Entry, Plugin, discover, reason
from nlcore.host.hookspecs import BUILTIN, KINDS, component_kinds
from nlcore.host.plugin_file import forget, plugin_files
from nlcore.host.selection import Selected
from nlcore.parameters import Parameter, check_parameters, parameters_of

__all__ = ["Entry", "Plugin", "Registry", "registry"]


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
        if kind not in KINDS:
            kinds = component_kinds()
            raise UserError(f"There is no kind {kind!r}.{did_you_mean(kind, kinds)} Kinds are {', '.join(kinds)}.")
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
            names_of = {one: [self.display_name(entry) for entry in self.of_kind(one)] for one in KINDS}
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
        Import a component's class and check that it fits its kind.

        Raises:
            PluginError: it cannot be imported, is no class, or lacks what its kind requires. A built-in's own error
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
            name for name in KINDS[entry.kind].required if name not in own or not callable(getattr(target, name))
        ]
        if lacking:
            raise PluginError(f"The {who} does not fit its kind: it has no method {', '.join(lacking)}.")
        return target

    def signature(self, entry: Entry) -> tuple[type, dict[str, Parameter]]:
        """
        Return a component's class and the parameters that it declares.

        Raises:
            UserError: a plugin that does not work.

        """
        cls = self.load(entry)
        try:
            return cls, parameters_of(cls)
        except TypeError as error:
            who = f"The {entry.kind} {entry.full_name}"
            raise PluginError(f"{who} declares its parameters wrongly: {error}.") from error

    def select(
        self,
        entry: Entry,
        params: Mapping[str, object],
        slot: str,
        name: str,
        suggested: Mapping[str, object] = {},
        otherwise: Mapping[str, object] = {},
    ) -> Selected:
        """
        Return a component with these parameters, checked, and the defaults of the others.

        Args:
            entry: the component.
            params: by name, those that are suggested included.
            slot: begins the messages, as in ``loss.q = 2``.
            name: what users call the component.
            suggested: the values that would hold had the user said nothing.
            otherwise: those that would hold without what was said last, where they differ from these; for messages.

        Raises:
            UserError: an unknown parameter, a wrong value, or a plugin that does not work.

        """
        cls, declared = self.signature(entry)
        usual = check_parameters(declared, suggested, slot, entry.kind, name)
        checked = check_parameters(declared, params, slot, entry.kind, name, {**usual, **otherwise})
        made = construct(entry, cls, checked)
        complete = {key: checked.get(key, item.default) for key, item in declared.items()}
        usual = {key: usual.get(key, item.default) for key, item in declared.items()}
        said = [key for key in checked if usual[key] is None and checked[key] is not None]
        unsaid = construct(entry, cls, {k: v for k, v in checked.items() if k not in said}) if said else made
        for key, item in declared.items():  # a component may settle what is none
            if complete[key] is None:
                complete[key] = _settled(made, key, item)
            if usual[key] is None:
                usual[key] = _settled(unsaid, key, item)
        return Selected(entry, name, cls, declared, complete, usual, [made])

    def create(self, kind: str, name: str, params: Mapping[str, object] | None = None) -> Any:
        """
        Return a component with these parameters; the others have their defaults.

        Raises:
            UserError: unknown name or parameter, a wrong value, or a plugin that does not work.

        """
        return self.select(self.find(kind, name), params or {}, kind, name).create()

    def with_parameters(self, kind: str, component: Any, params: Mapping[str, object]) -> Any:
        """
        Return a component like this one with other values for some of its parameters.

        Raises:
            UserError: an unknown parameter or a wrong value.

        """
        declared = parameters_of(type(component))
        cls = type(component)
        name = next((entry.name for entry in self.of_kind(kind) if self.is_loaded(entry, cls)), cls.__name__)
        checked = check_parameters(declared, params, kind, kind, name)
        return type(component)(**{key: checked.get(key, getattr(component, key)) for key in declared})

    @staticmethod
    def is_loaded(entry: Entry, cls: type) -> bool:
        """Tell whether an entry's target is this class, without importing anything."""
        return entry.component.target == f"{cls.__module__}:{cls.__qualname__}"

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


def load_anew(file: str) -> None:
    """
    Use a single file as a plugin from here on, as it is now: one that was edited since it was loaded is loaded again.

    Args:
        file: its absolute path.

    Raises:
        PluginError: it cannot be loaded; then it is no plugin any more, and all others still are.

    """
    forget(file)
    _registry.cache_clear()
    others = [other for other in plugin_files() if other != file]
    os.environ["NL_PLUGIN_PATH"] = os.pathsep.join([*others, file])
    try:
        registry()
    except BaseException:
        os.environ["NL_PLUGIN_PATH"] = os.pathsep.join(others)
        raise


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


def _settled(made: Any, key: str, item: Parameter) -> Any:
    value = getattr(made, key, None)
    return value if type(value) is item.type else None


def construct(entry: Entry, cls: type, params: Mapping[str, Any]) -> Any:
    """
    Return an instance.

    Raises:
        UserError: the component's own check, across parameters, refuses them.
        PluginError: a third party's constructor fails otherwise.

    """
    try:
        return cls(**params)
    except UserError:
        raise
    except ValueError as error:
        raise UserError(f"{entry.kind} {entry.name}: {error}") from error
    except Exception as error:
        if entry.builtin:
            raise
        who = f"{entry.kind} {entry.full_name} (version {entry.version})"
        raise PluginError(f"The {who} cannot be made: {reason(error)}.") from error
