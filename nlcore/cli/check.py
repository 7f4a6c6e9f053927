"""``nl check TARGET``: the conformance suite, on a plugin or one component."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nlcore.cli.options import given_parameters
from nlcore.errors import UserError, plural

if TYPE_CHECKING:
    from nlcore.checks import Outcome
    from nlcore.host.registry import Entry


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("target")
@click.option("--data-dir", help="folder of the data, for datasets  [default: NL_DATA_DIR, else your cache directory]")
@click.option("--json", "as_json", is_flag=True, help="as one line of JSON")
@click.argument("parameters", nargs=-1, type=click.UNPROCESSED, metavar="[--KIND.PARAMETER VALUE]...")
def check(target: str, data_dir: str | None, as_json: bool, parameters: tuple[str, ...]) -> int:
    """
    Check that a plugin's components do what their kinds ask.

    TARGET is an installed package, a component as KIND:NAME, or a plugin's .py file. Each component is checked with its
    defaults, and with each set of parameters that it names as checked_with; or, of a component as KIND:NAME, with the
    parameters given here, as in 'nl check strategy:mine --strategy.warm_up 1'. Ends with 1 where a check failed, with 0
    otherwise.
    """
    given = given_parameters(target.partition(":")[0], target, parameters)
    if data_dir is not None:
        os.environ["NL_DATA_DIR"] = data_dir
    if target.endswith(".py"):
        _load_file(Path(target))
    from nlcore.checks import run_checks
    from nlcore.checks.suite import find
    from nlcore.host.registry import registry

    entries = find(target)
    if given:
        registry().create(entries[0].kind, registry().display_name(entries[0]), given)  # a slip is one sentence
    outcomes = []
    for entry in entries:
        of_entry = run_checks([entry], given)
        outcomes += of_entry
        if not as_json:  # one by one: some take a while
            _print(entry, of_entry)
    if as_json:
        click.echo(
            json.dumps({"target": target, **_counts(outcomes), "checks": [asdict(outcome) for outcome in outcomes]})
        )
    else:
        components = plural(len({outcome.component for outcome in outcomes}), "component")
        click.echo(f"{target}: {components}, {_in_words(outcomes)}")
    return 1 if _counts(outcomes)["failed"] else 0


def _load_file(path: Path) -> None:
    """Have the registry load a file as a plugin."""
    if not path.is_file():
        raise UserError(f"There is no file {path}.")
    before = os.environ.get("NL_PLUGIN_PATH", "")
    os.environ["NL_PLUGIN_PATH"] = os.pathsep.join(filter(None, [before, str(path.absolute())]))


def _print(entry: Entry, outcomes: list[Outcome]) -> None:
    from nlcore.cli.output import print_table

    click.echo(f"{outcomes[0].component} ({entry.distribution} {entry.version})")
    rows = [(outcome.check, outcome.status, outcome.reason or outcome.rule) for outcome in outcomes]
    print_table(("check", "status", "rule, or why not"), rows)
    click.echo(f"{_in_words(outcomes)}\n")


def _counts(outcomes: list[Outcome]) -> dict[str, int]:
    statuses: list[str] = [outcome.status for outcome in outcomes]
    return {status: statuses.count(status) for status in ("passed", "failed", "expected failure", "not applicable")}


def _in_words(outcomes: list[Outcome]) -> str:
    """Return ``17 checks run: 16 passed, 1 failed; 2 not applicable``."""
    counts = _counts(outcomes)
    run = counts["passed"] + counts["failed"]
    words = f"{plural(run, 'check')} run: {counts['passed']} passed, {counts['failed']} failed"
    for status in ("expected failure", "not applicable"):
        words += f"; {counts[status]} {status}" if counts[status] else ""
    return words
