"""The Python door: the names, checks and defaults of the command line. What is heavy is imported when called."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlcore.errors import UserError
from nlcore.host.hookspecs import slots
from nlcore.host.registry import load_anew, registry
from nlcore.rundir.find import find_model, find_run
from nlcore.rundir.result import Result
from nlcore.textfiles import expand_home

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from nlcore.audits.result import Audit
    from nlcore.contracts import Data, Split
    from nlcore.runs.model import TrainedModel
    from nlcore.studies.sweep import Study

_GIGABYTE = 10**9


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
    from nlcore.config.recipe import read_recipe
    from nlcore.runs.start import execute
    from nlcore.runs.terminal import Terminal

    for slot in slots():
        if not isinstance(settings.get(slot, ""), str):
            raise UserError(_by_name(slot, settings[slot]))
    layers = [read_recipe(Path(recipe))] if recipe is not None else []
    return execute([*layers, _plain(settings)], Terminal(quiet), fresh)


def resume(
    run: str | os.PathLike[str], *, runs_dir: str | os.PathLike[str] = "runs", quiet: bool = False, **changes: Any
) -> Result:
    """
    Go on with a run that was stopped, as ``nl resume`` does, and return its result.

    Args:
        run: the run's directory, or its name in `runs_dir`, as ``nl table`` shows it.
        runs_dir: the folder that names are looked up in.
        quiet: print nothing on stderr.
        changes: ``epochs`` (more than before), ``device``, ``data_dir``, ``no_download``, ``checkpoint_every``,
            ``tracker``.

    Raises:
        UserError: no run, a change that is not allowed, or methods, data or labels that are no longer the same.
        RunError: it cannot go on.

    """
    from nlcore.runs.start import resume as go_on
    from nlcore.runs.terminal import Terminal

    return go_on(find_run(run, runs_dir), changes, Terminal(quiet))


def sweep(
    study: str | os.PathLike[str] | None = None, *, executor: str = "local", quiet: bool = False, **settings: Any
) -> Study:
    """
    Run every combination of several values, as ``nl sweep`` does; what is done already is not done again.

    Args:
        study: a TOML file with a table ``[grid]``; what else is given here goes before it.
        executor: where the runs are computed; its parameters are ``**{"executor.jobs": 2}``.
        quiet: print nothing on stderr.
        settings: as for `run`, with a list where there are several values:
            ``sweep(loss=["gce", "elr"], seed=range(1, 4), **{"noise.rate": [0.2, 0.5]})``.

    Returns:
        The study, with the results of its runs; those that failed say so.

    Raises:
        UserError: an unknown name, a value that is not allowed in any of the runs, an executor that cannot be used.
        KeyboardInterrupt: it was stopped; the same call goes on.

    """
    from nlcore.studies.grid import several_in_python
    from nlcore.studies.sweep import find, run_study

    plain = _plain(settings)
    of_executor = {key.removeprefix("executor."): plain.pop(key) for key in [*plain] if key.startswith("executor.")}
    every = find(None if study is None else Path(study), *several_in_python(plain))
    return run_study(every, registry().create("executor", executor, of_executor), quiet)


def samples(*, quiet: bool = False, **settings: Any) -> Figure:
    """
    Return a sheet of noisy training images with given and true labels, as ``nl samples`` draws it.

    Args:
        quiet: print nothing on stderr.
        settings: as for `run`; those that say nothing of the data and their noise change nothing.

    Raises:
        UserError: an unknown name or parameter, a value that is not allowed, data that are not there.

    """
    from nlcore.config.experiment import resolve
    from nlcore.rundir.samples import samples_figure
    from nlcore.runs.noisy_data import noisy_data
    from nlcore.runs.terminal import Terminal

    experiment = resolve(_plain(settings))
    return samples_figure(noisy_data(experiment, Terminal(quiet)), experiment.settings.noise_seed)


def use_plugin(file: str | os.PathLike[str]) -> None:
    """
    Use a single file as a plugin from here on, as ``nl --plugin FILE`` does. Call it again after each edit of the file.

    A notebook writes such a file with ``%%writefile``. Processes that are started from here know it, too.

    Raises:
        PluginError: there is no such file, or it does not work. Then it is no plugin any more; all others still are.

    """
    load_anew(str(expand_home(os.fspath(file)).absolute()))


def audit(recipe: str | os.PathLike[str] | None = None, *, quiet: bool = False, **words: Any) -> Audit:
    """
    Find out which labels of a data set are wrong, and how many, as ``nl audit`` does.

    Args:
        recipe: a TOML file, as for `run`; what else is given here goes before it.
        quiet: print nothing on stderr.
        words: those of ``nl audit`` with underscores: ``folds``, ``detector``, ``features`` and the like, and as for
            `run` the data set and how networks are trained: ``audit(dataset="image_folder", **{"dataset.folder":
            "photos"})``.

    Returns:
        The audit: ``.issues``, the most suspicious first (``.frame()`` is a DataFrame), ``.interval``, the page
        ``.report``, and ``.apply(decisions)``.

    Raises:
        UserError: an unknown name, a value that is not allowed, data or files that are not there or do not fit.
        RunError: it could not go on: a full disk, a network that diverged.
        KeyboardInterrupt: it was stopped; the same call goes on.

    """
    from nlcore.audits.settings import AuditSettings, read_settings
    from nlcore.config.recipe import read_recipe
    from nlcore.report.audit.audit import audit as find_issues
    from nlcore.runs.terminal import Terminal

    plain = _plain(words)
    own = {item.name: plain.pop(item.name) for item in fields(AuditSettings) if item.name in plain}
    layers = [read_recipe(Path(recipe))] if recipe is not None else []
    return find_issues([*layers, plain], read_settings(own), Terminal(quiet))


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

    return load_model(find_model(run, runs_dir), device)


def dataset(name: str, *, data_dir: str | os.PathLike[str] | None = None, **params: Any) -> Data:
    """
    Return what a dataset loads, to look at: ``nlcore.dataset("digits").train.images``.

    Args:
        name: as ``nl list-plugins --kind dataset`` shows it.
        data_dir: the folder of the data; the usual one where None. What is missing is downloaded.
        params: its parameters; the others have their defaults.

    Returns:
        ``train`` and ``test``, each with ``images`` (uint8 (N, H, W, C); a store that decodes on demand where they
        would need more than a gigabyte), ``labels`` int64 (N,) and ``ids`` (N,); and ``classes``, the names of the
        K classes.

    Raises:
        UserError: an unknown name or parameter, or data that are not there.

    """
    from nlcore.config.settings import data_directory
    from nlcore.contracts import DatasetContext

    source = DatasetContext(data_directory(None if data_dir is None else os.fspath(data_dir)))
    loaded: Data = registry().create("dataset", name, params).load(source)
    return replace(loaded, train=_in_memory(loaded.train), test=_in_memory(loaded.test))


def _in_memory(split: Split) -> Split:
    """Return a split with its images as an array where they fit."""
    import numpy as np

    images = split.images
    if isinstance(images, np.ndarray) or len(images) * math.prod(images.image_shape) > _GIGABYTE:
        return split
    return replace(split, images=images.fetch(np.arange(len(images))))


def create(kind: str, name: str, **params: Any) -> Any:
    """
    Return a component by name: ``create("loss", "gce", q=0.7)``.

    Args:
        kind: ``dataset``, ``noise``, ``augmentation``, ``architecture``, ``optimizer``, ``loss`` or ``strategy``.
        name: as ``nl list-plugins`` shows it.
        params: its parameters; the others have their defaults.

    Raises:
        UserError: an unknown kind, name or parameter, or a value that is not allowed.

    """
    return registry().create(kind, name, params)


def _plain(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {key: os.fspath(value) if isinstance(value, os.PathLike) else value for key, value in settings.items()}


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
