"""
Running an experiment, and going on with a run that was stopped.

Everything that can be wrong with what the user gave is found before the run directory is made. From then on the
directory is enough to go on, at whatever moment the process ends.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from nlcore.config.experiment import Experiment
from nlcore.config.recipe import Layer
from nlcore.data.prepare import TrainingData
from nlcore.errors import UserError
from nlcore.rundir import checkpoint, durable
from nlcore.rundir.directory import ENDED, RunDirectory
from nlcore.rundir.environment import packages, resolve_run
from nlcore.rundir.lock import locked
from nlcore.rundir.result import Result
from nlcore.runs.fingerprint import differences, digest, identity
from nlcore.runs.interrupt import stoppable
from nlcore.runs.session import Run
from nlcore.runs.terminal import Terminal
from nlcore.training.build import load_data, prepare_training
from nlcore.training.hardware import Hardware, available_cpus


def dry_run(experiment: Experiment, terminal: Terminal) -> dict[str, str]:
    """
    Return the plan of an experiment; nothing is written and nothing downloaded.

    Raises:
        UserError: whatever is wrong with what the user gave.

    """
    _check_place(experiment)
    offline = replace(experiment, places=replace(experiment.places, no_download=True))
    data = load_data(offline, terminal.line)
    run_dir = experiment.run_dir(digest(identity(experiment, data)))
    return prepare_training(experiment, data).plan(str(run_dir))


def execute(experiment: Experiment, terminal: Terminal, fresh: bool = False) -> Result:
    """
    Run an experiment; report its run where it is done already, go on with it where it is not.

    Args:
        experiment: what to run.
        terminal: follows.
        fresh: start over, in a directory of its own.

    Raises:
        UserError: whatever is wrong with what the user gave, or another process is at it.
        RunError: it could not go on.
        KeyboardInterrupt: it was stopped; its directory says so.

    """
    with stoppable():
        return _execute(experiment, terminal, fresh)


def _execute(experiment: Experiment, terminal: Terminal, fresh: bool) -> Result:
    _check_place(experiment)
    data = load_data(experiment, terminal.line)
    stands_on = identity(experiment, data)
    directory = RunDirectory(experiment.run_dir(digest(stands_on)))
    if fresh:
        directory = directory.unused()
    elif directory.exists:
        found = differences(_environment(directory)["identity"], stands_on)
        if found:
            raise UserError(
                f"{directory.path} stands on something else: {'; '.join(found)}. "
                "Choose another name with --name, or start over with --fresh."
            )
        return _go_on(directory, experiment, data, stands_on, terminal)
    directory.check_place()
    prepared = prepare_training(experiment, data)
    directory.create()
    with locked(directory.path, terminal.line):
        if directory.exists:  # made by another process in the meantime
            raise UserError(f"{directory.path} has just been made by another process. Run the same command again.")
        durable.sweep(directory.path)
        run = Run(prepared, directory, terminal)
        run.begin(stands_on)
        return run.execute()


def resume(path: Path, changes: Layer, terminal: Terminal) -> Result:
    """
    Go on with a run; what it is comes from its directory.

    Args:
        path: the run directory.
        changes: ``epochs`` (more than before), ``device``, where the data lie, and ``checkpoint_every``.
        terminal: follows.

    Raises:
        UserError: no run, a change that is not allowed, or methods, data or labels that are no longer the same.
        RunError: it cannot go on.
        KeyboardInterrupt: it was stopped again.

    """
    with stoppable():
        return _resume(path, changes, terminal)


def _resume(path: Path, changes: Layer, terminal: Terminal) -> Result:
    allowed = ("epochs", "device", "data_dir", "no_download", "checkpoint_every")
    for name in changes:
        if name not in allowed:
            raise UserError(f"{name} cannot change in a run; only {', '.join(allowed)} can.")
    directory = RunDirectory(path)
    Result.read(path)
    environment = _environment(directory)
    recorded = environment["identity"]
    places = {"data_dir": environment["data_dir"], "runs_dir": str(path.parent), "name": path.name}
    experiment = resolve_run(directory, "resume", {**places, **changes})
    before = recorded["config"]["epochs"]
    if experiment.settings.epochs < before:
        raise UserError(f"epochs = {experiment.settings.epochs}: the run has {before}; more may be given, not fewer.")
    data = load_data(experiment, terminal.line)
    now = identity(experiment, data)
    # Versions may be others as long as the methods' source is the same; the user is told.
    same_versions = {
        kind: {**used, "version": now["components"][kind]["version"]} for kind, used in recorded["components"].items()
    }
    may_differ = {"epochs": now["config"]["epochs"], "device": now["config"]["device"]}
    forgiven = {"nlcore": now["nlcore"], "components": same_versions, "config": recorded["config"] | may_differ}
    found = differences(recorded | forgiven, now)
    if found:
        raise UserError(
            f"{directory.path} stands on something else: {'; '.join(found)}. It would be neither the old run nor a new "
            "one: start another with nl run."
        )
    if experiment.settings.epochs > before and experiment.settings.lr_schedule != "constant":
        terminal.line("The learning rate follows the longer schedule from here on.")
    return _go_on(directory, experiment, data, now, terminal)


def _check_place(experiment: Experiment) -> None:
    """Find before anything is loaded that a run could not be written; its whole name is known only afterwards."""
    place = RunDirectory(experiment.run_dir("x" * 8))
    if not place.exists:
        place.check_place()


def _environment(directory: RunDirectory) -> dict[str, Any]:
    """Return ``environment.json``, with what is needed to go on."""
    environment = directory.read_json("environment.json")
    needed = {"identity", "packages", "precision", "threads", "device", "platform", "data_dir"}
    inside = {"nlcore", "config", "components", "dataset_sha256", "labels_sha256"}
    identity = environment.get("identity")
    if not needed <= environment.keys() or not isinstance(identity, dict) or not inside <= identity.keys():
        raise UserError(f"{directory.path / 'environment.json'} is not what a run of this version writes.")
    return environment


def _go_on(
    directory: RunDirectory, experiment: Experiment, data: TrainingData, stands_on: dict[str, Any], terminal: Terminal
) -> Result:
    """Report a run that has ended; restore one that has not from its newest checkpoint and train on."""
    result = Result.read(directory.path)
    longer = experiment.settings.epochs > result.epochs
    if result.status in ENDED and not (longer and result.status == "done"):
        terminal.line(f"{directory.path}: this run is {result.status} already.")
        return result
    with locked(directory.path, terminal.line):
        durable.sweep(directory.path)
        environment = _environment(directory)
        state = checkpoint.load_newest(directory.path, terminal.line)
        if state is None and result.status == "done":
            raise UserError(f"{directory.path} is done and its checkpoint is gone, so it cannot be made longer.")
        threads = min(environment["threads"], available_cpus())
        prepared = prepare_training(experiment, data, environment["precision"], str(threads))
        for line in _no_longer_so(environment, prepared.hardware):
            terminal.line(f"{line}: the numbers may differ in their last bits")
        run = Run(prepared, directory, terminal)
        if longer:  # from here on it is a run of so many epochs, also for whoever asks for fewer
            directory.write_config(experiment.config())
            directory.write_json("environment.json", environment | {"identity": stands_on})
        run.restore(state)
        return run.execute()


def _no_longer_so(environment: Mapping[str, Any], hardware: Hardware) -> list[str]:
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
