"""
The fingerprint of a run: everything that determines its result.

That is the configuration, the code of the methods, the files they read, the data and the labels. Its digest is part of
a run directory's name: the same command finds the same run again, and one with an edited loss, another version or other
labels gets a run of its own. Where data lie is no part of it: they are named by content.
"""

from __future__ import annotations

import functools
import hashlib
import inspect
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from nlcore.config.experiment import Experiment
from nlcore.config.recipe import flat_recipe, with_all_settings
from nlcore.config.settings import FILES
from nlcore.data.run_data import RunData
from nlcore.host.selection import Selected
from nlcore.training.pretrained import pretrained_file
from nlcore.version import __version__

#: Slots and settings whose files show in the data and labels that they lead to.
_BY_CONTENT = ("dataset", "noise", "exclude")


def fingerprint(experiment: Experiment, data: RunData) -> dict[str, Any]:
    """Return all that decides a run's result, as JSON values."""
    return {
        "nlcore": __version__,
        "config": _config(experiment),
        "components": {slot: _components(choice.parts) for slot, choice in experiment.deciding.items()},
        "files_sha256": _files_sha256(experiment),
        "dataset_sha256": data.fingerprint,
        "labels_sha256": data.labels_sha256,
    }


def digest(fingerprint: dict[str, Any]) -> str:
    """Return eight hexadecimal digits of the SHA-256 over a fingerprint."""
    return hashlib.sha256(json.dumps(fingerprint, sort_keys=True).encode()).hexdigest()[:8]


def differences(stored: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Return in words what differs between a stored fingerprint and the present one."""
    before, after = (with_all_settings(flat_recipe(one["config"])) for one in (stored, now))
    found = [
        f"{key} is {before.get(key)} there, {after.get(key)} here"
        for key in sorted({*before, *after})
        if before.get(key) != after.get(key)
    ]
    for slot, parts in now["components"].items():
        for what, word in (("version", "version"), ("source_sha256", "source code")):
            there = [part[what] for part in stored["components"].get(slot, [])]
            if there != [part[what] for part in parts]:
                found.append(f"the {word} of the {slot} {'+'.join(part['name'] for part in parts)}")
    files = {*stored.get("files_sha256", {}), *now["files_sha256"]}
    found += [
        f"the file of {name}"
        for name in sorted(files)
        if stored.get("files_sha256", {}).get(name) != now["files_sha256"].get(name)
    ]
    for what, word in (("dataset_sha256", "the data"), ("labels_sha256", "the labels"), ("nlcore", "nlcore's version")):
        if stored[what] != now[what]:
            found.append(word)
    return found


def source_files(experiment: Experiment) -> list[Path]:
    """Return the files of code that decide a run's result: of its components, and what these use of their package."""
    found: dict[Path, None] = {}
    for choice in experiment.deciding.values():
        for part in choice.parts:
            found |= dict.fromkeys(_sources(part.cls))
    return list(found)


def named_files(experiment: Experiment) -> dict[str, Path]:
    """Return the files that are named: by parameters, as ``slot.parameter``, by settings, and by the architecture."""
    given = {name: getattr(experiment.settings, name) for name in FILES}
    found = {name: Path(place) for name, place in given.items() if place is not None}
    for slot, choice in experiment.deciding.items():
        for key, (part, name) in choice.addresses().items():
            value = part.params[name]
            item = part.declared[name]
            if item.path and isinstance(value, str) and value not in item.keywords and Path(value).exists():
                found[f"{slot}.{key}"] = Path(value)
    weights = pretrained_file(experiment)
    if weights is not None and weights not in found.values():
        found["architecture.weights"] = weights
    return found


def _config(experiment: Experiment) -> dict[str, Any]:
    """Return the configuration without the paths of files that are named by their content."""
    config = experiment.config()
    for name in FILES:
        if getattr(experiment.settings, name) is not None:
            config[name] = "(by content)"
    for slot, choice in experiment.deciding.items():
        for key, (part, name) in choice.addresses().items():
            value = part.params[name]
            if part.declared[name].path and value is not None and value not in part.declared[name].keywords:
                config[slot] = {**config[slot], key: "(by content)"}
    return config


def _components(parts: tuple[Selected, ...]) -> list[dict[str, Any]]:
    return [
        {"name": part.entry.full_name, "version": part.entry.version, "source_sha256": source_sha256(part.cls)}
        for part in parts
    ]


def _files_sha256(experiment: Experiment) -> dict[str, str]:
    """Return the hash of each file that a method reads. What datasets and noise read shows in data and labels."""
    return {
        name: hashlib.sha256(file.read_bytes()).hexdigest()
        for name, file in named_files(experiment).items()
        if name.partition(".")[0] not in _BY_CONTENT and file.is_file()
    }


@functools.lru_cache(maxsize=64)
def source_sha256(cls: type) -> str | None:
    """Return the hash of a component's source: its own file, then the others of its package that it uses."""
    sources = [file.read_bytes() for file in _sources(cls)]
    return hashlib.sha256(b"".join(sources)).hexdigest() if sources else None


def _sources(cls: type) -> list[Path]:
    module = inspect.getmodule(cls)
    files = [inspect.getsourcefile(one) for one in _used(module)] if module else []
    return [Path(file) for file in files if file]


def _used(module: ModuleType) -> list[ModuleType]:
    """Return a module and those of the same top-level package that it takes something from, and so on."""
    found = [module]
    for one in found:  # grows on the way
        others = sorted({name for name in _modules_named_in(one) if _package(name) == _package(module.__name__)})
        found += [sys.modules[name] for name in others if name in sys.modules and sys.modules[name] not in found]
    return found


def _modules_named_in(module: ModuleType) -> Iterator[str]:
    """Yield the names of the modules that a module imported as a whole, or took functions and classes from."""
    for value in vars(module).values():
        name = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None)
        if isinstance(name, str):
            yield name


def _package(name: str) -> str:
    return name.partition(".")[0]
