"""``nl list-plugins``: everything there is to choose from."""

from __future__ import annotations

import fnmatch
import json

import click

from nlcore.errors import UserError, did_you_mean
from nlcore.host.hookspecs import KINDS
from nlcore.host.registry import Entry, Registry, registry


@click.command("list-plugins")
@click.argument("pattern", required=False)
@click.option("--kind", type=click.Choice(tuple(KINDS)), help="only this kind")
@click.option("--wide", is_flag=True, help="also the plugin and the paper of each")
@click.option("--json", "as_json", is_flag=True, help="as one line of JSON")
def list_plugins(pattern: str | None, kind: str | None, wide: bool, as_json: bool) -> None:
    """
    List all components and presets.

    PATTERN shows only names like it: 'resnet*', or 'my-plugin/*' for all of one plugin. Presets that are papers'
    settings are counted; 'nl presets' lists them.
    """
    known = registry()
    kinds = [kind] if kind else list(KINDS)
    entries = [entry for one in kinds for entry in known.of_kind(one)]
    if pattern is not None:
        entries = _matching(entries, pattern, kind)
    if as_json:
        click.echo(json.dumps([_row(known, entry) for entry in entries]))
        return
    protocols = 0
    if pattern is None and kind is None:  # more than a hundred lines that nobody reads
        shown = [entry for entry in entries if not (entry.kind == "preset" and "-" in entry.name)]
        protocols, entries = len(entries) - len(shown), shown
    rows = [_row(known, entry) for entry in entries]
    from nlcore.cli.output import print_table

    columns = ["kind", "name", "summary"]
    if wide or not all(entry.builtin for entry in entries):
        columns.append("plugin")
    if wide:
        columns.append("paper")
    print_table(columns, [[row[column] for column in columns] for row in rows])
    if protocols:
        click.echo(f"\n{protocols} more presets are papers' settings: 'nl presets' lists them.")


def _matching(entries: list[Entry], pattern: str, kind: str | None) -> list[Entry]:
    found = [
        entry
        for entry in entries
        if fnmatch.fnmatchcase(entry.name, pattern) or fnmatch.fnmatchcase(entry.full_name, pattern)
    ]
    if not found:
        near = did_you_mean(pattern.strip("*?"), {entry.name: None for entry in entries})
        raise UserError(
            f"There is no {kind or 'component'} like {pattern!r}.{near} 'nl list-plugins' without it lists all."
        )
    return found


def _row(known: Registry, entry: Entry) -> dict[str, str]:
    return {
        "kind": entry.kind,
        "name": known.display_name(entry),
        "summary": entry.component.summary,
        "paper": entry.component.paper,
        "plugin": f"{entry.distribution} {entry.version}",
        "distribution": entry.distribution,
        "version": entry.version,
        "target": entry.component.target,
    }
