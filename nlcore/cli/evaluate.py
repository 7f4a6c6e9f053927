"""``nl evaluate``: a trained model's figures, by class and with intervals."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nlcore.cli.options import take_parameters
from nlcore.cli.output import check_output, print_table, write
from nlcore.errors import UserError, plural
from nlcore.rundir.figures import balanced, interval_in_words
from nlcore.rundir.find import find_model

if TYPE_CHECKING:
    from nlcore.runs.evaluation import Evaluation

_IN_A_ROW = 10  # up to so many classes a row of the matrix fits into 80 columns


class EvaluateCommand(click.Command):
    """A command that takes the parameters of a dataset, ``--dataset.folder`` and the like."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take the dataset's parameters out, then parse."""
        plain, ctx.obj = take_parameters(("dataset",), args)
        return super().parse_args(ctx, plain)


def _picture(name: str, help: str, *more: str) -> click.Option:
    return click.Option([*more, name], metavar="FILE", type=click.Path(path_type=Path), help=help)


@click.command(
    cls=EvaluateCommand,
    params=[
        click.Argument(["run"]),
        click.Argument(["place"], required=False, metavar="[FOLDER]", type=click.Path(path_type=Path)),
        click.Option(["--dataset"], metavar="NAME", help="another dataset  [the run's]; --dataset.* as in nl run"),
        click.Option(["--labels"], metavar="FILE", help="other labels by id, as in nl run"),
        click.Option(["--data-dir"], metavar="DIR", help="folder of the data, where they have moved"),
        click.Option(["--no-download"], is_flag=True, help="never download data"),
        click.Option(["--device"], default="cpu", show_default=True, help="auto, cpu, cuda or cuda:N"),
        click.Option(["--runs-dir"], default="runs", show_default=True, help="folder that RUN is looked up in"),
        _picture("--out", "write the confusion matrix as a picture, PNG", "-o"),
        _picture("--reliability", "write accuracy by confidence as a picture, PNG"),
        _picture("--mistakes", "write a sheet of the worst mistakes, PNG"),
        click.Option(["--json", "as_json"], is_flag=True, help="one line of JSON on stdout instead of the tables"),
        click.Option(["--quiet"], is_flag=True, help="print nothing on stderr but errors"),
    ],
)
@click.pass_context
def evaluate(
    ctx: click.Context,
    /,
    run: str,
    place: Path | None,
    dataset: str | None,
    labels: str | None,
    data_dir: str | None,
    no_download: bool,
    device: str,
    runs_dir: str,
    out: Path | None,
    reliability: Path | None,
    mistakes: Path | None,
    as_json: bool,
    quiet: bool,
) -> int:
    """
    Measure a trained model: accuracy, figures by class, calibration, the worst mistakes.

    RUN is the name of a finished run as 'nl table' shows it, or its directory. Measured is on the test set of its
    dataset, or of the one that is named, or on all images of FOLDER, which has a folder for each class or is a CSV with
    the columns path and label. Classes are known by their names.

    Intervals are Wilson's at 95 %: with 300 images an accuracy of 90 % may be 86 or 93 %. ECE is the expected
    calibration error in 15 bins. Where labels may be wrong, it stands beside the accuracy.
    """
    pictures = {"out": out, "reliability": reliability, "mistakes": mistakes}
    for path in pictures.values():
        if path is not None:
            check_output(path, "a picture", (".png",))
    given = {"dataset": dataset, "data_dir": data_dir, "no_download": no_download or None}
    layer = {**{name: value for name, value in given.items() if value is not None}, **ctx.obj}
    if place is not None and labels is not None:
        raise click.UsageError(
            f"--labels {labels}: gives labels to a dataset's test images, by their ids. For the images of {place} list "
            f"them in a CSV with the columns path and label, and name it in the place of {place}: nl evaluate {run} CSV"
        )
    if place is not None and any(name.partition(".")[0] == "dataset" for name in layer):
        raise click.UsageError("Give a folder or a dataset to measure on, not both.")
    if place is not None and not place.exists():
        raise UserError(f"There is no folder {place}.")
    run_dir = find_model(run, runs_dir)

    from nlcore.rundir.figure_pictures import COLUMNS, ROWS
    from nlcore.runs.evaluation import evaluate_dataset, evaluate_files
    from nlcore.runs.model import load_model
    from nlcore.runs.terminal import Terminal

    model = load_model(run_dir, device)
    unreadable: list[Path] = []

    def leave_out(path: Path, why: str) -> None:
        unreadable.append(path)
        click.echo(f"{path} cannot be read as an image: {why}", err=True)

    shown, terminal = COLUMNS * ROWS, Terminal(quiet)
    if place is not None:
        found = evaluate_files(model, place, leave_out, terminal, shown)
    else:
        found = evaluate_dataset(model, run_dir, layer, labels, terminal, shown)
    _draw(found, out, reliability, mistakes)
    if as_json:
        click.echo(json.dumps({"run": str(run_dir), **found.to_json(), "unreadable": [str(one) for one in unreadable]}))
    else:
        _print(found)
    return 1 if unreadable else 0


