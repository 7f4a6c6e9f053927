"""What is predicted of each sample, from wherever an audit was told to take it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nlcore.audits.cross_validation import check_classes, cross_validate, mirrors, predict_all
from nlcore.audits.folds import stratified_folds, usual_folds
from nlcore.audits.from_files import FeaturesFile, PredictionsFile
from nlcore.audits.histories import Histories, shown_in_each_epoch
from nlcore.audits.linear import views_of_features
from nlcore.audits.predictions import log_softmax, margin_and_other
from nlcore.audits.pretrained import network_features
from nlcore.audits.samples import Samples
from nlcore.audits.settings import AuditSettings
from nlcore.config.experiment import Experiment
from nlcore.config.frozen import is_pretrained
from nlcore.config.recipe import Overrides
from nlcore.contracts import LabelEvidence
from nlcore.errors import UserError, plural
from nlcore.host.registry import registry
from nlcore.rundir.arrays import read_arrays, write_arrays
from nlcore.rundir.find import find_model
from nlcore.rundir.result import Result
from nlcore.runs.margins import MARGINS, recorded
from nlcore.runs.model import TrainedModel, load_model
from nlcore.runs.terminal import Terminal

IN_SAMPLE = (
    "This model was trained on these labels, and has learnt some wrong ones by heart: fewer are found, and fewer are "
    "counted, than by models that have not seen the sample."
)

#: What detectors call the history of a training.
HISTORY = frozenset({"margins", "learnt"})

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
        margins: float32 (E, N), of trainings that have seen the sample, or None; see `nlcore.audits.histories`.
        warning: what is to be known of them, a sentence; else empty.

    """

    views: tuple[Matrix, ...]
    folds: NDArray[np.int64]
    features: NDArray[np.floating] | None = None
    in_sample: bool = False
    margins: Matrix | None = None
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
    if is_pretrained(experiment["architecture"]):
        return f"logistic regression and neighbours on features of {network}, {folds} parts held out in turn{times}"
    epochs = plural(experiment.settings.epochs, "epoch")
    return f"{folds * settings.repeats} networks ({network}, {epochs}), each holds 1 of {folds} parts out{times}"


def known_besides(settings: AuditSettings, experiment: Experiment) -> frozenset[str]:
    """Return what will be known besides labels and log probabilities: attributes of `LabelEvidence`."""
    if settings.run is not None:
        run = find_model(settings.run, experiment.storage.runs_dir)
        return HISTORY if (run / MARGINS).is_file() else frozenset()
    if settings.probabilities is not None:
        return frozenset()
    if settings.features is not None or is_pretrained(experiment["architecture"]):
        return frozenset({"features"})
    return HISTORY


def folds_of(settings: AuditSettings, samples: Samples) -> int:
    """Return how many parts there are: no more than samples."""
    return min(settings.folds or usual_folds(len(samples)), int(samples.in_training.sum()))


@dataclass(frozen=True, eq=False)
class Elsewhere:
    """
    What predicts besides networks that the audit trains: read before it begins, so that it may be refused.

    Attributes:
        features: or None, as the others are.
        predictions: of a file.
        model: of a finished run.
        run: the folder of the model, where its training has kept margins.

    """

    features: FeaturesFile | None = None
    predictions: PredictionsFile | None = None
    model: TrainedModel | None = None
    run: Path | None = None

    @classmethod
    def read(cls, settings: AuditSettings, experiment: Experiment) -> Elsewhere:
        """
        Read what an audit was told to take; the experiment says where runs lie and what computes.

        Raises:
            UserError: it is not there or not sound.

        """
        if settings.features is not None:
            return cls(features=FeaturesFile.read(Path(settings.features)))
        if settings.probabilities is not None:
            return cls(predictions=PredictionsFile.read(Path(settings.probabilities)))
        if settings.run is not None:
            place = find_model(settings.run, experiment.storage.runs_dir)
            kept = place if (place / MARGINS).is_file() else None
            return cls(model=load_model(place, experiment.settings.device), run=kept)
        return cls()

    def fitted(self, samples: Samples) -> Ready:
        """
        Return what it says of samples.

        Raises:
            UserError: it is of other samples or classes.

        """
        if self.model is not None:
            check_classes(self.model, samples)
        return Ready(
            None if self.features is None else self.features.of(samples),
            None if self.predictions is None else self.predictions.of(samples),
            self.model,
            None if self.run is None else _margins_of(self.run, samples),
        )


