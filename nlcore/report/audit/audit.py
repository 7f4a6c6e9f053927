"""An audit from the first to the last step: what it looks at, what is predicted, what is written."""

from __future__ import annotations

import hashlib
import json
import shlex
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from nlcore.audits.data_checks import Checks, Finding, check_data
from nlcore.audits.directory import AuditDirectory, find_recognised, words_of
from nlcore.audits.evidence import (
    Elsewhere,
    Ready,
    folds_of,
    gather,
    known_besides,
    refuse_without_history,
    source_in_words,
)
from nlcore.audits.place import check_place, forget
from nlcore.audits.result import Audit
from nlcore.audits.samples import Samples, image_sizes, load_samples
from nlcore.audits.scoring import check_detectors, far_from_all, score
from nlcore.audits.settings import AuditSettings, layers_of_runs
from nlcore.config.experiment import Experiment, resolve
from nlcore.config.launched import refuse_launched
from nlcore.config.named import check_named_files
from nlcore.config.recipe import Overrides
from nlcore.contracts import DatasetContext
from nlcore.errors import UserError, plural
from nlcore.report.audit.written import Found, write_results
from nlcore.rundir.lock import locked
from nlcore.runs.fingerprint import named_files, source_files
from nlcore.runs.interrupt import stoppable
from nlcore.runs.terminal import Terminal, print_plan
from nlcore.training.pretrained import initial_weights

#: What decides nothing about an audit: where it is computed, where things lie. Data and labels are known by content.
_ELSEWHERE = ("dataset", "noise", "device", "devices", "num_nodes", "threads", "exclude")
#: Parameters of data sets that change how images are shown to networks, and not their pixels.
_SHOWN_IN_TRAINING = ("random_box", "mean", "std")
SHOWN, LONGEST = 5, 110  # lines of a finding, and letters of a line


@dataclass(frozen=True)
class _Job:
    """Everything about an audit that is known before its first step."""

    settings: AuditSettings
    layers: Sequence[Overrides]
    experiment: Experiment
    samples: Samples
    elsewhere: Ready
    directory: AuditDirectory
    made: bool  # the directory, just now
    id: str
    words: Mapping[str, Any]
    command: str
    data: str


@stoppable()
def audit(given: Sequence[Overrides], settings: AuditSettings, terminal: Terminal) -> Audit:
    """
    Find out which labels of a data set are wrong, and how many; report an audit that is finished already.

    Args:
        given: layers of settings as of a run, a later one wins: the data set, and how networks are trained.
        settings: the audit's own.
        terminal: follows.

    Raises:
        UserError: invalid input.
        RunError: it could not go on: a full disk, a network that diverged.
        KeyboardInterrupt: it was stopped; the same call goes on.

    """
    refuse_launched("nl audit")
    known = find_recognised(given, settings)
    if known is not None:
        terminal.line(f"{known.path}: this audit is done already.")
        return Audit.read(known.path)
    began = time.perf_counter()
    job = _prepared(given, settings, terminal)
    with locked(job.directory.path, terminal.line):
        try:
            job.directory.begin(job.id, job.words, job.samples, terminal.progress_of)
            _carried_out(job, given, began, terminal)
        except UserError:
            if job.made:
                forget(job.directory.path)
            raise
    return Audit.read(job.directory.path)


def _carried_out(job: _Job, given: Sequence[Overrides], began: float, terminal: Terminal) -> None:
    """Do all that takes long, and write what comes of it."""
    settings = job.settings
    checks = _checked(job, terminal)
    _say(checks.findings, terminal)
    if not checks.findings:
        terminal.line("Nothing is wrong with the images that can be told without a model.")
    print_plan(_plan(job), terminal.console)
    if not job.samples.judged.all():
        terminal.line(_not_judged(job.samples))
    looked = time.perf_counter()
    with_what = (settings, job.layers, job.experiment, job.samples, job.directory.path, terminal)
    predictions = gather(job.elsewhere, *with_what)
    far = far_from_all(predictions, job.samples)
    _say(far, terminal)
    checks = replace(checks, findings=(*checks.findings, *far))
    predicted = time.perf_counter()
    seed = job.experiment.settings.seed
    scores = score(predictions, job.samples, settings.detectors, seed, terminal.progress_of)
    seconds = {"data": looked - began, "predictions": predicted - looked, "scores": time.perf_counter() - predicted}
    source = source_in_words(settings, job.experiment, folds_of(settings, job.samples))
    found = Found(
        job.id, job.command, source, settings, job.experiment, job.samples, checks, predictions, scores, seconds
    )
    write_results(job.directory, found, terminal.progress_of)
    job.directory.sign(words_of(given, settings), _files(job))