def _draw(found: Evaluation, confusion: Path | None, reliability: Path | None, mistakes: Path | None) -> None:
    """Write the pictures that were asked for."""
    from nlcore.rundir.figure_pictures import draw_counts, draw_mistakes, draw_reliability, headline, mistake_in_words

    figures, rows = found.figures, found.labels
    title = f"{found.data}, {plural(figures.count, 'image')}\n{headline(figures, found.against)}"
    if confusion is not None:
        write(confusion, draw_counts(figures, title, rows))
    if reliability is not None:
        write(reliability, draw_reliability(figures, title))
    if mistakes is not None:
        images = [one.image for one in found.mistakes]
        words = [
            mistake_in_words(figures.classes[one.label], figures.classes[one.predicted], one.probability, rows)
            for one in found.mistakes
        ]
        wrong = figures.count - figures.right
        about = f"the {len(images)} most confident of {wrong:,} mistakes" if wrong else "no mistakes"
        write(mistakes, draw_mistakes(images, words, f"{title}; {about}"))


def _print(found: Evaluation) -> None:
    from nlcore.rundir.figure_pictures import headline

    figures, rows = found.figures, found.labels
    click.echo(f"{found.data}: {plural(figures.count, 'image')}")
    click.echo(headline(figures, found.against))
    mean = balanced(figures.per_class)
    click.echo(f"balanced accuracy {mean:.2%}, ECE {100 * figures.calibration.ece:.2f} points\n")
    names = _names(figures.classes)
    titles = ["class", "images", "recall %", "95% interval", "precision %"]
    cells = [
        [
            name,
            f"{one['count']:,}",
            _percent(one["recall"]),
            interval_in_words(one["interval"]) if one["interval"] else "",
            _percent(one["precision"]),
        ]
        for name, one in zip(names, figures.per_class, strict=True)
    ]
    print_table(titles, cells, titles[1:])
    click.echo()
    _print_confusion(found, names, rows)
    if found.mistakes:
        click.echo("\nThe most confident mistakes:")
        titles = ["image", rows, "predicted", "%"]
        print_table(
            titles,
            [
                [one.name, figures.classes[one.label], figures.classes[one.predicted], f"{100 * one.probability:.1f}"]
                for one in found.mistakes[:5]
            ],
            ["%"],
        )


def _print_confusion(found: Evaluation, names: Sequence[str], rows: str) -> None:
    """Print the counts; of many classes, what each is taken for most often."""
    counts, K = found.figures.confusion, len(names)
    if K <= _IN_A_ROW:
        click.echo(f"Images of each {rows} class (rows), predicted as (columns):")
        columns = [str(number) for number in range(K)]
        print_table([rows, *columns], [[names[i], *map(_count, counts[i].tolist())] for i in range(K)], columns)
        return
    click.echo(f"What each {rows} class is taken for most often:")
    pairs = []
    for i in range(K):
        others = [j for j in (-counts[i]).argsort(kind="stable").tolist() if j != i and counts[i, j]][:3]
        pairs.append([names[i], ", ".join(f"{names[j]} {counts[i, j]:,}" for j in others)])
    print_table([rows, "predicted as (images)"], [pair for pair in pairs if pair[1]])


def _names(classes: Sequence[str]) -> list[str]:
    """Return the classes with their numbers, which head the columns."""
    return [name if name == str(number) else f"{number} {name}" for number, name in enumerate(classes)]


def _count(count: int) -> str:
    return f"{count:,}" if count else "."


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.2f}"
