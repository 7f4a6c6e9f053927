"""``nl report``: a study as a page."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from nlcore.cli.output import check_output, output_option, write
from nlcore.cli.table_by import found_runs, words


@click.command()
@click.argument("runs", required=False, default="runs", type=click.Path(path_type=Path))
@click.option("--by", metavar="WORDS", help="a row for each value of these  [default: all that the runs differ in]")
@click.option("--baseline", metavar="NAME", help="what rows are held against, as in nl table")
@click.option("--metric", metavar="NAMES", help="the table's numbers, as in nl table  [default: last,mean_last_10]")
@output_option(default="report.html", show_default=True)
def report(runs: Path, by: str | None, baseline: str | None, metric: str | None, output: Path) -> None:
    """
    Write a study as one HTML file, to look at, hand on and print.

    RUNS is the folder of run directories. The page loads nothing from elsewhere. It has the table of nl table --by,
    which a click on a heading sorts, the curves of nl plot, and a list of all runs. Of each run, the first 200 where
    there are more, it has the numbers, per-class accuracy, the confusion matrix, settings, notes, and the command that
    repeats it.

    Without --by all that the runs differ in, seeds aside, tells rows apart. Where such rows are not possible, each run
    is a row, and the page says why.
    """
    from nlcore.report.page import report as page
    from nlcore.studies.metrics import USUAL

    check_output(output, "a page", (".html", ".htm"))
    chosen = [] if by is None else words("--by", by)
    names = USUAL if metric is None else words("--metric", metric)
    given = {"--by": by, "--baseline": baseline, "--metric": metric}
    typed = [word for option, value in given.items() if value is not None for word in (option, value)]
    command = shlex.join(["nl", "report", str(runs), *typed, "-o", str(output)])
    made = page(found_runs(runs), f"Report: {runs.resolve().name}", command, chosen, names, baseline)
    if made.rows.why_single:
        click.echo(f"Each run is a row. {made.rows.why_single}", err=True)
    write(output, made.html.encode(errors="backslashreplace"))
