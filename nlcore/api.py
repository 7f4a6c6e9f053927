"""The Python door: the names, checks and defaults of the command line. What is heavy is imported when called."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlcore.errors import UserError
from nlcore.host.registry import KINDS, registry
from nlcore.rundir.find import find_run
from nlcore.rundir.result import Result

if TYPE_CHECKING:
    from nlcore.runs.model import TrainedModel


def run(
    recipe: str | os.PathLike[str] | None = None, *, quiet: bool = False, fresh: bool = False, **settings: Any
) -> Result:
    """
    Run an experiment, as ``nl run`` does, and return its result.

    Args:
        recipe: a TOML file; what else is given here goes before it.
        quiet: print nothing on stderr.
        fresh: start over in a new directory, whatever is there.
        settings: the names of ``nl run`` with underscores: components (``loss="gce"``), settings (``epochs=5``,
            ``runs_dir="runs"``) and, in a mapping, components' parameters (``**{"loss.q": 0.7}``).

    Raises:
        UserError: an unknown name or parameter, a value that is not allowed, data that are not there.
        RunError: the run could not go on: a full disk, too little memory.

    """
    from nlcore.config.experiment import resolve
    from nlcore.config.recipe import read_recipe
    from nlcore.runs.start import execute
    from nlcore.runs.terminal import Terminal

    for kind in KINDS:
        if not isinstance(settings.get(kind, ""), str):
            raise UserError(_by_name(kind, settings[kind]))
    layers = [read_recipe(Path(recipe))] if recipe is not None else []
    plain = {key: os.fspath(value) if isinstance(value, os.PathLike) else value for key, value in settings.items()}
    return execute(resolve(*layers, plain), Terminal(quiet), fresh)


def resume(
    run: str | os.PathLike[str], *, runs_dir: str | os.PathLike[str] = "runs", quiet: bool = False, **changes: Any
) -> Result:
    """
    Go on with a run that was stopped, as ``nl resume`` does, and return its result.

    Args:
        run: the run's directory, or its name in `runs_dir`, as ``nl table`` shows it.
        runs_dir: the folder that names are looked up in.
        quiet: print nothing on stderr.
        changes: ``epochs`` (more than before), ``device``, ``data_dir``, ``no_download``, ``checkpoint_every``.

    Raises:
        UserError: no run, a change that is not allowed, or methods, data or labels that are no longer the same.
        RunError: it cannot go on.

    """
    from nlcore.runs.start import resume as go_on
    from nlcore.runs.terminal import Terminal

    return go_on(find_run(run, runs_dir), changes, Terminal(quiet))


def load(
    run: str | os.PathLike[str], device: str = "cpu", *, runs_dir: str | os.PathLike[str] = "runs"
) -> TrainedModel:
    """
    Return the trained model of a finished run: ``model(images)`` gives class probabilities.

    Args:
        run: the run's directory, or its name in `runs_dir`, as ``nl table`` shows it.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        runs_dir: the folder that names are looked up in.

    Raises:
        UserError: no run, an unfinished one, or one whose components are not installed.

    """
    from nlcore.runs.model import load_model

    return load_model(find_run(run, runs_dir), device)


def create(kind: str, name: str, **params: Any) -> Any:
    """
    Return a component by name: ``create("loss", "gce", q=0.7)``.

    Args:
        kind: ``dataset``, ``noise``, ``architecture``, ``loss`` or ``strategy``.
        name: as ``nl list-plugins`` shows it.
        params: its parameters; the others have their defaults.

    Raises:
        UserError: an unknown kind, name or parameter, or a value that is not allowed.

    """
    return registry().create(kind, name, params)


def _by_name(kind: str, given: object) -> str:
    """Return what to type in place of a mapping or an object: a run is repeated from names and values alone."""
    if isinstance(given, Mapping) and isinstance(given.get("name"), str):
        values = {f"{kind}.{key}": value for key, value in given.items() if key != "name"}
        return f"{kind}: give its name and parameters as {kind}={given['name']!r}, **{values}."
    return (
        f"{kind}: give its name, as {kind}='NAME', and its parameters as **{{'{kind}.PARAMETER': ...}}; this is "
        f"{given!s:.60} ({type(given).__name__}). A class of your own gets a name by a plugin, which may be one file: "
        "docs/plugins.md."
    )
