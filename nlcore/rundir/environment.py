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
from nlcore.config.recipe import Overrides, flat_recipe, read_recipe
from nlcore.config.settings import FILES
from nlcore.errors import UserError
from nlcore.host.hookspecs import slots
from nlcore.host.registry import registry
from nlcore.rundir.directory import RunDirectory
from nlcore.training.hardware import Hardware
from nlcore.training.pretrained import pretrained_file


def environment(experiment: Experiment, hardware: Hardware) -> dict[str, Any]:
    """Return what a run was made with: versions, hardware, plugin files, weights, where the data lay, the command."""
    weights = pretrained_file(experiment)
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": packages(),
        "device": str(hardware.device),
        "device_name": hardware.name,
        "precision": hardware.precision,
        "threads": hardware.threads,
        "plugin_files": experiment.plugin_files(),
        "tracker": tracking(experiment),
        "pretrained": None if weights is None else weights.name,
        "data_dir": str(experiment.data_dir.absolute()),
        "command": sys.argv[1:],
    }


def tracking(experiment: Experiment) -> dict[str, Any]:
    """Return who is told how the run goes, as a recipe's table."""
    chosen = experiment["tracker"]
    return {"name": chosen.name} | {key: "none" if value is None else value for key, value in chosen.params.items()}


def packages() -> dict[str, str]:
    """Return the versions that can change a run's bits."""
    names = ("nlcore", "torch", "torchvision", "numpy", "lightning-fabric")
    return {name: metadata.version(name) for name in names}


def resolve_run(directory: RunDirectory, command: str, *layers: Overrides) -> Experiment:
    """
    Return the experiment of a run, with layers of settings above it.

    Args:
        directory: of the run.
        command: for the message that says what to type: ``resume``.
        layers: what changes.

    Raises:
        UserError: as `resolve`; where a component came from a single file that is not loaded, with what to type.

    """
    recipe = read_recipe(directory.path / "config.toml")
    try:
        return resolve(recipe, *layers)
    except UserError as error:
        files = directory.read_json("environment.json").get("plugin_files", {})
        asked = {key: value for layer in (recipe, *layers) for key, value in layer.items()}
        raise _with_what_to_load(error, asked, files, command, directory.path) from error


def resolve_model(place: Path, recipe: Mapping[str, Any], files: Mapping[str, str]) -> Experiment:
    """
    Return the experiment of a trained model, without the files that training read.

    Args:
        place: of the model, for messages.
        recipe: the experiment, every parameter written out.
        files: the single files that brought components, by slot.

    Raises:
        UserError: as `resolve_run`.

    """
    of_training = (*FILES, "freeze")  # what is frozen came from a file
    layer = {key: value for key, value in flat_recipe(recipe).items() if key not in of_training}
    for slot in ("noise", "labels"):
        layer = {key: value for key, value in layer.items() if key.partition(".")[0] != slot}
    try:
        for slot, (_, kind) in slots().items():
            for name in str(layer.get(slot, "")).split("+") if slot in layer else ():
                declared = registry().signature(registry().find(kind.name, name))[1]
                for key in [key for key, item in declared.items() if item.path]:
                    layer.pop(f"{slot}.{key}", None)
        return resolve({"noise": "none", **layer})
    except UserError as error:
        raise _with_what_to_load(error, layer, files, "predict", place) from error


def _with_what_to_load(
    error: UserError, recipe: Mapping[str, object], files: Mapping[str, str], command: str, place: Path
) -> UserError:
    """Return the error; where a component came from a single file that is not loaded, with what to type."""
    gone = [file for slot, file in files.items() if slot in slots() and not _is_there(slot, str(recipe.get(slot)))]
    if not gone:
        return error
    lost = [f" {file} is no longer there: give its new place." for file in gone if not Path(file).is_file()]
    typed = with_files(files, command, str(place))
    return UserError(
        f"{error} The run was made with a plugin in a single file.{''.join(dict.fromkeys(lost))} Type: {typed}"
    )


def with_files(files: Mapping[str, str], *words: str) -> str:
    """Return the ``nl`` command with these words, as it is typed to load these plugin files."""
    options = [word for file in dict.fromkeys(files.values()) for word in ("--plugin", file)]
    return shlex.join(["nl", *options, *words])


def _is_there(slot: str, name: str) -> bool:
    try:
        for part in name.split("+"):
            registry().find(slots()[slot][1].name, part)
    except UserError:
        return False
    return True
