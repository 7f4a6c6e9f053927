"""The page of ``nl report``: a study in one HTML file that loads nothing."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nlcore.errors import UserError
from nlcore.report.curves import curves_of
from nlcore.report.details import Details, details
from nlcore.report.rows import RUN, Rows, rows_of, shown_name
from nlcore.rundir.find import short_name
from nlcore.studies.formats import FORMATS
from nlcore.studies.groups import show_key
from nlcore.studies.layout import table_of
from nlcore.studies.metrics import USUAL, Metric, at_the_end
from nlcore.studies.read import Found, Run
from nlcore.version import __version__

#: Of so many runs a report has the details; it lists all.
MOST_DETAILS = 200


@dataclass(frozen=True)
class _Line:
    """
    A run in the list of runs.

    Attributes:
        name: of its directory.
        short: the end of it that tells it from the others.
        said: what tells it apart, in words.
        cells: what tells it apart, its seeds and its status.
        numbers: its own, as they are shown.
        details: None where they are left out or cannot be read.
        why_none: why they cannot be read.

    """

    name: str
    short: str
    said: str
    cells: tuple[str, ...]
    numbers: tuple[str, ...]
    details: Details | None
    why_none: str


@dataclass(frozen=True)
class Report:
    """
    A report.

    Attributes:
        html: the page.
        rows: what makes its rows.

    """

    html: str
    rows: Rows


def report(
    found: Found,
    title: str,
    command: str,
    by: Sequence[str] = (),
    metrics: Sequence[str] = USUAL,
    baseline: str | None = None,
) -> Report:
    """
    Return a study as a page.

    Args:
        found: its runs, at least one.
        title: of the page.
        command: what makes the page again.
        by: what makes a row; where nothing is given, see `nlcore.report.rows.rows_of`.
        metrics: numbers of a row, as ``nl table --metric`` takes them.
        baseline: what rows are held against, as ``nl table --baseline`` takes it.

    Raises:
        UserError: an unknown word, or rows that are not possible.

    """
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    runs = found.runs
    rows = rows_of(runs, by)
    layout = table_of(runs, rows.groups, metrics, baseline)
    words = [word for word in rows.groups.by if word != RUN]
    ordered = [run for row in rows.groups.rows for run in row.runs]
    names = list(map(shown_name, ordered))
    lines = [
        _line(run, short_name(shown_name(run), names), words, layout.metrics, place < MOST_DETAILS)
        for place, run in enumerate(ordered)
    ]
    environment = Environment(
        loader=PackageLoader("nlcore.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    script = environment.get_template("report.js").render()
    html = environment.get_template("report.html.j2").render(
        title=title,
        command=command,
        version=__version__,
        script=Markup(script),
        script_digest=_digest(script),
        found=found,
        why_single=rows.why_single,
        table=Markup(FORMATS["html"](layout)),  # as_html escapes
        curves=[(one, Markup(one.svg)) for one in curves_of(rows.groups, layout.metrics, runs)],
        words=words,
        metrics=layout.metrics,
        lines=lines,
        most_details=MOST_DETAILS,
    )
    return Report(html, rows)


def _line(run: Run, short: str, words: Sequence[str], metrics: Sequence[Metric], with_details: bool) -> _Line:
    result = run.result
    told: Mapping[str, str] = {word: show_key(run.words.get(word)) for word in words}
    values = [(metric, at_the_end(run, metric)) for metric in metrics]
    numbers = tuple("–" if value is None else metric.show(value) for metric, value in values)
    more, why_none = None, ""
    if with_details:
        try:
            more = details(run)
        except UserError as error:  # the others are no worse for it
            why_none = str(error)
    said = ", ".join([*(f"{word} {value}" for word, value in told.items()), f"seed {result.seed}"])
    cells = (*told.values(), str(result.seed), str(result.noise_seed), result.status)
    return _Line(shown_name(run), short, said, cells, numbers, more, why_none)


def _digest(script: str) -> str:
    """Return a script's digest for the page's policy: no other script runs in it."""
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
