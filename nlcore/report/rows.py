"""Which runs make a row of a report where nobody has said it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nlcore.errors import UserError
from nlcore.studies.groups import Groups, Row, differing, group
from nlcore.studies.read import Run

#: What stands for the name of a run where every run is a row.
RUN = "run"

_FIRST = ("loss", "strategy")  # what is compared, as a rule: the first word is the baseline's


@dataclass(frozen=True)
class Rows:
    """
    The rows of a report.

    Attributes:
        groups: the rows.
        why_single: why every run is a row of its own; empty where runs that differ in their seeds alone share one.

    """

    groups: Groups
    why_single: str = ""


def rows_of(runs: Sequence[Run], by: Sequence[str]) -> Rows:
    """
    Return the runs in rows.

    Args:
        runs: at least one.
        by: what tells rows apart, as `group` takes it; where nothing is given, all that the runs differ in, seeds
            aside. Where such rows are not possible, each run is a row.

    Raises:
        UserError: what was given is not possible.

    """
    if by:
        return Rows(group(runs, by))
    try:
        return Rows(group(runs, _all_that_differs(runs)))
    except UserError as error:
        rows = tuple(Row((shown_name(run),), (run,)) for run in runs)
        return Rows(Groups((RUN,), rows), str(error))


def shown_name(run: Run) -> str:
    """Return the name of a run's directory, in which any bytes may be; what cannot be shown is written out."""
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in run.name)


def _all_that_differs(runs: Sequence[Run]) -> list[str]:
    """Return the words in which runs differ, losses and strategies first; the loss where they do not differ."""
    words = differing(runs) or ["loss"]
    return sorted(words, key=lambda word: word.partition(".")[0] not in _FIRST)
