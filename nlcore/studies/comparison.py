"""The rows of a table against each other: difference to a baseline, and which one is best."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nlcore.errors import ParameterError, UserError, did_you_mean
from nlcore.host import suggest
from nlcore.studies.groups import Groups, Row, show_key
from nlcore.studies.metrics import Metric, at_the_end
from nlcore.studies.statistics import Difference, Spread, best_of, holm, paired, significantly_best, spread

#: In place of its difference, of the baseline itself.
BASELINE = "baseline"


@dataclass(frozen=True)
class Compared:
    """
    One number of one row.

    Attributes:
        row: its runs.
        metric: which number.
        spread: over the runs that have it.
        difference: to the baseline, over equal seeds, noise seeds and labels; None where there is none.
        p_holm: the difference's p-value, adjusted by Holm over all differences of this number in the table.
        no_difference: why there is none although a baseline was named; `BASELINE` of the baseline itself.
        best: whether its mean is the best of its column.
        significant: whether it is so significantly, see `nlcore.studies.statistics.significantly_best`.

    """

    row: Row
    metric: Metric
    spread: Spread
    difference: Difference | None = None
    p_holm: float | None = None
    no_difference: str = ""
    best: bool = False
    significant: bool = False


@dataclass(frozen=True)
class Baseline:
    """
    What the rows of a table are held against: ``{"loss": "cross_entropy"}``.

    A row's baseline has these values, and the row's own in all other words but parameters of what is named here.
    """

    values: Mapping[str, Any]

    @property
    def text(self) -> str:
        """As it is typed: ``cross_entropy``, or ``loss gce, loss.q 0.7`` of several."""
        if len(self.values) == 1:
            return show_key(next(iter(self.values.values())))
        return ", ".join(f"{word} {show_key(value)}" for word, value in self.values.items())

    def partners(self, groups: Groups) -> dict[tuple[Any, ...], Row]:
        """
        Return the rows that others are held against, by the context that they share with them.

        Raises:
            UserError: several rows could be meant.

        """
        found: dict[tuple[Any, ...], Row] = {}
        for row in groups.rows:
            if self.is_met_by(row, groups.by):
                twin = found.setdefault(context_of(row, groups.by, self.values), row)
                if twin is not row:
                    words = zip(groups.by, twin.key, strict=True)
                    said = ",".join(f"{word}={show_key(value)}" for word, value in words if value is not None)
                    raise UserError(
                        f"baseline {self.text}: it may be the row {groups.named(twin.key)} or {groups.named(row.key)}. "
                        f"Say which: {said}."
                    )
        return found

    def is_met_by(self, row: Row, by: Sequence[str]) -> bool:
        """Return whether a row has the values that are named."""
        has = dict(zip(by, row.key, strict=True))
        return all(has[word] == value for word, value in self.values.items())


def context_of(row: Row, by: Sequence[str], compared: Mapping[str, Any] | Sequence[str]) -> tuple[Any, ...]:
    """Return a row's values in the words that are the same where these are compared: not their parameters either."""
    return tuple(
        value
        for word, value in zip(by, row.key, strict=True)
        if word not in compared and word.partition(".")[0] not in compared
    )


def read_baseline(text: str, groups: Groups) -> Baseline:
    """
    Return what ``--baseline`` names: a value of the first word in ``--by``, or ``loss=gce,loss.q=0.7``.

    Raises:
        ParameterError: a word that is not in ``--by``, or a value that no row has.

    """
    if not text.strip():
        there = dict.fromkeys(show_key(row.key[0]) for row in groups.rows)
        raise ParameterError(f"baseline: name a value of {groups.by[0]}. There are {', '.join(there)}.")
    values = {}
    for part in text.split(",") if "=" in text else [f"{groups.by[0]}={text}"]:
        typed, _, value = (piece.strip() for piece in part.partition("="))
        word = typed.replace("-", "_")
        if word not in groups.by:
            raise ParameterError(f"baseline {text}: {typed} is not in by, where there is {', '.join(groups.by)}.")
        there = {show_key(row.key[groups.by.index(word)]): row.key[groups.by.index(word)] for row in groups.rows}
        if value not in there:
            alias = suggest.COMPONENTS.get(word, {}).get(value.lower(), value)
            raise ParameterError(
                f"baseline {text}: no run has {word} {value}.{did_you_mean(alias, there)} There are {', '.join(there)}."
            )
        values[word] = there[value]
    baseline = Baseline(values)
    if not any(baseline.is_met_by(row, groups.by) for row in groups.rows):
        raise ParameterError(f"baseline {text}: no row has all of these values.")
    return baseline


