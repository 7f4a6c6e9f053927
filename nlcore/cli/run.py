"""``nl run``: train and measure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nlcore.cli.options import ComponentCommand, HelpRows, flag, help_rows, option
from nlcore.config.experiment import resolve
from nlcore.config.launched import with_launched
from nlcore.config.recipe import SHORTHANDS, Overrides, read_recipe
from nlcore.config.settings import SHORT_NAMES, Storage, TrainingSettings
from nlcore.rundir.result import Result

if TYPE_CHECKING:
    from nlcore.config.experiment import Experiment

_PRESETS = {
    "preset NAME": "start from a recipe that ships with a package: 'nl presets' lists them",
    "scale FLOAT": "shorten the run and all that counts epochs by this factor, for a trial  [1]",
}
_FLAGS = {
    "dry_run": "print the plan, with an estimate of the time, and do nothing else",
    "fresh": "start over in a new directory, whatever is there",
    "json": "end with one line of JSON on stdout",
    "quiet": "print nothing on stderr but errors",
    "help": "show this and exit; with components named, their parameters",
}


class RunCommand(ComponentCommand):
    """``nl run``: every component, and every setting."""

    def experiment(self, ctx: click.Context) -> Experiment:
        """Return the experiment that the command line and its recipe describe."""
        return resolve(*_layers(ctx))

    def sections(self, experiment: Experiment) -> list[tuple[str, HelpRows]]:
        """Return how it is trained, where things lie, and what the command does."""
        return [
            ("Presets", [(f"--{name}", text) for name, text in _PRESETS.items()]),
            ("Training", help_rows(TrainingSettings, experiment.settings)),
            ("Storage", help_rows(Storage, experiment.storage)),
            ("This command", [(f"--{flag(name)}", text) for name, text in _FLAGS.items()]),
        ]


def setting_options() -> Iterator[click.Option]:
    """Yield an option for each slot and each setting of a run."""
    for slot in RunCommand.slots:
        yield click.Option([f"--{slot}"])
    for name in SHORT_NAMES:
        yield click.Option([f"--{flag(name)}", name])
    for cls in (TrainingSettings, Storage):
        for item in fields(cls):
            yield option(cls, item.name)
    for name in SHORTHANDS:
        yield click.Option([f"--{name}"])


def given_settings(ctx: click.Context) -> dict[str, object]:
    """Return what was given for these options, and for the components' parameters."""
    settings = (item.name for cls in (TrainingSettings, Storage) for item in fields(cls))
    names = [*RunCommand.slots, *SHORT_NAMES, *SHORTHANDS, *settings]
    return {**{name: ctx.params[name] for name in names if ctx.params[name] is not None}, **ctx.obj}


def _options() -> Iterator[click.Parameter]:
    yield click.Argument(["recipe"], required=False, type=click.Path(path_type=Path))
    yield from setting_options()
    for name in _FLAGS:
        yield click.Option([f"--{flag(name)}", *(["-h"] if name == "help" else []), name], is_flag=True)


@click.command(cls=RunCommand, params=list(_options()), add_help_option=False, options_metavar="[OPTIONS]")
@click.pass_context
def run(ctx: click.Context, /, **options: Any) -> int:
    """
    Train a classifier on noisy labels and measure it.

    RECIPE is a TOML file with the names below, and a table for each component. What is given on the command line
    goes before it. With nothing given: cross-entropy on CIFAR-10, 2,000 images a class, 50 % symmetric noise.
    """
    if options["help"]:
        click.echo(ctx.get_help())
        return 0
    layers = _layers(ctx)
    if not (options["dry_run"] or options["fresh"]):
        known = _finished(layers, options["quiet"])
        if known is not None:
            return report(known, options["json"])

    from nlcore.runs.start import execute, plan_only
    from nlcore.runs.terminal import Terminal, print_plan

    terminal = Terminal(options["quiet"])
    if options["dry_run"]:
        experiment = resolve(*with_launched(layers))
        plan = plan_only(experiment, terminal)
        if options["json"]:
            click.echo(json.dumps({"plan": plan, "config": experiment.config()}))
        else:
            print_plan(plan)
        return 0
    result = execute(layers, terminal, options["fresh"])
    return report(result, options["json"], terminal.speaks)


def report(result: Result, as_json: bool, speaks: bool = True) -> int:
    """Print a result, unless another process does, and return the exit code it stands for."""
    if not speaks:
        pass
    elif as_json:
        click.echo(json.dumps(result.to_json()))
    else:
        for line in result.lines():
            click.echo(line)
    return 0 if result.status == "done" else 1


def _layers(ctx: click.Context) -> list[Overrides]:
    """Return the layers of settings that the command line names: its recipe, then the options."""
    recipe = ctx.params["recipe"]
    return [*([read_recipe(recipe)] if recipe else []), given_settings(ctx)]


def _finished(layers: list[Overrides], quiet: bool) -> Result | None:
    """Return the run that these settings have led to already; nothing heavy is imported for it."""
    from nlcore.runs.recognise import recognised

    known = recognised(layers)
    if known is not None and not quiet:
        click.echo(f"{known.run_dir}: this run is {known.status} already.", err=True)
    return known
