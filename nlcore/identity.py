"""
What a result stands on: the configuration, the code of the methods, the data and the labels.

Its digest is part of a run directory's name. So the same command finds the same run again, and one with an edited loss,
another version or other labels gets a run of its own.
"""

from __future__ import annotations

import functools
import hashlib
import inspect
import json
from pathlib import Path
from typing import Any

from nlcore.data.prepare import TrainingData
from nlcore.experiment import Experiment
from nlcore.registry import KINDS, registry
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
    for what, word in (("dataset_sha256", "the data"), ("labels_sha256", "the labels"), ("nlcore", "nlcore's version")):
        if recorded[what] != now[what]:
            found.append(word)
    return found


@functools.lru_cache(maxsize=64)
def _source_sha256(cls: type) -> str | None:
    source = inspect.getsourcefile(cls)
    return hashlib.sha256(Path(source).read_bytes()).hexdigest() if source else None
