"""What is predicted of each sample, from wherever an audit was told to take it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nlcore.audits.cross_validation import cross_validate, mirrors, predict_all
from nlcore.audits.files import read_arrays, write_arrays
from nlcore.audits.folds import stratified_folds, usual_folds
from nlcore.audits.from_files import read_features, read_probabilities
from nlcore.audits.linear import views_of_features
from nlcore.audits.predictions import log_softmax
from nlcore.audits.pretrained import is_pretrained, network_features
from nlcore.audits.samples import Samples
from nlcore.audits.settings import AuditSettings
from nlcore.config.experiment import Experiment
from nlcore.config.recipe import Overrides
from nlcore.rundir.find import find_model
from nlcore.runs.model import load_model
from nlcore.runs.terminal import Terminal

IN_SAMPLE = (
    "This model was trained on these labels, and has learnt some wrong ones by heart: fewer are found, and fewer are "
    "counted, than by models that have not seen the sample."
)

Matrix = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Predictions:
    """
    What is predicted of N samples.

    Attributes:
        views: log probabilities by different models, float32 (N, K) each; the first is of models that have not seen the
            sample, where there are such.
        folds: int64 (N,), the part that each sample was held out in; -1 where it was in none.
        features: (N, D), or None.
        in_sample: whether the second view is of models that were trained on the sample.
        warning: what is to be known of them, a sentence; else empty.

    """

    views: tuple[Matrix, ...]
    folds: NDArray[np.int64]
    features: NDArray[np.floating] | None = None
    in_sample: bool = False
    warning: str = ""


def source_in_words(settings: AuditSettings, experiment: Experiment, folds: int) -> str:
    """Return where predictions come from."""
    if settings.probabilities is not None:
        return f"from {settings.probabilities}"
    if settings.run is not None:
        return f"the model of {settings.run}, which was trained on these labels"
    times = f", {settings.repeats} times" if settings.repeats > 1 else ""
    if settings.features is not None:
        return f"logistic regression and neighbours on {settings.features}, {folds} parts held out in turn{times}"
    network = experiment["architecture"]
    if is_pretrained(experiment):
        return f"logistic regression and neighbours on features of {network}, {folds} parts held out in turn{times}"
    epochs = experiment.settings.epochs
    return f"{folds * settings.repeats} networks ({network}, {epochs} epochs), each holds 1 of {folds} parts out{times}"


def has_features(settings: AuditSettings, experiment: Experiment) -> bool:
    """Tell whether the features of all samples will be known."""
    elsewhere = settings.probabilities is not None or settings.run is not None
    return settings.features is not None or (not elsewhere and is_pretrained(experiment))


def folds_of(settings: AuditSettings, samples: Samples) -> int:
    """Return how many parts there are: no more than samples."""
    return min(settings.folds or usual_folds(len(samples)), int(samples.in_training.sum()))


def gather(
    settings: AuditSettings,
    layers: Sequence[Overrides],
    experiment: Experiment,
    samples: Samples,
    place: Path,
    terminal: Terminal,
) -> Predictions:
    """
    Return what is predicted of samples; what takes long is kept and not done again.

    Args:
        settings: the audit's.
        layers: of settings of its runs.
        experiment: that they describe.
        samples: N.
        place: folder of the audit.
        terminal: follows.

    Raises:
        UserError: files that do not fit the data.
        RunError: a run could not go on.

    """
    nowhere = np.full(len(samples), -1, np.int64)
    if settings.probabilities is not None:
        return Predictions((read_probabilities(Path(settings.probabilities), samples),), nowhere)
    if settings.run is not None:
        model = load_model(find_model(settings.run, experiment.storage.runs_dir), experiment.settings.device)
        found = predict_all(model, samples, mirrors(experiment), terminal)
        return Predictions((found,), nowhere, warning=IN_SAMPLE)
    folds = folds_of(settings, samples)
    if not has_features(settings, experiment):
        of = cross_validate(layers, experiment, samples, folds, settings.repeats, place / "folds", terminal)
        return Predictions((of.held_out, of.in_sample), of.folds, in_sample=True)
    features = _features(settings, experiment, samples, place, terminal)
    sums: list[NDArray[np.float64]] = [np.zeros((len(samples), samples.num_classes)) for _ in range(2)]
    first = nowhere
    for repeat in range(1, settings.repeats + 1):
        parts = stratified_folds(samples.ids, samples.given, folds, f"{experiment.settings.seed} {repeat}")
        first = parts if repeat == 1 else first
        views = views_of_features(features, samples.given, parts, samples.num_classes, terminal.progress_of)
        sums[0] += views.linear
        sums[1] += views.neighbours
    means = tuple(log_softmax(total / settings.repeats).astype(np.float32) for total in sums)
    return Predictions(means, first, features)


def _features(
    settings: AuditSettings, experiment: Experiment, samples: Samples, place: Path, terminal: Terminal
) -> NDArray[np.floating]:
    if settings.features is not None:
        return read_features(Path(settings.features), samples)
    kept = place / "features.npz"
    known = read_arrays(kept)
    if known is None:
        found = network_features(experiment, samples, mirrors(experiment), terminal)
        known = {"ids": np.array(samples.ids), "features": found.astype(np.float32)}
        write_arrays(kept, known)
    return known["features"]
