"""``nl table``: all finished runs, one row each."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import click

from nlcore.cli.output import output_option, print_table, print_text
from nlcore.cli.table_by import print_by
from nlcore.config.published import Published, published_or_none
from nlcore.errors import UserError, plural
from nlcore.parameters import show_value
from nlcore.rundir.figures import interval_in_words
from nlcore.rundir.find import run_names, short_name
from nlcore.rundir.result import Result

_Cells = Mapping[str, Callable[[Result], str]]

_WORDS: _Cells = {
    "dataset": lambda run: run.components["dataset"],
    "noise": lambda run: run.components["noise"],
    "wrong": lambda run: _percent(run.noise_rate),
    "architecture": lambda run: run.components["architecture"],
    "loss": lambda run: run.components["loss"],
    "strategy": lambda run: run.components["strategy"],
    "seed": lambda run: str(run.seed),
    "noise seed": lambda run: str(run.noise_seed),
    "epochs": lambda run: str(run.epochs),
}
_NUMBERS: _Cells = {
    "last": lambda run: _percent(run.test_accuracy.get("last")),
    "last 10": lambda run: _percent(run.test_accuracy.get("mean_last_10")),
    "selected": lambda run: _percent(run.test_accuracy.get("selected")),
    "published": lambda run: _published(run),
    "difference": lambda run: _difference(run),
    "memorised": lambda run: _percent(run.memorisation.get("memorised")),
}
_WIDE: _Cells = {
    "best (oracle)": lambda run: _percent(run.test_accuracy.get("best_oracle")),
    "corrected": lambda run: _percent(run.memorisation.get("corrected")),
    "time": lambda run: "" if run.seconds is None else f"{run.seconds:,.0f} s",
    "images/s": lambda run: "" if run.images_per_second is None else f"{run.images_per_second:,.0f}",
    "GB": lambda run: "" if run.peak_memory is None else f"{run.peak_memory:.1f}",
    "labels": lambda run: (run.labels_sha256 or "")[:6],
}
_INTERVAL = "accuracy_interval"
_ALIGNED = ("wrong", "seed", "noise seed", "epochs", *_NUMBERS, *_WIDE)


@click.command()
@click.argument("runs", required=False, default="runs", type=click.Path(path_type=Path))
@click.option("--wide", is_flag=True, help="all columns, with whole names")
@click.option("--columns", metavar="NAMES", help="these numbers in place of the usual ones: last,ece,recall.cat")
@click.option("--json", "as_json", is_flag=True, help="as one line of JSON")
@click.option("--by", metavar="WORDS", help="mean ± std over seeds, a row for each value of these: loss,noise.rate")
@click.option(
    "--baseline", metavar="VALUE", help="with --by: what rows are held against, of its first word: cross_entropy"
)
@click.option("--metric", metavar="NAMES", help="with --by: what is shown  [default: last,mean_last_10]")
@click.option(
    "--format",
    type=click.Choice(("text", "md", "latex", "csv", "json", "html")),
    help="with --by  [default: what FILE's suffix says, else text]",
)
@output_option(help="with --by: write the table to a file")
def table(
    runs: Path,
    wide: bool,
    columns: str | None,
    as_json: bool,
    by: str | None,
    baseline: str | None,
    metric: str | None,
    format: str | None,
    output: Path | None,
) -> None:
    """
    Show all finished runs, one row each; with --by, one row for all seeds.

    RUNS is the folder of run directories, or one of them. What is the same in all runs stands above the table.
    "run" is a name that other commands take; "wrong" is the share of wrong labels that were trained on;
    "parameters" are those that differ from their defaults.

    Accuracies are on the test set: of the last epoch, the mean of the last ten, and of the epoch selected on held-out
    noisy data. Of runs with a preset that is a paper's setting, "published" is the paper's figure and "difference" how
    many points the mean of the last ten epochs is above it. "memorised" is the share of the wrong labels that the
    model predicts. A further test set of the data has a column of its name, the last epoch's accuracy. --wide adds the
    best of all epochs (an oracle, and so is a method that was told the noise rate), the share of the mislabelled images
    that the model classifies correctly, time, speed, memory, and a sign that is the same for the same given labels.

    --by takes nl run's words: loss, loss.q, noise.rate, epochs, lr, preset. Runs of one row may differ in their seeds
    alone. With --baseline a row also has its paired difference to it over equal seeds and labels, with a 95 % interval.
    --metric and --columns take last, mean_last_10, selected, best_oracle, memorised, corrected, clean_accuracy,
    balanced_accuracy, ece, recall.CLASS, precision.CLASS, seconds, images_per_second, peak_memory, and columns of
    metrics.jsonl; --columns also accuracy_interval, 95 %. docs/studies.md tells how everything is computed.
    """
    if columns is not None and (wide or as_json or by is not None):
        raise click.UsageError("--columns goes without --wide, --json and --by, whose numbers --metric chooses.")
    if by is not None:
        if wide or (as_json and format not in (None, "json")):
            raise click.UsageError("--by goes without --wide, and with --json or another --format, not both.")
        print_by(runs, by, baseline, metric, "json" if as_json else format, output)
        return
    options = {"--baseline": baseline, "--metric": metric, "--format": format, "--out": output}
    without = [name for name, value in options.items() if value is not None]
    if without:
        raise click.UsageError(f"{without[0]} is for tables over seeds: add --by, for instance --by loss.")
    if not runs.is_dir():
        raise UserError(f"There is no folder {runs}. 'nl run' makes it; or name another one: nl table FOLDER.")
    one = (runs / "summary.json").is_file()
    names = [runs.name] if one else run_names(runs)
    results = []
    for name in names:
        try:
            results.append(Result.read(runs if one else runs / name))
        except UserError as error:  # one damaged run is no reason to hide the others
            click.echo(f"left out: {error}", err=True)
    _read_once.cache_clear()
    finished = [result for result in results if result.status in ("done", "diverged")]
    if as_json:
        click.echo(json.dumps([result.to_json() for result in finished]))
    elif wide:
        _print_wide(finished)
    elif finished:
        _print(finished, names, columns)
    if not names:
        click.echo(f"There are no runs in {runs}.", err=True)
    left_out = len(results) - len(finished)
    if left_out and not as_json:
        click.echo(f"{plural(left_out, 'unfinished run')} not shown.", err=True)


def _print(runs: Sequence[Result], names: Sequence[str], chosen: str | None) -> None:
    """Print what differs as columns, and what does not in a sentence; the usual numbers where none are chosen."""
    in_all = [f"{title} {cell(runs[0])}" for title, cell in _WORDS.items() if len({cell(run) for run in runs}) == 1]
    shared = dict(set.intersection(*(set(_parameters(run).items()) for run in runs)))
    numbers = {**_NUMBERS, **_further(runs)} if chosen is None else _chosen(chosen, runs)
    columns: dict[str, Callable[[Result], str]] = {
        "run": lambda run: short_name(run.run_dir.name, names),
        **{title: cell for title, cell in _WORDS.items() if len({cell(run) for run in runs}) > 1},
        "parameters": lambda run: _listed(_parameters(run), shared),
        **numbers,
        "remarks": _remarks,
    }
    asked = () if chosen is None else tuple(numbers)
    titles = [title for title, cell in columns.items() if title in asked or any(cell(run) for run in runs)]
    in_all += [f"{name} {value}" for name, value in sorted(shared.items())]
    if in_all:
        print_text(f"{'all runs' if len(runs) > 1 else 'one run'}: {', '.join(in_all)}")
        click.echo()
    print_table(titles, [[columns[title](run) for title in titles] for run in runs], (*_ALIGNED, *numbers))


def _chosen(names: str, runs: Sequence[Result]) -> _Cells:
    """
    Return the columns of these names, separated by commas.

    Raises:
        ParameterError: the runs have no such number.

    """
    from nlcore.studies.metrics import at_the_end, metric_of_runs
    from nlcore.studies.read import read_run

    whole = {result.run_dir: read_run(result) for result in runs}

    def cell(name: str) -> Callable[[Result], str]:
        if name == _INTERVAL:
            return lambda run: interval_in_words(run.accuracy_interval) if run.accuracy_interval else ""
        metric = metric_of_runs(name, [*whole.values()])

        def show(run: Result) -> str:
            value = at_the_end(whole[run.run_dir], metric)
            return "" if value is None else f"{metric.show(value)}{'%' if metric.share else ''}"

        return show

    return {name: cell(name) for name in map(str.strip, names.split(","))}


def _print_wide(runs: Sequence[Result]) -> None:
    further = _further(runs)
    columns: dict[str, Callable[[Result], str]] = {
        "run": lambda run: run.run_dir.name,
        **_WORDS,
        "parameters": lambda run: _listed(_parameters(run), {}),
        **_NUMBERS,
        **further,
        **_WIDE,
        "remarks": _remarks,
    }
    cells = [[cell(run) for cell in columns.values()] for run in runs]
    print_table(list(columns), cells, (*_ALIGNED, *further))


def _further(runs: Sequence[Result]) -> _Cells:
    """Return a column for each further test set that a run has: the accuracy of the last epoch."""
    names = dict.fromkeys(name for run in runs for name in run.further_tests)
    return {name: functools.partial(_last_on, name) for name in names}


def _last_on(name: str, run: Result) -> str:
    return _percent(run.further_tests.get(name, {}).get("last"))


def _parameters(run: Result) -> dict[str, str]:
    return {name: show_value(value) for name, value in run.options.items()}


def _listed(parameters: Mapping[str, str], but: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {value}" for name, value in parameters.items() if name not in but)


def _remarks(run: Result) -> str:
    status = [] if run.status == "done" else [run.status]
    unlike = run.preset.get("unlike", ()) if _published(run) else ()
    other = [f"not as published: {', '.join(unlike)}"] if unlike else []
    return ", ".join([*status, *other, *(f"oracle: {oracle}" for oracle in run.oracles)])


def _cited(run: Result) -> Published | None:
    """Return the figure that the run's preset cites; the preset's file is read once."""
    return _read_once(run.preset["name"]) if run.preset else None


_read_once = functools.lru_cache(published_or_none)


def _published(run: Result) -> str:
    found = _cited(run)
    return "" if found is None else _percent(found.figure)


def _difference(run: Result) -> str:
    """Return in points how far the last epoch, or the mean of the last ten where there are as many, is above it."""
    found = _cited(run)
    ours = run.test_accuracy.get("mean_last_10" if run.epochs >= 20 else "last")
    if found is None or found.figure is None or ours is None:
        return ""
    return f"{100 * (ours - found.figure):+.2f}"


def _percent(value: float | None) -> str:
    return "" if value is None else f"{value:.2%}"
