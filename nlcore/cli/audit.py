"""``nl audit``: which labels are wrong, and how many; ``nl audit apply``: from decisions to a table of labels."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nlcore.audits.settings import AuditSettings, layers_of_runs, read_settings
from nlcore.cli.consensus import consensus
from nlcore.cli.options import HelpRows, flag, help_rows
from nlcore.cli.run import RunCommand, given_settings, setting_options
from nlcore.config.experiment import resolve
from nlcore.config.recipe import Overrides, read_recipe
from nlcore.config.settings import Storage, TrainingSettings
from nlcore.errors import UserError, did_you_mean

if TYPE_CHECKING:
    from nlcore.audits.result import Audit
    from nlcore.config.experiment import Experiment

_OWN = tuple(item.name for item in fields(AuditSettings))
_FLAGS = {
    "json": "end with one line of JSON on stdout",
    "quiet": "print nothing on stderr but errors",
    "help": "show this and exit; with components named, their parameters",
}
_PRESETS = {
    "preset NAME": "how networks are trained, instead of the audit's own recipe: 'nl presets audit' shows that",
    "scale FLOAT": "shorten what counts epochs by this factor, for a trial  [1]",
}


_COMMANDS = [
    ("nl audit apply AUDIT DECISIONS", "from decisions to a table of labels"),
    ("nl audit consensus ANNOTATIONS", "from the labels of several annotators to one"),
]


class AuditCommand(RunCommand):
    """``nl audit``: an audit's settings and those of a run; what is called like a command of its own is one."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """Take the first word for a command where it is one."""
        inner = {str(command.name): command for command in (apply, consensus)}
        if args and args[0] in inner:
            return inner[args[0]].make_context(f"{info_name} {args[0]}", args[1:], parent, **extra)
        meant = did_you_mean(args[0], inner) if args and not Path(args[0]).exists() else ""
        if meant:
            raise UserError(f"{args[0]!r} is no command of nl audit, and no recipe either.{meant}")
        return super().make_context(info_name, args, parent, **extra)

    def experiment(self, ctx: click.Context) -> Experiment:
        """Return the experiment of the audit's networks."""
        return resolve(*layers_of_runs(_layers(ctx), _settings(ctx)))

    def sections(self, experiment: Experiment) -> list[tuple[str, HelpRows]]:
        """Return the audit's settings, how its networks are trained, where things lie, and what the command does."""
        stored = tuple(item.name for item in fields(Storage) if item.name not in _UNUSED)
        trained = tuple(item.name for item in fields(TrainingSettings) if item.name not in _UNUSED)
        return [
            ("Audit", help_rows(AuditSettings, AuditSettings())),
            ("Presets", [(f"--{name}", text) for name, text in _PRESETS.items()]),
            ("Training of its networks", help_rows(TrainingSettings, experiment.settings, trained)),
            ("Storage", help_rows(Storage, experiment.storage, stored)),
            ("This command", [(f"--{name}", text) for name, text in _FLAGS.items()]),
            ("Commands", _COMMANDS),
        ]


#: Settings of a run that an audit sets itself, or does in any case.
_UNUSED = ("validation", "trusted", "exclude", "runs_dir", "histories")


def _options() -> Iterator[click.Parameter]:
    yield click.Argument(["recipe"], required=False, type=click.Path(path_type=Path))
    for name in _OWN:
        yield click.Option([f"--{flag(name)}", name])
    yield from setting_options()
    for name in _FLAGS:
        yield click.Option([f"--{name}", *(["-h"] if name == "help" else []), name], is_flag=True)


@click.command("audit", cls=AuditCommand, params=list(_options()), add_help_option=False, options_metavar="[OPTIONS]")
@click.pass_context
def audit(ctx: click.Context, /, **options: Any) -> int:
    """
    Find out which labels of a data set are wrong, and how many.

    What is certain comes first: unreadable files, copies with different labels. Then each label is judged by networks
    that have not seen it: parts are held out in turn, and a small network with a robust loss learns the others; with
    --architecture of pretrained weights nothing is trained but a linear model. The folder audits/NAME gets a page to
    go through by keyboard, issues.csv with all samples, the most suspicious first, and probabilities.npz. The same
    command goes on after a crash, and repeats nothing.

    RECIPE is a TOML file as of 'nl run', and every setting of a run may be given but --exclude, --validation and
    --trusted: an audit looks at all labels.

    \b
    nl audit --dataset image_folder --dataset.folder photos
    nl audit apply audits/NAME decisions.csv -o cleaned.csv
    nl run --dataset csv --dataset.train cleaned.csv
    """  # noqa: D301  (click's own mark: the lines below it stay as they are)
    if options["help"]:
        click.echo(ctx.get_help())
        return 0
    given, settings = _layers(ctx), _settings(ctx)
    from nlcore.audits.directory import find_recognised
    from nlcore.audits.result import Audit

    known = find_recognised(given, settings)
    if known is not None:  # nothing heavy is imported for it
        if not options["quiet"]:
            click.echo(f"{known.path}: this audit is done already.", err=True)
        return _report(Audit.read(known.path), options["json"])
    from nlcore.report.audit.audit import audit as find_issues
    from nlcore.runs.terminal import Terminal

    return _report(find_issues(given, settings, Terminal(options["quiet"])), options["json"])


@click.command()
@click.argument("audit_dir", metavar="AUDIT", type=click.Path(path_type=Path))
@click.argument("decisions", type=click.Path(path_type=Path))
@click.option("-o", "--out", "output", metavar="FILE", required=True, type=click.Path(path_type=Path))
def apply(audit_dir: Path, decisions: Path, output: Path) -> int:
    """
    Write the table of labels that decisions lead to; no image is touched.

    AUDIT is the audit's folder, DECISIONS the decisions.csv that its page saves. Dropped samples are left out,
    relabelled ones have their new label, all others the given one. Where samples are files, the table is one that
    'nl run --dataset csv --dataset.train FILE' reads; else it is one for --labels FILE.
    """
    from nlcore.audits.result import Audit
    from nlcore.cli.output import check_output

    check_output(output, reads=[decisions])
    counts = Audit.read(audit_dir).apply(decisions, output)
    click.echo(", ".join(f"{name} {count:,}" for name, count in counts.items()))
    click.echo(f"written: {output}", err=True)
    return 0


def _report(found: Audit, as_json: bool) -> int:
    from nlcore.audits.result import table_of_figures
    from nlcore.cli.output import print_table

    if as_json:
        click.echo(json.dumps({**found.summary, "audit_dir": str(found.audit_dir)}))
        return 0
    for line in found.lines():
        click.echo(line)
    if found.summary["figures"]:
        wrong, judged = found.summary["truly_wrong"], found.summary["judged"]
        click.echo(f"\nin truth {wrong:,} of {judged:,} labels are wrong:\n")
        titles, rows = table_of_figures(found.summary["figures"])
        print_table(titles, rows, titles[1:])
    return 0


def _layers(ctx: click.Context) -> list[Overrides]:
    recipe = ctx.params["recipe"]
    return [*([read_recipe(recipe)] if recipe else []), given_settings(ctx)]


def _settings(ctx: click.Context) -> AuditSettings:
    return read_settings({name: ctx.params[name] for name in _OWN if ctx.params[name] is not None})
