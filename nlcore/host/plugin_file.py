"""A single file as a plugin, loaded as a module that is called like it."""

from __future__ import annotations

import importlib.util
import os
import sys
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType

from nlcore.errors import PluginError
from nlcore.host.hookspecs import BUILTIN
from nlcore.textfiles import expand_home


def plugin_files() -> tuple[str, ...]:
    """Return the files that ``NL_PLUGIN_PATH`` asks for, as absolute paths, each once."""
    given = os.environ.get("NL_PLUGIN_PATH", "").split(os.pathsep)
    return tuple(dict.fromkeys(str(expand_home(file).absolute()) for file in given if file))


def forget(file: str) -> None:
    """Let a file be loaded anew the next time, as it may have been edited since."""
    known = sys.modules.get(Path(file).stem)
    if known and _is_at(known.__spec__, Path(file)):
        del sys.modules[known.__name__]


def load_file(file: str) -> ModuleType:
    """
    Import a single file as a module that is called like it.

    Raises:
        PluginError: there is no such file, or its name cannot be a module's or is another one's.

    """
    path = Path(file)
    name = path.stem
    if not path.is_file():
        raise PluginError("there is no such file")
    if not name.isidentifier() or path.suffix != ".py":
        raise PluginError("its name must be letters, digits and _ with .py: it becomes the name of a module")
    known = sys.modules.get(name)
    other = known.__spec__ if known else importlib.util.find_spec(name)
    if name.lower() == BUILTIN or ((known or other) and not _is_at(other, path)):
        place = f" ({other.origin})" if other and other.origin else ""
        raise PluginError(f"there is another module {name!r}{place}; rename the file")
    if known:  # loaded before in this process: its classes stay the same ones
        return known
    loader = _FreshLoader(name, str(path))
    module = importlib.util.module_from_spec(ModuleSpec(name, loader, origin=str(path)))
    module.__file__ = str(path)
    sys.modules[name] = module
    try:
        loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _is_at(spec: ModuleSpec | None, path: Path) -> bool:
    origin = spec.origin if spec else None
    return origin is not None and os.path.exists(origin) and os.path.samefile(origin, path)


class _FreshLoader(SourceFileLoader):
    """Compiles a file each time: a cached one is told from an edited one by the second and the size only."""

    def get_code(self, fullname: str) -> CodeType:
        return self.source_to_code(self.get_data(self.path), self.path)