def compare(groups: Groups, metric: Metric, baseline: Baseline | None = None) -> list[Compared]:
    """
    Return one number of every row, with its difference to the baseline, and which one is best.

    The best is looked for among rows that agree in every word but the first of ``--by`` (the baseline's, where one is
    named) and its parameters: a column of a matrix.
    """
    partners = baseline.partners(groups) if baseline else {}
    rows = [Compared(row, metric, _spread(row, metric)) for row in groups.rows]
    if baseline:
        rows = [_against(one, partners.get(context_of(one.row, groups.by, baseline.values)), baseline) for one in rows]
    tested = [one.difference.p for one in rows if one.difference is not None and one.difference.p is not None]
    adjusted = iter(holm(tested))
    rows = [
        dataclasses.replace(one, p_holm=next(adjusted)) if one.difference and one.difference.p is not None else one
        for one in rows
    ]
    return _with_best(rows, groups.by, tuple(baseline.values) if baseline else groups.by[:1])


def _spread(row: Row, metric: Metric) -> Spread:
    return spread([value for run in row.runs if (value := at_the_end(run, metric)) is not None])


def _against(one: Compared, other: Row | None, baseline: Baseline) -> Compared:
    if other is one.row:
        return dataclasses.replace(one, no_difference=BASELINE)
    if other is None:
        return dataclasses.replace(one, no_difference=f"there is no {baseline.text} to hold it against")
    found = pair(one.row, other, one.metric)
    if isinstance(found, str):
        return dataclasses.replace(one, no_difference=found)
    return dataclasses.replace(one, difference=found)


def pair(row: Row, other: Row, metric: Metric) -> Difference | str:
    """Return the paired difference over the runs of equal seeds and labels, or why there is none."""
    labels = {run.result.noise_seed: run.result.labels_sha256 for run in other.runs}
    for run in row.runs:
        sha256 = run.result.labels_sha256
        if labels.get(run.result.noise_seed, sha256) != sha256 or sha256 is None:
            return "trained on other labels than the baseline"
    partners = {run.seeds: run for run in other.runs}
    common = [(run, partners[run.seeds]) for run in row.runs if run.seeds in partners]
    values = [(at_the_end(run, metric), at_the_end(partner, metric)) for run, partner in common]
    known = [(value, base) for value, base in values if value is not None and base is not None]
    if not known:
        return "no run of the same seeds as the baseline's"
    return paired([value for value, _ in known], [base for _, base in known])


def _with_best(rows: Sequence[Compared], by: Sequence[str], compared: Sequence[str]) -> list[Compared]:
    found = list(rows)
    columns: dict[tuple[Any, ...], dict[int, float]] = {}
    for place, one in enumerate(rows):
        if one.spread.mean is not None:
            columns.setdefault(context_of(one.row, by, compared), {})[place] = one.spread.mean
    for means in columns.values():
        better = rows[next(iter(means))].metric.better
        if len(means) < 2 or not better:
            continue
        place = best_of(means, better)
        best = rows[place]
        significant = significantly_best([_ahead(best, rows[other]) for other in means if other != place])
        found[place] = dataclasses.replace(best, best=True, significant=significant)
    return found


def _ahead(best: Compared, other: Compared) -> Difference | None:
    """Return how much better the best is than another row, above 0 where it is; None where they cannot be paired."""
    rows = (best.row, other.row) if best.metric.better == "higher" else (other.row, best.row)
    found = pair(*rows, best.metric)
    return found if isinstance(found, Difference) else None
