"""``nl list-plugins``: everything there is to choose from."""

from __future__ import annotations

import json

import click

from nlcore.registry import KINDS, Entry, Registry, registry


@click.command("list-plugins")
@click.option("--kind", type=click.Choice(KINDS), help="only this kind")
@click.option("--json", "as_json", is_flag=True, help="as one line of JSON")
def list_plugins(kind: str | None, as_json: bool) -> None:
    """List all components and who brought them."""
    known = registry()
    kinds = [kind] if kind else list(KINDS)
    rows = [_row(known, entry) for one in kinds for entry in known.of_kind(one)]
    if as_json:
        click.echo(json.dumps(rows))
        return
    from nlcore.cli.output import print_table

    columns = ("kind", "name", "summary", "paper", "plugin")
    print_table(columns, [[row[column] for column in columns] for row in rows])


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
