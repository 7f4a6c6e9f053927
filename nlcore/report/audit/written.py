"""What an audit writes: a row for each sample, what other tools read, the page, and last its summary."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from nlcore.audits.data_checks import Checks, Finding
from nlcore.audits.directory import AuditDirectory
from nlcore.audits.evidence import Predictions
from nlcore.audits.result import COLUMNS
from nlcore.audits.samples import Samples
from nlcore.audits.scoring import Scores, figures
from nlcore.audits.settings import AuditSettings
from nlcore.config.experiment import Experiment
from nlcore.data.called import called
from nlcore.report.audit.page import write_page
from nlcore.report.audit.pictured import Named, expected_precision, listed, make_page, verdict
from nlcore.rundir.arrays import write_arrays, write_rows


@dataclass(frozen=True)
class Found:
    """
    All that an audit has found.

    Attributes:
        id: the audit's.
        command: what makes it again.
        source: where predictions come from, in words.
        settings: the audit's own.
        experiment: of its networks.
        samples: that it looked at.
        checks: what is certain without a model.
        predictions: of the samples.
        scores: what each detector makes of those that are judged, the one that ranks first.
        seconds: that its parts took.

    """

    id: str
    command: str
    source: str
    settings: AuditSettings
    experiment: Experiment
    samples: Samples
    checks: Checks
    predictions: Predictions
    scores: Scores
    seconds: Mapping[str, float]


def write_results(directory: AuditDirectory, found: Found, progress: Callable[[int, int, str], None]) -> None:
    """
    Write the results; what says that the audit is finished comes last.

    Args:
        directory: of the audit.
        found: by it.
        progress: is told how far the page is.

    """
    began = time.perf_counter()
    directory.reopen()
    samples = found.samples
    write_arrays(
        directory.path / "probabilities.npz",
        {
            "ids": np.array(samples.ids),
            "folds": found.predictions.folds,
            "classes": np.array(samples.classes),
            "probabilities": np.exp(found.predictions.views[0]).astype(np.float32),
            "labels": samples.given,
        },
    )
    names = [f"score_{one.detector}" for one in found.scores.issues]
    write_rows(directory.path / "issues.csv", (*COLUMNS, *names), _rows(found))
    named = Named(
        found.id,
        f"Which labels of {called(found.experiment['dataset'])} are wrong",
        found.command,
        f"nl audit apply {shlex.quote(str(directory.path))} decisions.csv -o cleaned.csv",
    )
    background = found.experiment["dataset"].params.get("background", "white")
    seed = found.experiment.settings.seed
    views = found.predictions.views[:1] if found.predictions.in_sample else found.predictions.views
    said = [Finding("predictions", "warning", words, (), ()) for words in found.scores.warnings]
    checks = replace(found.checks, findings=(*found.checks.findings, *said))
    page = make_page(named, samples, found.scores, views, checks, background, progress, seed)
    write_page(directory.path / "report.html", page)
    seconds = {**found.seconds, "page": time.perf_counter() - began}
    directory.write_json("summary.json", _summary(found, seconds))


def _rows(found: Found) -> list[list[object]]:
    """Return the rows of ``issues.csv``, the most suspicious first and those that are not judged last."""
    samples, main = found.samples, found.scores.issues[0]
    judged = np.flatnonzero(found.scores.judged)
    group = np.where(found.checks.same > 0, found.checks.same, found.checks.near)

    def identity(at: int) -> tuple[str, str, str]:
        path = "" if samples.paths is None else str(samples.paths[at])
        return samples.ids[at], path, samples.classes[samples.given[at]]

    rows: list[list[object]] = []
    for rank, place in enumerate(main.order.tolist(), 1):
        at = int(judged[place])
        what = (samples.classes[main.suggested[place]], f"{main.p_wrong[place]:.6f}", int(main.flagged[place]))
        scores = (repr(float(one.score[place])) for one in found.scores.issues)  # all digits: they rank
        rows.append([rank, *identity(at), *what, int(group[at]), *scores])
    for at in np.flatnonzero(~found.scores.judged).tolist():
        rows.append(["", *identity(at), "", "", 0, int(group[at]), *("" for _ in found.scores.issues)])
    return rows


def _summary(found: Found, seconds: Mapping[str, float]) -> dict[str, Any]:
    """Return the content of ``summary.json``."""
    samples, main = found.samples, found.scores.issues[0]
    judged = found.scores.judged
    given, K = samples.given[judged], samples.num_classes
    said = verdict(main, len(samples) - len(given))
    interval = None if main.interval is None else [float(share) for share in main.interval]
    weights = (None, main.flagged, main.p_wrong)
    columns = [np.bincount(given, weight, minlength=K).tolist() for weight in weights]
    true = None if samples.true is None else samples.true[judged]
    known = true is not None and bool((true != given).any())
    measured = [asdict(figures(one, given, true)) for one in found.scores.issues] if true is not None and known else []
    return {
        "id": found.id,
        "command": found.command,
        "data": called(found.experiment["dataset"]),
        "predictions": found.source,
        "samples": len(samples),
        "judged": said.total,
        "classes": list(samples.classes),
        "interval": interval,
        "at_least": said.low,
        "at_most": said.high,
        "reason": main.reason,
        "warnings": list(found.scores.warnings),
        "disagreement": main.disagreement,
        "flagged": int(main.flagged.sum()),
        "listed": len(listed(main)),
        "expected_precision": {str(depth): share for depth, share in expected_precision(main)},
        "by_class": [
            {"class": name, "samples": int(n), "flagged": int(f), "expected_wrong": None if interval is None else e}
            for name, n, f, e in zip(samples.classes, *columns, strict=True)
        ],
        "detectors": list(found.settings.detectors),
        "truly_wrong": None if true is None else int((true != given).sum()),
        "figures": [{**one, "auroc": None if np.isnan(one["auroc"]) else one["auroc"]} for one in measured],
        "settings": asdict(found.settings),
        "config": found.experiment.config(),
        "seconds": {name: round(value, 2) for name, value in seconds.items()},
    }
