"""``nl sweep``: many runs, one for each combination of values."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nlcore.cli.options import HelpRows, help_row, take_parameters
from nlcore.cli.run import RunCommand, given_settings, setting_options
from nlcore.host.registry import registry

if TYPE_CHECKING:
    from nlcore.studies.study import State
    from nlcore.studies.sweep import Study

LONGEST_TABLE = 50  # lines
_OWN = {
    "executor": "where the runs are computed: 'nl list-plugins --kind executor' lists all  [local]",
    "dry_run": "list the runs with how far each is, and how long the rest takes",
    "json": "end with one line of JSON on stdout",
    "quiet": "print nothing on stderr but errors",
    "help": "show this and exit",
}


class SweepCommand(click.Command):
    """A command that takes every setting of a run, and the executor's parameters."""

    slots = (*RunCommand.slots, "executor")

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take the components' options out, then parse."""
        plain, ctx.obj = take_parameters(self.slots, args)
        return super().parse_args(ctx, plain)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write what the command adds to the settings of a run."""
        sections: list[tuple[str, HelpRows]] = [
            ("Settings", [("--SETTING VALUE[,VALUE...]", "every one of a run: 'nl run --help' lists them")]),
            ("This command", [(f"--{name.replace('_', '-')}{_metavar(name)}", text) for name, text in _OWN.items()]),
        ]
        name = ctx.params.get("executor") or "local"
        declared = registry().signature(registry().find("executor", name))[1].values()
        rows = [help_row(f"--executor.{item.name}", item, item.default) for item in declared]
        for title, found in [*sections, (f"Parameters of executor {name}", rows)]:
            if found:
                with formatter.section(title):
                    formatter.write_dl(found)


def _metavar(name: str) -> str:
    return " NAME" if name == "executor" else ""


_PARAMETERS: list[click.Parameter] = [
    click.Argument(["study"], required=False, type=click.Path(path_type=Path)),
    *setting_options(),
    click.Option(["--executor"], default="local"),
    *(click.Option([f"--{name.replace('_', '-')}", name], is_flag=True) for name in ("dry_run", "json", "quiet")),
    click.Option(["--help", "-h", "help"], is_flag=True),
]


@click.command("sweep", cls=SweepCommand, params=_PARAMETERS, add_help_option=False, options_metavar="[OPTIONS]")
@click.pass_context
def sweep(ctx: click.Context, /, **options: Any) -> int:
    """
    Run every combination of several values: a study.

    Every setting of 'nl run' may have several values, separated by commas; of whole numbers 1-3 stands for 1,2,3. STUDY
    is a TOML file with the same names: a recipe for what all runs share, lists in a table [grid], and tables [[cell]]
    of settings that go together. What is given on the command line goes before it.

    Each run has a directory as 'nl run' makes it. The same command again computes what is missing, after a crash too;
    'nl table RUNS --by loss,noise.rate' and 'nl plot' show what came out.

    \b
    nl sweep --dataset digits --loss gce,elr --noise.rate 0.2,0.5 --seed 1-3
    """  # noqa: D301  (click's own mark: the line below it stays as it is)
    if options["help"]:
        click.echo(ctx.get_help())
        return 0
    from nlcore.studies.grid import Grid, read_study, split
    from nlcore.studies.sweep import find

    parameters = {key: value for key, value in ctx.obj.items() if key.startswith("executor.")}
    ctx.obj = {key: value for key, value in ctx.obj.items() if key not in parameters}
    file = options["study"]
    every = find(file, *split(given_settings(ctx), read_study(file) if file else Grid()))
    executor = registry().create(
        "executor", options["executor"], {key.removeprefix("executor."): value for key, value in parameters.items()}
    )
    if options["dry_run"]:
        return _dry_run(every, executor, options["json"])
    return _compute(every, executor, options["json"], options["quiet"])


def _dry_run(every: Sequence[State], executor: Any, as_json: bool) -> int:
    """Print how far each run is and how long the rest takes; all that is missing is checked."""
    from nlcore.cli.output import print_table
    from nlcore.studies.study import at_once, count, jobs, seconds_left

    todo = jobs([state for state in every if not state.ended])
    seconds = seconds_left(every, at_once(executor, todo))
    if as_json:
        click.echo(json.dumps({"runs": [_as_json(state) for state in every], "seconds_left": seconds}))
        return 0
    rows = [
        (
            state.cell.name,
            state.word,
            "" if state.result is None else f"{state.epochs}/{state.result.epochs}",
            "" if state.result is None else state.result.run_dir.name[-8:],
        )
        for state in every
    ]
    print_table(("run", "is", "epochs", "directory"), rows, ("epochs",))
    click.echo(f"\n{count(every)}{_time_in_words(seconds) if todo else ''}")
    return 0


def _compute(every: Sequence[State], executor: Any, as_json: bool, quiet: bool) -> int:
    """Have what is missing computed; say what came out and what did not."""
    from nlcore.studies.study import count
    from nlcore.studies.sweep import run_study

    study = run_study(every, executor, quiet)
    after = study.states
    if as_json:
        click.echo(json.dumps({"runs": [_as_json(state) for state in after]}))
    else:
        click.echo(count(after))
        for state in after:
            if state.word != "done":
                why = f": {state.message}" if state.message else ""
                click.echo(f"{state.word}: {state.cell.name}{why}\n  {state.cell.command}")
        if len(study.results) > 1:
            _print_table(study)
    return 0 if all(state.word == "done" for state in after) else 1


def _print_table(study: Study) -> None:
    """Print the study's table where it is of a size to be read at once; say how to get it in other forms."""
    table = study.table()
    if table.count("\n") <= LONGEST_TABLE:
        click.echo(f"\n{table}")
    click.echo(f"nl table {study.folder} --by {','.join(study.by) or 'loss'}")


def _as_json(state: State) -> Mapping[str, object]:
    result = state.result
    return {
        "words": {key: str(value) for key, value in state.cell.words.items()},
        "command": state.cell.command,
        "status": state.word,
        "epochs_done": state.epochs,
        "run_dir": None if result is None else str(result.run_dir),
        "test_accuracy": None if result is None else dict(result.test_accuracy),
        "message": state.message,
    }


def _time_in_words(seconds: float | None) -> str:
    from nlcore.runs.terminal import seconds_in_words

    return "; nothing is measured yet" if seconds is None else f"; about {seconds_in_words(seconds)} left"
