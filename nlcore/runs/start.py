"""
Starting a run, and going on with one that was stopped.

Everything that can be wrong with what the user gave is found before the run directory is made. From then on the
directory is enough to go on, at whatever moment the process ends.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from nlcore.config.experiment import Experiment, resolve
from nlcore.config.launched import with_launched
from nlcore.config.recipe import Overrides, flat_recipe
from nlcore.config.settings import RESUMABLE
from nlcore.contracts import DatasetContext
from nlcore.data.run_data import RunData
from nlcore.errors import UserError
from nlcore.host.boundary import attributed
from nlcore.rundir import checkpoint, durable
from nlcore.rundir.directory import ENDED, RunDirectory
from nlcore.rundir.environment import resolve_run, tracking
from nlcore.rundir.lock import locked
from nlcore.rundir.result import Result
from nlcore.runs.changed import forgiving, no_longer_so
from nlcore.runs.estimate import seconds_of_run
from nlcore.runs.estimation import estimating
from nlcore.runs.fingerprint import differences, digest, fingerprint, named_files, source_files
from nlcore.runs.interrupt import stoppable
from nlcore.runs.margins import recorder_of, refuse_without_history
from nlcore.runs.plan import plan
from nlcore.runs.recognise import recognised, request, write_signature
from nlcore.runs.session import Session
from nlcore.runs.share import team_of, tell_share
from nlcore.runs.team import Team
from nlcore.runs.terminal import Terminal, seconds_in_words
from nlcore.runs.trackers import trackers_of
from nlcore.training.build import build, load_data
from nlcore.training.hardware import available_cpus
from nlcore.training.memory import memory_in_words
from nlcore.training.observers import Observer


def plan_only(experiment: Experiment, terminal: Terminal) -> dict[str, str]:
    """
    Return the plan of an experiment, with an estimate of its time; nothing is written and nothing downloaded.

    Raises:
        UserError: invalid input.
        RunError: there is too little memory, or the method trains nothing.

    """
    _check_place(experiment)
    refuse_without_history(experiment)
    offline = replace(experiment, storage=replace(experiment.storage, no_download=True))
    with attributed(experiment.entries):
        data = load_data(offline, terminal.line, terminal.progress_of)
        trainer = build(experiment, data, report=terminal.line, estimate=estimating(experiment, data, None, terminal))
        run_dir = experiment.run_dir(digest(fingerprint(experiment, data)))
        found = plan(experiment, data, trainer, str(run_dir))
        if experiment.settings.devices * experiment.settings.num_nodes > 1:
            return found  # one process alone would take another time
        terminal.line("Timing the first steps ...")
        with memory_in_words(experiment):
            seconds = seconds_of_run(trainer)
    return found if seconds is None else {**found, "time": f"about {seconds_in_words(seconds)}"}


@stoppable()
def execute(
    layers: Sequence[Overrides], terminal: Terminal, fresh: bool = False, observers: Sequence[Observer] = ()
) -> Result:
    """
    Run an experiment; report its run where it is done already, go on with it where it is not.

    Args:
        layers: of settings, a later one wins.
        terminal: follows.
        fresh: start over, in a directory of its own.
        observers: follow, too.

    Raises:
        UserError: invalid input, or another process holds the run.
        RunError: it could not go on.
        KeyboardInterrupt: it was stopped; its directory says so.

    """
    layers = with_launched(layers)
    known = None if fresh else recognised(layers)
    if known is not None:
        terminal.line(f"{known.run_dir}: this run is {known.status} already.")
        return known
    experiment = resolve(*layers)
    with team_of(experiment) as team:
        if team.processes.rank:
            terminal.speaks = False
            return team.follow()
        return team.release(_execute(experiment, None if fresh else request(layers), terminal, observers, team))


def _execute(
    experiment: Experiment, asked: str | None, terminal: Terminal, observers: Sequence[Observer], team: Team
) -> Result:
    """Run an experiment, or go on with its run; without a request that it is known by, start over."""
    _check_place(experiment)
    refuse_without_history(experiment)
    with attributed(experiment.entries):
        data = load_data(experiment, terminal.line, terminal.progress_of)
        now = fingerprint(experiment, data)
    directory = RunDirectory(experiment.run_dir(digest(now)))
    if asked is None:
        directory = directory.unused()
    elif directory.exists:
        found = differences(_environment(directory)["fingerprint"], now)
        if found:
            raise UserError(
                f"{directory.path} is a different run: {'; '.join(found)}. "
                "Choose another name with --name, or start over with --fresh."
            )
        return _go_on(directory, experiment, data, now, terminal, observers, asked, team)
    directory.check_place()
    notes: list[str] = []
    with attributed(experiment.entries):
        estimate = estimating(experiment, data, None, terminal)
        processes = tell_share(team, experiment, data)
        report, show = _kept(notes, terminal), terminal.progress_of
        trainer = build(experiment, data, None, None, report, estimate, processes, show)
    directory.create()
    with locked(directory.path, terminal.line):
        if directory.exists:  # made by another process in the meantime
            raise UserError(f"{directory.path} has just been made by another process. Run the same command again.")
        durable.remove_leftovers(directory.path)
        watching = _followed(experiment, directory.path, terminal, observers)
        session = Session(experiment, data, trainer, directory, watching, notes)
        session.begin(now)
        _sign(directory, experiment, asked)
        return session.execute()


@stoppable()
def resume(path: Path, changes: Overrides, terminal: Terminal, observers: Sequence[Observer] = ()) -> Result:
    """
    Go on with a run; what it is comes from its directory.

    Args:
        path: the run directory.
        changes: of `RESUMABLE`; parameters of the dataset and of the noise that name files may change too, as data are
            named by content, and those of a tracker.
        terminal: follows.
        observers: follow, too.

    Raises:
        UserError: no run, a change that is not allowed, or methods, data or labels that are no longer the same.
        RunError: it cannot go on.
        KeyboardInterrupt: it was stopped again.

    """
    for name in changes:
        if name not in RESUMABLE and name.partition(".")[0] not in ("dataset", "noise", "tracker"):
            raise UserError(f"{name} cannot change in a run; only {', '.join(RESUMABLE)} can, and where its files lie.")
    directory = RunDirectory(path)
    Result.read(path)
    environment = _environment(directory)
    stored = environment["fingerprint"]
    places = {"data_dir": environment["data_dir"], "runs_dir": str(path.parent), "name": path.name}
    tracked = flat_recipe({"tracker": environment.get("tracker", {})})
    experiment = resolve_run(directory, "resume", tracked, {**places, **changes}, *with_launched([]))
    with team_of(experiment) as team:
        if team.processes.rank:
            terminal.speaks = False
            return team.follow()
        return team.release(_resume(directory, stored, experiment, terminal, observers, team))


def _resume(
    directory: RunDirectory,
    stored: dict[str, Any],
    experiment: Experiment,
    terminal: Terminal,
    observers: Sequence[Observer],
    team: Team,
) -> Result:
    """Go on with a run where nothing has changed that decides its numbers."""
    before = stored["config"]["epochs"]
    if experiment.settings.epochs < before:
        raise UserError(f"epochs = {experiment.settings.epochs}: the run has {before}; more may be given, not fewer.")
    with attributed(experiment.entries):
        data = load_data(experiment, terminal.line, terminal.progress_of)
        now = fingerprint(experiment, data)
    found = differences(forgiving(stored, now), now)
    if found:
        raise UserError(
            f"{directory.path} is a different run: {'; '.join(found)}. Resuming would mix two configurations; start "
            "another run with nl run."
        )
    if experiment.settings.epochs > before and experiment.settings.lr_schedule != "constant":
        terminal.line("The learning rate follows the longer schedule from here on.")
    return _go_on(directory, experiment, data, now, terminal, observers, None, team)


def _check_place(experiment: Experiment) -> None:
    """Find before anything is loaded that a run could not be written; its whole name is known only afterwards."""
    place = RunDirectory(experiment.run_dir("x" * 8))
    if not place.exists:
        place.check_place()


def _environment(directory: RunDirectory) -> dict[str, Any]:
    """Return ``environment.json``, with what is needed to go on."""
    environment = directory.read_json("environment.json")
    needed = {"fingerprint", "packages", "precision", "threads", "device", "platform", "data_dir"}
    inside = {"nlcore", "config", "components", "dataset_sha256", "labels_sha256"}
    stored = environment.get("fingerprint")
    if not needed <= environment.keys() or not isinstance(stored, dict) or not inside <= stored.keys():
        raise UserError(f"{directory.path / 'environment.json'} is not what a run of this version writes.")
    return environment


def _go_on(
    directory: RunDirectory,
    experiment: Experiment,
    data: RunData,
    now: dict[str, Any],
    terminal: Terminal,
    observers: Sequence[Observer],
    asked: str | None,
    team: Team,
) -> Result:
    """Report a run that has ended; restore one that has not from its newest checkpoint and train on."""
    result = Result.read(directory.path)
    longer = experiment.settings.epochs > result.epochs
    if result.status in ENDED and not (longer and result.status == "done"):
        terminal.line(f"{directory.path}: this run is {result.status} already.")
        _sign(directory, experiment, asked)  # its files have been read and are the same
        return result
    with locked(directory.path, terminal.line):
        durable.remove_leftovers(directory.path)
        environment = _environment(directory)
        state = checkpoint.load_newest(directory.path, terminal.line)
        if state is None and result.status == "done":
            raise UserError(f"{directory.path} is done and its checkpoint is gone, so it cannot be made longer.")
        most = max(1, available_cpus() // experiment.settings.devices)
        threads = str(min(environment["threads"], most))
        notes: list[str] = []
        with attributed(experiment.entries):
            estimate = estimating(experiment, data, environment.get("estimated_noise"), terminal)
            with_what = (environment["precision"], threads)
            processes = tell_share(team, experiment, data, *with_what, state)
            report, show = _kept(notes, terminal), terminal.progress_of
            trainer = build(experiment, data, *with_what, report, estimate, processes, show)
        for line in no_longer_so(environment, trainer.hardware):
            terminal.line(f"{line}: the numbers may differ in their last bits")
        watching = _followed(experiment, directory.path, terminal, observers)
        session = Session(experiment, data, trainer, directory, watching, notes)
        if longer:  # from here on it is a run of so many epochs, also for whoever asks for fewer
            directory.write_config(experiment.config())
        changeable = {"data_dir": str(experiment.data_dir.absolute()), "tracker": tracking(experiment)}
        if longer or any(environment.get(key) != value for key, value in changeable.items()):
            directory.write_json("environment.json", environment | {"fingerprint": now, **changeable})
        with attributed(experiment.entries):
            session.restore(state)
        return session.execute()


def _kept(notes: list[str], terminal: Terminal) -> Callable[[str], None]:
    """Return what takes a component's words to the user: they are shown, and noted for the run directory."""

    def report(text: str) -> None:
        notes.append(text)
        terminal.line(text)

    return report


def _followed(experiment: Experiment, run: Path, terminal: Terminal, observers: Sequence[Observer]) -> list[Observer]:
    return [terminal, *trackers_of(experiment, run, terminal.line), *recorder_of(experiment, run), *observers]


def _sign(directory: RunDirectory, experiment: Experiment, asked: str | None) -> None:
    """Note the files that the run was made from, so that it is recognised when it is asked for again."""
    if asked is None:
        return
    source = DatasetContext(experiment.data_dir, download=False)
    read = [*source_files(experiment), *named_files(experiment).values()]
    for slot in ("dataset", "noise"):
        component = experiment[slot].create()
        if hasattr(component, "files"):
            read += component.files(source)
        elif slot == "dataset":
            return  # nobody says what it reads: it is recognised by content
    write_signature(directory.path, asked, read)
