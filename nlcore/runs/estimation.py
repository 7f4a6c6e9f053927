"""What is wrong with the labels of a run, estimated from held-out predictions."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nlcore.config.experiment import Experiment
from nlcore.contracts import Estimate, Estimator, Evidence, NoiseInfo
from nlcore.data.run_data import RunData
from nlcore.host.boundary import attributed
from nlcore.host.discovery import Entry
from nlcore.host.registry import registry
from nlcore.rundir.directory import RunDirectory
from nlcore.rundir.environment import resolve_run
from nlcore.rundir.model_file import from_json
from nlcore.runs.terminal import Terminal
from nlcore.training.build import load_data
from nlcore.training.out_of_sample import out_of_sample, warm_up_epochs

#: What a run asks for a strategy whose rate is ``auto``.
FOLDS, ESTIMATOR = 3, "confident_joint"


def estimate_run(
    path: Path,
    entries: Sequence[Entry],
    given: Mapping[str, object],
    folds: int,
    epochs: int | None,
    data_dir: str | None,
    terminal: Terminal,
) -> dict[str, Any]:
    """
    Return what estimators find for the labels of a run, as JSON values; it is kept as ``estimate.json`` too.

    Args:
        path: the run directory.
        entries: the estimators.
        given: parameters of theirs.
        folds: how many parts the training set is cut into.
        epochs: of the networks; None for `warm_up_epochs`.
        data_dir: where the data lie, if no longer where the run says.
        terminal: follows.

    Raises:
        UserError: no run, its data are not there, or a parameter that an estimator does not take.

    """
    made = {entry: registry().create(entry.kind, registry().display_name(entry), given) for entry in entries}
    directory = RunDirectory(path)
    environment = directory.read_json("environment.json")
    places = {"data_dir": data_dir or environment["data_dir"], "runs_dir": str(path.parent), "name": path.name}
    experiment = resolve_run(directory, "estimate", places)
    with attributed([*experiment.entries, *entries]):
        data = load_data(experiment, terminal.line, terminal.progress_of)
        count = epochs or warm_up_epochs(len(data.train), folds, experiment.settings)
        evidence = out_of_sample(experiment, data, folds, count, terminal.progress_of)
        estimates = [_estimated(registry().display_name(entry), one, evidence) for entry, one in made.items()]
    agreement = float(np.mean(evidence.probabilities.argmax(1) == evidence.given))
    true = data.truth.train
    found = {
        "samples": len(data.train),
        "classes": list(data.classes),
        "folds": folds,
        "epochs": count,
        "agreement": agreement,
        "true_rate": None if true is None else float(np.mean(true != data.train.labels)),
        "estimates": estimates,
    }
    directory.write_json("estimate.json", found)
    return found


def estimating(
    experiment: Experiment, data: RunData, known: Mapping[str, Any] | None, terminal: Terminal
) -> Callable[[], NoiseInfo]:
    """
    Return what estimates the noise of a run for a strategy that asks.

    Args:
        experiment: the run.
        data: its data.
        known: what was estimated when the run began, as in its ``environment.json``.
        terminal: follows.

    """
    untold = data.untold  # a strategy's context leads here

    def estimate() -> NoiseInfo:
        stored = from_json(known)
        if stored is not None:
            return stored
        epochs = warm_up_epochs(len(untold.train), FOLDS, experiment.settings)
        evidence = out_of_sample(experiment, untold, FOLDS, epochs, terminal.progress_of)
        found: Estimate = registry().create("estimator", ESTIMATOR).estimate(evidence)
        assert found.rate is not None  # the confident joint always has one
        return NoiseInfo(found.rate, found.transition)

    return estimate


def _estimated(name: str, component: Estimator, evidence: Evidence) -> dict[str, Any]:
    found: Estimate = component.estimate(evidence)
    rate = None if found.rate is None or not math.isfinite(found.rate) else float(found.rate)
    matrix = None if found.transition is None else np.asarray(found.transition).round(6).tolist()
    return {
        "name": name,
        "rate": rate,
        "transition": matrix,
        "note": found.note,
        "assumes": component.assumes,
    }
