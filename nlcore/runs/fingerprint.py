"""
What a result stands on: the configuration, the code of the methods, the files they read, the data and the labels.

Its digest is part of a run directory's name. So the same command finds the same run again, and one with an edited loss,
another version or other labels gets a run of its own.
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
from nlcore.data.prepare import TrainingData
from nlcore.host.registry import KINDS, registry
from nlcore.version import __version__


def identity(experiment: Experiment, data: TrainingData) -> dict[str, Any]:
    """Return all that decides a run's result, as JSON values."""
    known = registry()
    components = {}
    for kind in KINDS:
        entry = known.find(kind, experiment.choice(kind).name)
        components[kind] = {
            "name": entry.full_name,
            "version": entry.version,
            "source_sha256": _source_sha256(known.load(entry)),
        }
    return {
        "nlcore": __version__,
        "config": experiment.config(),
        "components": components,
        "files_sha256": _files_sha256(experiment),
        "dataset_sha256": data.fingerprint,
        "labels_sha256": data.labels_sha256,
    }


def digest(identity: dict[str, Any]) -> str:
    """Return eight hexadecimal digits of the SHA-256 over an identity."""
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:8]


def differences(recorded: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Return in words what differs between two identities."""
    found = [
        f"{key} = {now['config'].get(key)} (there: {recorded['config'].get(key)})"
        for key in sorted({*recorded["config"], *now["config"]})
        if recorded["config"].get(key) != now["config"].get(key)
    ]
    for kind in KINDS:
        for what, word in (("version", "version"), ("source_sha256", "source code")):
            if recorded["components"][kind][what] != now["components"][kind][what]:
                found.append(f"the {word} of the {kind} {now['components'][kind]['name']}")
    before, after = recorded.get("files_sha256", {}), now["files_sha256"]
    found += [f"the file of {name}" for name in sorted({*before, *after}) if before.get(name) != after.get(name)]
    for what, word in (("dataset_sha256", "the data"), ("labels_sha256", "the labels"), ("nlcore", "nlcore's version")):
        if recorded[what] != now[what]:
            found.append(word)
    return found


def _files_sha256(experiment: Experiment) -> dict[str, str]:
    """Return the hash of each file that a method reads. What datasets and noise read shows in data and labels."""
    found = {}
    for kind in ("architecture", "loss", "strategy"):
        choice = experiment.choice(kind)
        for key, item in registry().declared(kind, choice.name)[1].items():
            value = choice.params[key]
            if item.path and isinstance(value, str) and Path(value).is_file():
                found[f"{kind}.{key}"] = hashlib.sha256(Path(value).read_bytes()).hexdigest()
    return found


@functools.lru_cache(maxsize=64)
def _source_sha256(cls: type) -> str | None:
    """Return the hash of a component's source: its own file, then the others of its package that it uses."""
    module = inspect.getmodule(cls)
    files = [inspect.getsourcefile(one) for one in _used(module)] if module else []
    sources = [Path(file).read_bytes() for file in files if file]
    return hashlib.sha256(b"".join(sources)).hexdigest() if sources else None


def _used(module: ModuleType) -> list[ModuleType]:
    """Return a module and those of the same top-level package that it takes something from, and so on."""
    found = [module]
    for one in found:  # grows on the way
        others = sorted({name for name in _named_in(one) if _package(name) == _package(module.__name__)})
        found += [sys.modules[name] for name in others if name in sys.modules and sys.modules[name] not in found]
    return found


def _named_in(module: ModuleType) -> Iterator[str]:
    """Yield the names of the modules that a module imported as a whole, or took functions and classes from."""
    for value in vars(module).values():
        name = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None)
        if isinstance(name, str):
            yield name


def _package(name: str) -> str:
    return name.partition(".")[0]
