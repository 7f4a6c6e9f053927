"""What a table or a picture shows of a run: its numbers by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nlcore.errors import ParameterError, did_you_mean
from nlcore.studies.read import Run


@dataclass(frozen=True)
class Metric:
    """
    A number that runs have.

    Attributes:
        name: as it is typed.
        about: what it is, in words.
        better: ``higher``, ``lower``, or empty where neither is.
        share: whether it is from 0 to 1 and shown in percent.
        decimals: how many are shown; None for four significant digits.
        oracle: whether nobody could choose it without the true labels of the test set.

    """

    name: str
    about: str = ""
    better: str = "higher"
    share: bool = True
    decimals: int | None = 2
    oracle: bool = False

    @property
    def title(self) -> str:
        """The name and what it is: ``last: test accuracy of the last epoch, %``."""
        what = ", ".join(filter(None, (self.about, "oracle" if self.oracle else "", "%" if self.share else "")))
        return f"{self.name}: {what}" if what else self.name

    def show(self, value: float, sign: str = "") -> str:
        """Return a value, in percent where it is a share; `sign` is ``+`` where a plus is to be shown."""
        digits = ".4g" if self.decimals is None else f",.{self.decimals}f"
        return f"{100 * value if self.share else value:{sign}{digits}}"


def _by_name(*metrics: Metric) -> dict[str, Metric]:
    return {metric.name: metric for metric in metrics}


_ACCURACY = _by_name(
    Metric("last", "test accuracy of the last epoch"),
    Metric("mean_last_10", "mean test accuracy of the last ten epochs"),
    Metric("selected", "test accuracy at the epoch selected on noisy labels"),
    Metric("best_oracle", "best test accuracy of all epochs", oracle=True),
)
_MEMORISATION = _by_name(
    Metric("clean_accuracy", "rightly labelled training images predicted so"),
    Metric("memorised", "wrong labels memorised", "lower"),
    Metric("corrected", "mislabelled training images predicted right"),
)
_RUN = _by_name(
    Metric("balanced_accuracy", "mean of the classes' test accuracies in the last epoch"),
    Metric("ece", "expected calibration error on the test set", "lower"),
    Metric("noise_rate", "labels that are wrong", ""),
    Metric("seconds", "seconds of training and evaluation", "lower", share=False, decimals=1),
    Metric("images_per_second", "training images per second", share=False, decimals=0),
    Metric("peak_memory", "peak memory in GB", "lower", share=False),
)

#: What every run has at its end, by name.
OF_THE_END = _ACCURACY | _MEMORISATION | _RUN

#: Columns of ``metrics.jsonl``; of those that are not here nobody knows which way is better.
_OF_AN_EPOCH = _MEMORISATION | _by_name(
    Metric("test_accuracy", "test accuracy"),
    Metric("test_balanced_accuracy", "mean of the classes' test accuracies"),
    Metric("train_loss", "mean of what was minimised", "", share=False, decimals=3),
    Metric("validation_accuracy", "accuracy on held-out noisy labels"),
    Metric("selection_auc", "right labels told from wrong ones, area under ROC"),
    Metric("selection_precision", "labels held for right that are"),
    Metric("selection_recall", "right labels that are held for right"),
    Metric("correction_accuracy", "suggested labels that are true"),
)

_FURTHER = "test_accuracy_"  # of further test sets, by their names
_OF_A_CLASS = {
    "recall.": "images of {} that are predicted as it",
    "precision.": "images predicted as {} that are of it",
}

#: What a table shows where nothing else is asked for, as papers report it.
USUAL = ("last", "mean_last_10")


def metric_of_runs(name: str, runs: Sequence[Run]) -> Metric:
    """
    Return what a table can show: a number of ``summary.json``, or a column of ``metrics.jsonl`` in the last epoch.

    A class has two numbers: ``recall.NAME`` and ``precision.NAME``.

    Raises:
        ParameterError: the runs have no such number.

    """
    return OF_THE_END.get(name) or _of_class(name, runs) or _column(name, runs, tuple(OF_THE_END))


def metric_of_epochs(name: str, runs: Sequence[Run]) -> Metric:
    """
    Return what a picture can show by epoch: a column of ``metrics.jsonl``.

    Raises:
        ParameterError: the runs have no such column, or nothing in it.

    """
    return _column(name, runs, ())


def at_the_end(run: Run, metric: Metric) -> float | None:
    """Return a run's number; None where it was not measured. A run that diverged ended with its last whole epoch."""
    name, result = metric.name, run.result
    if name in _ACCURACY:
        return result.test_accuracy.get(name)
    if name in _RUN:
        value: float | None = getattr(result, name)
        return value
    if name in _MEMORISATION and result.memorisation:
        return result.memorisation.get(name)
    if name.startswith(tuple(_OF_A_CLASS)):
        key, _, label = name.partition(".")
        return next((one.get(key) for one in result.per_class if one["name"] == label), None)
    values = by_epoch(run, metric)
    return values[-1] if values else None


def by_epoch(run: Run, metric: Metric) -> list[float | None]:
    """Return a column of ``metrics.jsonl``, a value for each epoch, None where it was not measured."""
    return [row.get(metric.name) for row in run.metrics]


def _of_class(name: str, runs: Sequence[Run]) -> Metric | None:
    kind = next((kind for kind in _OF_A_CLASS if name.startswith(kind)), None)
    if kind is None:
        return None
    label, known = name.removeprefix(kind), dict.fromkeys(one["name"] for run in runs for one in run.result.per_class)
    if label not in known:
        raise ParameterError(
            f"metric {name}: the runs have no class {label}.{did_you_mean(label, known)} They have {', '.join(known)}."
        )
    return Metric(name, _OF_A_CLASS[kind].format(label))


def _column(name: str, runs: Sequence[Run], others: Sequence[str]) -> Metric:
    columns = (key for run in runs for row in run.metrics[:1] for key in row if key != "epoch")
    known = dict.fromkeys((*others, *columns))
    if name not in known:
        raise ParameterError(
            f"metric {name}: the runs have no such number.{did_you_mean(name, known)} They have {', '.join(known)}."
        )
    metric = _OF_AN_EPOCH.get(name, Metric(name, better="", share=False, decimals=None))
    if name.startswith(_FURTHER):
        metric = Metric(name, f"test accuracy on {name.removeprefix(_FURTHER)}")
    if all(value is None for run in runs for value in by_epoch(run, metric)):
        raise ParameterError(f"metric {name}: it was not measured in any of the runs.")
    return metric