@dataclass(frozen=True, eq=False)
class Ready:
    """
    What comes from elsewhere, of N samples.

    Attributes:
        features: float32 (N, D), or None, as the others are.
        log_probabilities: float32 (N, K).
        model: of these classes.
        margins: float32 (E, N), that the model's training went through; NaN where an epoch did not show the sample.

    """

    features: Matrix | None
    log_probabilities: Matrix | None
    model: TrainedModel | None
    margins: Matrix | None = None

    def margins_beside(self, log_probabilities: Matrix, samples: Samples) -> Matrix | None:
        """Return the margins of the training; of samples that it has not seen those of what the model predicts."""
        histories = Histories(len(samples))
        histories.add(self.margins)
        evidence = LabelEvidence(samples.given, log_probabilities.astype(np.float64))
        return histories.margins(margin_and_other(evidence)[0])


def gather(
    elsewhere: Ready,
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
        elsewhere: what need not be trained.
        settings: the audit's.
        layers: of settings of its runs.
        experiment: that they describe.
        samples: N.
        place: folder of the audit.
        terminal: follows.

    Raises:
        UserError: a run that is refused.
        RunError: a run could not go on.

    """
    nowhere = np.full(len(samples), -1, np.int64)
    if elsewhere.log_probabilities is not None:
        return Predictions((elsewhere.log_probabilities,), nowhere)
    if elsewhere.model is not None:
        needing = _of_history(settings.detectors)
        if needing and not shown_in_each_epoch(elsewhere.margins):
            raise UserError(
                f"{settings.run} has not kept the margins of every epoch, and {needing[0]} ranks by them. Train a run "
                "with --histories from its first epoch on, or leave the detector out."
            )
        found = predict_all(elsewhere.model, samples, mirrors(experiment), terminal)
        return Predictions((found,), nowhere, margins=elsewhere.margins_beside(found, samples), warning=IN_SAMPLE)
    folds = folds_of(settings, samples)
    if "features" not in known_besides(settings, experiment):
        how = (folds, settings.repeats, place / "folds", terminal, _of_history(settings.detectors))
        of = cross_validate(layers, experiment, samples, *how)
        return Predictions((of.held_out, of.in_sample), of.folds, in_sample=True, margins=of.margins)
    features = elsewhere.features
    if features is None:
        features = _described(experiment, samples, place, terminal)
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


def refuse_without_history(settings: AuditSettings, experiment: Experiment) -> None:
    """
    See that the training of an audit's networks is a history of single samples where a detector needs one.

    Raises:
        UserError: the strategy mixes images or replaces labels, or shows its losses nothing.

    """
    strategy, needing = experiment["strategy"], _of_history(settings.detectors)
    reason = getattr(strategy.sample, "no_history", "")
    if needing and reason:
        raise UserError(
            f"The detector {needing[0]} ranks by how far the given label of each image was ahead in a training, which "
            f"the strategy {strategy.name} does not tell: {reason}. Choose another --strategy, or leave the detector "
            "out."
        )


def _margins_of(run: Path, samples: Samples) -> Matrix | None:
    """Return the margins that a run has kept, None where it has not kept those of every epoch."""
    places = {sample: place for place, sample in enumerate(samples.ids)}
    return recorded(run, run / MARGINS, places, Result.read(run).epochs)


def _of_history(detectors: Sequence[str]) -> list[str]:
    """Return those of the detectors that need the history of a training."""
    return [name for name in detectors if HISTORY.intersection(registry().create("detector", name).needs)]


def _described(experiment: Experiment, samples: Samples, place: Path, terminal: Terminal) -> Matrix:
    """Return the features of a pretrained network, float32 (N, D); they are kept."""
    kept = place / "features.npz"
    known = read_arrays(kept)
    if known is None:
        found = network_features(experiment, samples, mirrors(experiment), terminal)
        known = {"ids": np.array(samples.ids), "features": found.astype(np.float32)}
        write_arrays(kept, known)
    return np.asarray(known["features"])
