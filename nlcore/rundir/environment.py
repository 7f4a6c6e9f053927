"""``environment.json``: what a run was made with; and a run's experiment, read back from its directory."""

from __future__ import annotations

import platform
import shlex
import sys
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from nlcore.config.experiment import Experiment, resolve
from nlcore.config.recipe import Layer, read_recipe
from nlcore.errors import UserError
from nlcore.host.registry import KINDS, registry
from nlcore.rundir.directory import RunDirectory
from nlcore.training.hardware import Hardware


def environment(experiment: Experiment, hardware: Hardware) -> dict[str, Any]:
    """Return what a run was made with: versions, hardware, plugin files, where the data lay, the command."""
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": packages(),
        "device": str(hardware.device),
        "device_name": hardware.name,
        "precision": hardware.precision,
        "threads": hardware.threads,
        "plugin_files": experiment.plugin_files(),
        "data_dir": str(experiment.data_dir.absolute()),
        "command": sys.argv[1:],
    }


def packages() -> dict[str, str]:
    """Return the versions that can change a run's bits."""
    names = ("nlcore", "torch", "torchvision", "numpy", "lightning-fabric")
    return {name: metadata.version(name) for name in names}


def resolve_run(directory: RunDirectory, command: str, *layers: Layer) -> Experiment:
    """
    Return the experiment of a run, with layers of settings above it.

    Args:
        directory: of the run.
        command: ``resume`` or ``predict``, for the message that says what to type.
        layers: what changes.

    Raises:
        UserError: as `resolve`; where a component came from a single file that is not loaded, with what to type.

    """
    recipe = read_recipe(directory.path / "config.toml")
    try:
        return resolve(recipe, *layers)
    except UserError as error:
        files = directory.read_json("environment.json").get("plugin_files", {})
        gone = [file for kind, file in files.items() if kind in KINDS and not _is_there(kind, str(recipe.get(kind)))]
        if not gone:
            raise
        lost = [f" {file} is no longer there: give its new place." for file in gone if not Path(file).is_file()]
        typed = with_files(files, command, str(directory.path))
        raise UserError(
            f"{error} The run was made with a plugin in a single file.{''.join(dict.fromkeys(lost))} Type: {typed}"
        ) from error


def with_files(files: Mapping[str, str], *words: str) -> str:
    """Return the ``nl`` command with these words, as it is typed to load these plugin files."""
    options = [word for file in dict.fromkeys(files.values()) for word in ("--plugin", file)]
    return shlex.join(["nl", *options, *words])


def _is_there(kind: str, name: str) -> bool:
    try:
        registry().find(kind, name)
    except UserError:
        return False
    return True
