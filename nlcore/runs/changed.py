"""What may have changed since a run was made, and what it changes."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from typing import Any

from nlcore.config.settings import PROCESSES
from nlcore.rundir.environment import packages
from nlcore.training.hardware import Hardware


def forgiving(stored: dict[str, Any], now: dict[str, Any]) -> dict[str, Any]:
    """Return a stored fingerprint with what may differ as it is now: versions, epochs, device."""
    same_versions = {
        slot: [
            {**used, "version": here["version"]} if here else used
            for used, here in zip(parts, now["components"].get(slot, []), strict=False)
        ]
        for slot, parts in stored["components"].items()
    }
    may_differ = {name: now["config"][name] for name in ("epochs", "device", *PROCESSES)}
    return stored | {
        "nlcore": now["nlcore"],
        "components": same_versions,
        "config": stored["config"] | may_differ,
    }


def no_longer_so(environment: Mapping[str, Any], hardware: Hardware) -> list[str]:
    """Return in words what the recorded run was computed with and is no longer there."""
    now = packages()
    found = [
        f"{name} was {version} and is {now[name]}"
        for name, version in environment["packages"].items()
        if now.get(name) not in (version, None)
    ]
    for name, value in (("threads", hardware.threads), ("device", str(hardware.device))):
        if environment[name] != value:
            found.append(f"{name}: was {environment[name]} and is {value}")
    if platform.machine() not in environment["platform"]:
        found.append(f"the machine was {environment['platform']} and is {platform.platform()}")
    return found