def _prepared(given: Sequence[Overrides], settings: AuditSettings, terminal: Terminal) -> _Job:
    """Return what is to be done; everything that can be wrong with what the user gave is found here."""
    for name in ("exclude", "validation", "trusted"):
        if any(name in layer for layer in given):
            raise UserError(f"{name}: an audit looks at all labels; leave --{name} out.")
    first = resolve(*layers_of_runs(given, settings))
    check_detectors(settings.detectors, known_besides(settings, first))
    refuse_without_history(settings, first)
    check_place(_directory(first, settings, "").path)
    check_named_files(*first.deciding.values())
    initial_weights(first, terminal.line)
    given_files = Elsewhere.read(settings, first)
    samples = load_samples(first, terminal)
    elsewhere = given_files.fitted(samples)
    folds = folds_of(settings, samples)
    trained = int(samples.in_training.sum())
    layers = layers_of_runs(given, settings, trained - -(-trained // folds))
    experiment = resolve(*layers)
    id_ = _id(settings, experiment, samples, folds)
    directory = _directory(experiment, settings, id_)
    words = {**{key: value for layer in given for key, value in layer.items()}, **_changed(settings)}
    made = directory.make(id_, samples)
    shown = [f"{key.partition('.')[2]} {value}" for key, value in words.items() if key.startswith("dataset.")]
    data = f"{experiment['dataset'].name} ({', '.join(shown)})" if shown else experiment["dataset"].name
    return _Job(settings, layers, experiment, samples, elsewhere, directory, made, id_, words, _command(words), data)


def _directory(experiment: Experiment, settings: AuditSettings, id_: str) -> AuditDirectory:
    """Return the directory of the audit with this id, which decides where no name was given."""
    name = experiment.storage.name or f"{experiment['dataset'].name.replace('/', '.')}-{id_[:8]}"
    named = replace(experiment, storage=replace(experiment.storage, name=name, runs_dir=settings.audits_dir))
    return AuditDirectory(named.run_dir(""))


def _id(settings: AuditSettings, experiment: Experiment, samples: Samples, folds: int) -> str:
    """Return what names an audit by its content: its data, its labels and what predicts; not what ranks."""
    own: dict[str, Any] = {"repeats": settings.repeats, "folds": folds}
    for name in ("features", "probabilities"):
        place = getattr(settings, name)
        own[name] = hashlib.sha256(_bytes(Path(place))).hexdigest() if place is not None else None
    config = {key: value for key, value in experiment.config().items() if key not in _ELSEWHERE}
    shown = {key: value for key, value in experiment.config()["dataset"].items() if key in _SHOWN_IN_TRAINING}
    content = json.dumps([samples.digest(), own, settings.run, config, shown], sort_keys=True, default=str)
    return hashlib.sha256(content.encode()).hexdigest()[:12]


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from None


def _changed(settings: AuditSettings) -> dict[str, object]:
    usual = asdict(AuditSettings())
    return {key: value for key, value in asdict(settings).items() if value != usual[key]}


def _command(words: Mapping[str, object]) -> str:
    """Return what to type for these words."""
    typed = ["nl", "audit"]
    for key, value in words.items():
        option = f"--{key if '.' in key else key.replace('_', '-')}"
        typed += [option] if value is True and "." not in key else [option, shlex.quote(_text(value))]
    return " ".join(typed)


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else "none" if value is None else str(value)


def _files(job: _Job) -> list[Path]:
    """Return the files that an audit was made from; the data's where the dataset says which they are."""
    experiment = job.experiment
    found = [*source_files(experiment), *named_files(experiment).values()]
    source = DatasetContext(experiment.data_dir, download=False)
    for slot in ("dataset", "noise"):
        component = experiment[slot].create()
        if hasattr(component, "files"):
            found += component.files(source)
    found += [Path(place) for place in (job.settings.features, job.settings.probabilities) if place is not None]
    return found


def _checked(job: _Job, terminal: Terminal) -> Checks:
    """Return what is certain without a model: as it was found before, where it was."""
    known = job.directory.read_checks()
    if known is None:
        samples = job.samples
        sizes = image_sizes(samples, terminal.progress_of)
        known = check_data(samples.data, samples.data.unreadable, sizes, terminal.progress_of)
        terminal.progress_of(1, 1, "")
        job.directory.write_checks(known)
    return known


def _say(findings: Sequence[Finding], terminal: Terminal) -> None:
    for finding in findings:
        terminal.line(f"{finding.severity}: {finding.words}")
        for line in finding.lines[:SHOWN]:
            terminal.line(f"    {line if len(line) <= LONGEST else f'{line[:LONGEST]} ...'}")
        if len(finding.lines) > SHOWN:
            terminal.line(f"    and {len(finding.lines) - SHOWN:,} more, in the report")


def _not_judged(samples: Samples) -> str:
    names = sorted({samples.classes[label] for label in samples.given[~samples.judged].tolist()})
    count = int((~samples.judged).sum())
    return f"{plural(count, 'label')} cannot be judged, as no other image has it: {', '.join(names[:SHOWN])}"


def _plan(job: _Job) -> dict[str, str]:
    """Return in words what will happen."""
    samples, settings = job.samples, job.settings
    folds = folds_of(settings, samples)
    counts = np.bincount(samples.given, minlength=samples.num_classes)
    few = [name for name, count in zip(samples.classes, counts, strict=True) if 0 < count < folds]
    tested = len(samples.data.test.labels)
    apart = f"; the {plural(tested, 'test image')} apart from them are not" if tested and not samples.data.whole else ""
    plan = {
        "audit": str(job.directory.path),
        "data": f"{job.data}: {len(samples):,} labels of {samples.num_classes} classes{apart}",
        "predictions": source_in_words(settings, job.experiment, folds),
        "ranked by": ", ".join(settings.detectors),
    }
    if job.experiment["noise"].name != "none":
        plan["noise"] = str(job.experiment["noise"])
    if few and not (settings.probabilities or settings.run):
        plan["few images"] = f"fewer than {folds}, so not in every part: {', '.join(few[:SHOWN])}"
    return plan
