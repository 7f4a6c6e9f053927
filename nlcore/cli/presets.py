"""``nl presets``: recipes that ship with a package."""

from __future__ import annotations

import json

import click

from nlcore.host.registry import registry


@click.command("presets")
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="as one line of JSON")
def presets(name: str | None, as_json: bool) -> None:
    """
    List the presets, for nl run --preset NAME; print one as a recipe.

    'nl presets NAME > mine.toml' gives a recipe to edit, for 'nl run mine.toml'.
    """
    from nlcore.config.recipe import preset_text

    if name is not None:
        text = preset_text(name)
        click.echo(json.dumps({"name": name, "recipe": text}) if as_json else text.rstrip())
        return
    known = registry()
    rows = [
        {
            "name": known.display_name(entry),
            "summary": entry.component.summary,
            "plugin": f"{entry.distribution} {entry.version}",
        }
        for entry in known.of_kind("preset")
    ]
    if as_json:
        click.echo(json.dumps(rows))
        return
    from nlcore.cli.output import print_table

    columns = ("name", "summary", "plugin")
    print_table(columns, [[row[column] for column in columns] for row in rows])
