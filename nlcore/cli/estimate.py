"""``nl estimate``: how many labels of a run are wrong, and which for which."""

from __future__ import annotations

import json
from typing import Any

import click

from nlcore.cli.options import given_parameters
from nlcore.host.registry import registry

SHOWN_CLASSES = 20  # a matrix of more is only in the file


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("run")
@click.option("--estimator", "names", multiple=True, help="one by name, may be repeated  [default: all]")
@click.option("--folds", type=click.IntRange(2, 20), default=5, show_default=True, help="parts, each held out once")
@click.option("--epochs", type=click.IntRange(1), help="of each network  [default: 10, or 300 steps if that is more]")
@click.option("--data-dir", help="folder of the data, where they have moved")
@click.option("--runs-dir", default="runs", show_default=True, help="folder that RUN is looked up in")
@click.option("--json", "as_json", is_flag=True, help="as one line of JSON on stdout")
@click.option("--quiet", is_flag=True, help="print nothing on stderr but errors")
@click.argument("parameters", nargs=-1, type=click.UNPROCESSED, metavar="[--estimator.PARAMETER VALUE]...")
def estimate(
    run: str,
    names: tuple[str, ...],
    folds: int,
    epochs: int | None,
    data_dir: str | None,
    runs_dir: str,
    as_json: bool,
    quiet: bool,
    parameters: tuple[str, ...],
) -> int:
    """
    Estimate the noise rate and the transition matrix of a run's labels, without their truth.

    RUN is its name as 'nl table' shows it, or its directory. Its training set is cut into parts; each is predicted by a
    network that has learnt the others, with the run's architecture and settings and cross-entropy. From these
    predictions each estimator finds its figure, under the assumption that stands beside it. They are kept as
    estimate.json in the run's directory. An estimator that is named alone takes its parameters, as in
    'nl estimate RUN --estimator anchors --estimator.percentile 100'; 'nl show anchors' lists them.
    """
    from nlcore.rundir.find import find_run
    from nlcore.runs.estimation import estimate_run
    from nlcore.runs.terminal import Terminal

    kind = "estimator"
    entries = [registry().find(kind, name) for name in names] or list(registry().of_kind(kind))
    given = given_parameters(kind, names[0] if names else "an estimator", parameters)
    if given and len(entries) > 1:
        raise click.UsageError("--estimator.PARAMETER is for one estimator: name it alone, as in --estimator anchors.")
    found = estimate_run(find_run(run, runs_dir), entries, given, folds, epochs, data_dir, Terminal(quiet))
    if as_json:
        click.echo(json.dumps(found))
        return 0
    _print(found)
    return 0


def _print(found: dict[str, Any]) -> None:
    from nlcore.cli.output import print_table, print_text

    rows = [
        (one["name"], _percent(one["rate"]), "; ".join(text for text in (one["note"], one["assumes"]) if text))
        for one in found["estimates"]
    ]
    print_text(
        f"{found['samples']:,} training samples, predicted by networks that have not seen them: "
        f"{found['agreement']:.2%} of the predictions are the given label"
    )
    click.echo()
    print_table(("estimator", "wrong labels", "note and assumption"), rows, ("wrong labels",))
    if found["true_rate"] is not None:
        click.echo(f"\nin truth: {found['true_rate']:.2%}")
    with_matrix = [one for one in found["estimates"] if one["transition"] is not None]
    first = min(with_matrix, key=lambda one: one["name"] != "confident_joint", default=None)  # what a run would ask
    if first is not None and len(found["classes"]) <= SHOWN_CLASSES:
        click.echo(f"\n{first['name']}: how often each true class (row) is given as which, in %\n")
        lines = [
            (name, *(f"{100 * value:.0f}" for value in row))
            for name, row in zip(found["classes"], first["transition"], strict=True)
        ]
        print_table(("", *found["classes"]), lines, tuple(found["classes"]), gap=1)


def _percent(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.2%}"
