"""
Predictions of networks that have not seen the sample: of each part by a run that has left it out.

A part is an ordinary run, ``folds/r1-f1``, that excludes the part's ids: it can be killed, goes on to the same bits,
and is not trained again. What it predicts, for the samples that it has seen too, is kept beside it, and so are the
margins that its training went through.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nlcore.audits.folds import stratified_folds
from nlcore.audits.follower import Follower
from nlcore.audits.histories import Histories, shown_in_each_epoch
from nlcore.audits.predictions import log_softmax, margin_and_other
from nlcore.audits.samples import Samples
from nlcore.config.experiment import Experiment
from nlcore.config.recipe import Overrides
from nlcore.contracts import LabelEvidence
from nlcore.errors import RunError, UserError, plural
from nlcore.rundir.arrays import read_arrays, write_arrays, write_rows
from nlcore.rundir.directory import RunDirectory
from nlcore.runs.margins import Recorder, recorded
from nlcore.runs.model import TrainedModel, load_model
from nlcore.runs.start import execute
from nlcore.runs.terminal import Terminal

SMALLEST = 1e-30  # a probability of 0 in float32 counts as this
_CHUNK = 512

Matrix = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Predicted:
    """
    What networks predict for N samples, as mean log probabilities.

    Attributes:
        held_out: float32 (N, K), of those that have not seen the sample.
        in_sample: float32 (N, K), of those that have; of `held_out` where there is none.
        folds: int64 (N,), the part of each sample in the first cross-validation; -1 for what none was trained on.
        margins: float32 (E, N), in each epoch the mean over those that have seen the sample; see
            `nlcore.audits.histories`. None where a network was trained without keeping them.

    """

    held_out: Matrix
    in_sample: Matrix
    folds: NDArray[np.int64]
    margins: Matrix | None = None


def cross_validate(
    layers: Sequence[Overrides],
    experiment: Experiment,
    samples: Samples,
    folds: int,
    repeats: int,
    place: Path,
    terminal: Terminal,
    of_history: Sequence[str] = (),
) -> Predicted:
    """
    Train a network for each part, and return what they predict.

    Args:
        layers: of settings that the runs share.
        experiment: that they describe.
        samples: N.
        folds: how many parts.
        repeats: how many times, each with other parts and another seed.
        place: folder of the runs; what is there already is not done again.
        terminal: follows.
        of_history: the detectors that need the networks' margins.

    Raises:
        UserError: invalid input, or networks without margins that a detector needs.
        RunError: a run could not go on, or diverged.
        KeyboardInterrupt: it was stopped; the same call goes on.

    """
    N, K, seed = len(samples), samples.num_classes, experiment.settings.seed
    sums, counts = np.zeros((2, N, K)), np.zeros((2, N))  # of networks that have seen the sample, and that have not
    first = np.full(N, -1, np.int64)
    histories = Histories(N)
    mirrored = mirrors(experiment)
    follower = Follower(terminal, folds * repeats)
    place.mkdir(parents=True, exist_ok=True)
    if of_history:
        _refuse_without_margins(place, of_history[0])
    trained = np.flatnonzero(samples.in_training)
    for repeat in range(1, repeats + 1):
        ids = [samples.ids[position] for position in trained]
        parts = stratified_folds(ids, samples.given[trained], folds, f"{seed} {repeat}")
        if repeat == 1:
            first[trained] = parts
        for part in range(folds):
            held = trained[parts == part]
            name = f"r{repeat}-f{part + 1}"
            known = _kept_or_predicted(layers, samples, held, seed + repeat - 1, place, name, mirrored, follower)
            log_p = known["log_probabilities"]
            histories.add(known.get("margins"))
            if of_history and not shown_in_each_epoch(known.get("margins")):
                raise UserError(
                    f"The strategy {experiment['strategy'].name} does not show in every epoch what its networks "
                    f"predict, so {of_history[0]} has no history to rank by. Choose another --strategy, or leave the "
                    "detector out."
                )
            unseen = ~samples.in_training
            unseen[held] = True
            for row, chosen in enumerate((unseen, ~unseen)):
                sums[row, chosen] += log_p[chosen]
                counts[row, chosen] += 1
    never = counts[1] == 0
    sums[1, never], counts[1, never] = sums[0, never], counts[0, never]
    held_out, in_sample = (
        log_softmax(total / count[:, None]).astype(np.float32) for total, count in zip(sums, counts, strict=True)
    )
    unseen_margin = margin_and_other(LabelEvidence(samples.given, held_out.astype(np.float64)))[0]
    return Predicted(held_out, in_sample, first, histories.margins(unseen_margin))


def _kept_or_predicted(
    layers: Sequence[Overrides],
    samples: Samples,
    held: NDArray[np.int64],
    seed: int,
    place: Path,
    name: str,
    mirrored: bool,
    follower: Follower,
) -> dict[str, Matrix]:
    """Return what one network predicts for all samples, float32 (N, K), and its margins (E, N), where they are kept."""
    kept = place / f"{name}.npz"
    known = read_arrays(kept)
    if known is not None:
        follower.skip()
        return known
    ids = place / f"{name}.csv"
    write_rows(ids, ("id",), [(samples.ids[position],) for position in held])
    own = {"exclude": str(ids.absolute()), "runs_dir": str(place), "name": name, "seed": seed}
    history = place / f"{name}.history.npz"
    result = execute([*layers, own], follower, observers=[Recorder(place / name, history)])
    if result.status == "diverged":
        raise RunError(f"{result.run_dir} diverged: its network's loss is no longer finite. Give a lower --lr.")
    if result.status != "done":
        raise RunError(f"{result.run_dir} is {result.status}. Run the same command again to go on.")
    log_p = predict_all(load_model(result.run_dir, str(_device(layers))), samples, mirrored, follower.outer)
    found = {"log_probabilities": log_p}
    margins = recorded(result.run_dir, history, dict(zip(samples.ids, range(len(samples)), strict=True)), result.epochs)
    if margins is not None:
        found["margins"] = margins
    write_arrays(kept, found)
    history.unlink(missing_ok=True)
    follower.ended()
    return found


def _refuse_without_margins(place: Path, detector: str) -> None:
    """See that of each epoch that a network was trained for the margins are there: one cannot learn them afterwards."""
    for run in sorted(log.parent for log in place.glob("*/metrics.jsonl")):
        done = len(RunDirectory(run).metrics())
        kept, history = (read_arrays(place / f"{run.name}{ending}.npz") for ending in ("", ".history"))
        known = (kept or history or {}).get("margins", ())
        if len(known) < done:
            raise UserError(
                f"{run} has the history of {len(known)} of its {plural(done, 'epoch')}, and {detector} ranks by all of "
                "them: an earlier version began this audit, or a file of folds/ has gone. Give another --name, so that "
                "networks are trained anew, or leave the detector out."
            )


def predict_all(model: TrainedModel, samples: Samples, mirrored: bool, terminal: Terminal) -> Matrix:
    """
    Return the log probabilities of plain images, float32 (N, K).

    Args:
        model: of these classes.
        samples: N.
        mirrored: whether to take the mean of those of an image and of its mirror image.
        terminal: is told how far it is.

    """
    N = len(samples)
    found = np.empty((N, samples.num_classes), np.float32)
    for start in range(0, N, _CHUNK):
        terminal.progress_of(start, N, "images predicted")
        rows = np.arange(start, min(start + _CHUNK, N))
        images = samples.images.fetch(rows)
        views = [images, images[:, :, ::-1]] if mirrored else [images]
        logs = [np.log(np.maximum(model.predict(view), SMALLEST)) for view in views]
        found[rows] = np.mean(logs, axis=0)
    terminal.progress_of(1, 1, "")
    return found


def check_classes(model: TrainedModel, samples: Samples) -> None:
    """
    See that a model predicts the classes of samples.

    Raises:
        UserError: it does not, or not images of so many channels.

    """
    if model.classes != samples.classes:
        theirs, ours = (
            ", ".join(names[:10]) + ", ..." * (len(names) > 10) for names in (model.classes, samples.classes)
        )
        raise UserError(f"The model is of the classes {theirs}, the data of {ours}.")
    channels = samples.images.image_shape[0]
    if model.image_shape[0] != channels:
        raise UserError(f"The model takes images of {model.image_shape[0]} channels; the data's have {channels}.")


def mirrors(experiment: Experiment) -> bool:
    """Tell whether training mirrors images, so that a mirror image is as good as the image."""
    return any(
        part.params.get("flip", False) is True or (part.name == "flip" and part.params.get("p", 0) > 0)
        for part in experiment["augmentation"].parts
    )


def _device(layers: Sequence[Overrides]) -> object:
    return next((layer["device"] for layer in reversed(layers) if "device" in layer), "auto")
