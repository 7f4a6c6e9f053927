"""
Finding and loading plugins: installed distributions and single files.

Plugins are loaded one at a time, so that one that fails takes nothing else down: pluggy's own loader stops at the first
failure and drops the second of two distributions with the same entry-point name. Each plugin is registered with a
pluggy manager of its own, which validates its hooks; a failed one leaves nothing behind.
"""

from __future__ import annotations

import functools
import json
import re
import subprocess
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any

import pluggy

from nlcore.errors import PluginError, did_you_mean
from nlcore.host import hookspecs
from nlcore.host.hookspecs import BUILTIN, Component
from nlcore.host.plugin_file import load_file

GROUP = "nlcore"


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
class Plugin:
    """
    One plugin and what became of it.

    Attributes:
        distribution: the package that it is part of; of a single file, the file's name without ``.py``.
        version: the package's version; ``file`` of a single file.
        entry_point: the name of its entry point.
        module: the module with its hooks.
        file: the single file that it is, or empty.
        blocked: whether ``NL_PLUGINS`` leaves it out; then nothing of it was imported.
        api: what it states as ``NLCORE_API``.
        entries: its components.
        error: why it cannot be used.

    """

    distribution: str
    version: str
    entry_point: str
    module: str
    file: str = ""
    blocked: bool = False
    api: object = None
    entries: tuple[Entry, ...] = ()
    error: BaseException | None = None

    @property
    def state(self) -> str:
        """``ok``, ``failed`` or ``blocked``."""
        return "blocked" if self.blocked else "ok" if self.error is None else "failed"

    @property
    def reason(self) -> str:
        """Why it cannot be used, in one line."""
        return "" if self.error is None else reason(self.error)

    @property
    def traceback(self) -> str:
        """The traceback of what made it fail."""
        return "" if self.error is None else "".join(traceback.format_exception(self.error))

    def __str__(self) -> str:
        """One line for the terminal, of a plugin that failed."""
        return (
            f"nlcore: skipped plugin {self.entry_point!r} of {self.distribution} {self.version}: {self.reason} "
            "('nl doctor --traceback' shows more)"
        )


def discover(choice: str, files: Sequence[str]) -> tuple[Plugin, ...]:
    """
    Load all plugins and return what became of each, the built-ins first. One that fails raises nothing.

    Args:
        choice: which distributions to load, as in ``NL_PLUGINS``; the built-ins and `files` always are.
        files: the single files to load.

    """
    words = [word.strip() for word in choice.split(",") if word.strip()]
    blocked = {canonical_name(word[1:]) for word in words if word.startswith("-")}
    allowed = {canonical_name(word) for word in words if not word.startswith("-")}
    plugins = []
    for point in metadata.entry_points(group=GROUP):
        name, version = _owner(point)
        wanted = name == BUILTIN or (name not in blocked and (not allowed or name in allowed))
        plugins.append((Plugin(name, version, point.name, point.value, blocked=not wanted), point.load))
    plugins.sort(key=lambda one: (one[0].distribution != BUILTIN, *_sort_key(one[0])))
    for file in files:
        stem = Path(file).stem
        plugins.append((Plugin(canonical_name(stem), "file", stem, stem, file), functools.partial(load_file, file)))
    return tuple(plugin if plugin.blocked else _loaded(plugin, load) for plugin, load in plugins)


def import_cost(plugin: Plugin) -> tuple[float, bool]:
    """
    Return how many seconds importing a plugin's hooks takes, and whether that imports torch.

    It is done in a process of its own, where nothing has imported torch yet. nlcore is there already, as in every
    command, so what is measured is the plugin's own.

    Raises:
        PluginError: it cannot be imported there.

    """
    return _import_cost(plugin.module, plugin.file, tuple(sys.path))


_IMPORT = """
import importlib, json, sys, time
sys.path[:], module, file = json.loads(sys.argv[1])
from nlcore.host.plugin_file import load_file
start = time.perf_counter()
load_file(file) if file else importlib.import_module(module)
seconds = time.perf_counter() - start
print()
print(json.dumps([seconds, "torch" in sys.modules]))
"""


@functools.lru_cache(maxsize=8)
def _import_cost(module: str, file: str, path: tuple[str, ...]) -> tuple[float, bool]:
    command = [sys.executable, "-c", _IMPORT, json.dumps([path, module, file])]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
        seconds, imports_torch = json.loads(done.stdout.splitlines()[-1])
    except subprocess.CalledProcessError as error:
        raise PluginError(f"it cannot be imported in a process of its own: {error.stderr.strip()[-300:]}") from error
    except (subprocess.SubprocessError, ValueError) as error:
        raise PluginError(f"importing it in a process of its own gave no answer: {reason(error)}") from error
    return float(seconds), bool(imports_torch)


def _loaded(plugin: Plugin, load: Callable[[], object]) -> Plugin:
    """Return the plugin with its components, or with the error why there are none."""
    module: object = None
    try:
        module = load()
        entries = _components(module, plugin.distribution, plugin.version)
    except (Exception, SystemExit) as error:
        if plugin.file and module is not None:  # so that it is read again when it has been corrected
            sys.modules.pop(plugin.module, None)
        return replace(plugin, api=getattr(module, "NLCORE_API", None), error=error)
    return replace(plugin, api=getattr(module, "NLCORE_API", None), entries=tuple(entries))


def _owner(point: metadata.EntryPoint) -> tuple[str, str]:
    """Return distribution and version; what an interrupted (un)installation left behind may have neither."""
    try:
        about: Any = point.dist.metadata if point.dist else {}
        return canonical_name(about["Name"]), about["Version"] or "?"
    except (KeyError, TypeError, OSError):
        return "unknown", "?"


def _sort_key(plugin: Plugin) -> tuple[str, str, str]:
    return plugin.distribution, plugin.version, plugin.entry_point


def canonical_name(name: str) -> str:
    """Return a distribution's name as PEP 503 compares them."""
    return re.sub(r"[-_.]+", "-", name).lower()


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
    known = [kind.hook for kind in hookspecs.KINDS.values()]
    misspelt = [name for name in vars(plugin) if name not in known and _is_hook(vars(plugin)[name])]
    if misspelt:
        raise PluginError(f"there is no hook {misspelt[0]!r}.{did_you_mean(misspelt[0], known)}")
    unmarked = [name for name in known if callable(value := vars(plugin).get(name)) and not _is_hook(value)]
    if unmarked:
        raise PluginError(f"{unmarked[0]} is not marked @hookimpl")
    if not manager.get_hookcallers(plugin):
        raise PluginError("it implements no hook (each must be marked @hookimpl)")
    entries: list[Entry] = []
    for kind, hook in ((kind.name, kind.hook) for kind in hookspecs.KINDS.values()):
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


def reason(error: BaseException) -> str:
    """Return an error in one line; what is not said by nlcore itself begins with its class."""
    text = " ".join(str(error).split())
    return text if isinstance(error, PluginError) else f"{type(error).__name__}: {text}"
