"""``nl table``: all finished runs, one row each."""

from __future__ import annotations

import json
from pathlib import Path

import click

from nlcore.errors import UserError
from nlcore.parameters import show_value
from nlcore.rundir.result import Result

_WORDS = ("dataset", "noise", "wrong", "labels", "architecture", "loss", "strategy", "parameters", "seeds", "epochs")
_NUMBERS = ("last", "mean of last 10", "selected", "best (oracle)", "time", "images/s", "GB")


@click.command()
@click.argument("runs", required=False, default="runs", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="as one line of JSON")
def table(runs: Path, as_json: bool) -> None:
    """
    Show all finished runs, one row each.

    RUNS is the folder of run directories, or one of them. Runs with the same sign under "labels" were trained on the
    same given labels; "parameters" are those that differ from their defaults.

    Accuracies are on the test set: of the last epoch, the mean of the last ten, of the epoch selected on held-out noisy
    data, and the best of all epochs. The last is an oracle, and so is a method that was told the noise rate.
    """
    if not runs.is_dir():
        raise UserError(f"There is no folder {runs}. 'nl run' makes it; or name another one: nl table FOLDER.")
    folders = [runs] if (runs / "summary.json").is_file() else sorted(runs.iterdir())
    results = []
    for folder in folders:
        if (folder / "summary.json").is_file():
            try:
                results.append(Result.read(folder))
            except UserError as error:  # one damaged run is no reason to hide the others
                click.echo(f"left out: {error}", err=True)
    finished = [result for result in results if result.status in ("done", "diverged")]
    if as_json:
        click.echo(json.dumps([result.to_json() for result in finished]))
        return
    from nlcore.cli.output import print_table

    print_table([*_WORDS, *_NUMBERS, "remarks", "run"], [_cells(result) for result in finished], _NUMBERS)
    left_out = len(results) - len(finished)
    if left_out:
        click.echo(f"{left_out} unfinished {'run is' if left_out == 1 else 'runs are'} not shown.", err=True)


def _cells(result: Result) -> list[str]:
    test = result.test_accuracy
    remarks = [f"oracle: {oracle}" for oracle in result.oracles]
    if result.status != "done":
        remarks.insert(0, result.status)
    return [
        result.components["dataset"],
        result.components["noise"],
        _percent(result.noise_rate),
        (result.labels_sha256 or "")[:6],
        result.components["architecture"],
        result.components["loss"],
        result.components["strategy"],
        ", ".join(f"{name} {show_value(value)}" for name, value in result.options.items()),
        f"{result.seed}/{result.noise_seed}",
        str(result.epochs),
        *(_percent(test.get(name)) for name in ("last", "mean_last_10", "selected", "best_oracle")),
        "" if result.seconds is None else f"{result.seconds:,.0f} s",
        "" if result.images_per_second is None else f"{result.images_per_second:,.0f}",
        "" if result.peak_memory is None else f"{result.peak_memory:.1f}",
        ", ".join(remarks),
        result.run_dir.name,
    ]


def _percent(value: float | None) -> str:
    return "" if value is None else f"{value:.2%}"
