"""``nl plot``: the curves of many runs in one picture."""

from __future__ import annotations

from pathlib import Path

import click

from nlcore.cli.output import check_output, output_option, write
from nlcore.cli.table_by import finished_runs, words


@click.command()
@click.argument("runs", required=False, default="runs", type=click.Path(path_type=Path))
@click.option("--by", required=True, metavar="WORDS", help="a line for each value of these: loss, or loss,noise.rate")
@click.option("--metric", metavar="NAME", help="a column of metrics.jsonl  [default: test_accuracy; with --bars: last]")
@click.option("--bars", is_flag=True, help="bars of what runs ended with, in place of lines over epochs")
@output_option(help=".png, .svg or .pdf  [default: curves.png]")
def plot(runs: Path, by: str, metric: str | None, bars: bool, output: Path | None) -> None:
    """
    Draw many runs in one picture: lines over epochs, with bands over seeds.

    RUNS is the folder of run directories. --by takes nl run's words, as nl table --by does: runs that differ in their
    seeds alone are one line, their mean, in a band of one standard deviation. With several words each value of the last
    one has a panel of its own.

    --metric takes test_accuracy, train_loss, memorised, corrected, clean_accuracy and every other column of
    metrics.jsonl. With --bars it takes what nl table --metric takes; whiskers are 95 % intervals of the mean (Student's
    t), dots are runs.
    """
    from nlcore.studies.groups import group
    from nlcore.studies.metrics import metric_of_epochs, metric_of_runs
    from nlcore.studies.pictures import SUFFIXES, bars_figure, curves_figure, drawn_as

    output = output or Path("bars.png" if bars else "curves.png")
    check_output(output, "a picture", SUFFIXES)
    found = finished_runs(runs)
    groups = group(found, words("--by", by))
    if bars:
        figure = bars_figure(groups, metric_of_runs(metric or "last", found))
    else:
        figure = curves_figure(groups, metric_of_epochs(metric or "test_accuracy", found))
    write(output, drawn_as(figure, output.suffix.lower()))
