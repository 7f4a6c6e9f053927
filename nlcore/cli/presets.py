"""``nl presets``: recipes that ship with a package."""

from __future__ import annotations

import dataclasses
import fnmatch
import json
from typing import Any

import click

from nlcore.config.published import Published, published, published_or_none
from nlcore.errors import UserError
from nlcore.host.registry import Entry, registry


@click.command("presets")
@click.argument("name", required=False)
@click.option("--wide", is_flag=True, help="all columns")
@click.option("--json", "as_json", is_flag=True, help="as one line of JSON")
def presets(name: str | None, wide: bool, as_json: bool) -> None:
    """
    List the presets, for nl run --preset NAME; print one as a recipe.

    NAME may be a pattern: 'divide_mix*' lists those alone. A preset that is a paper's setting cites the test accuracy
    that was published for it: of the last epochs, else of the best one. 'nl presets NAME > mine.toml' gives a recipe to
    edit, for 'nl run mine.toml'.
    """
    from nlcore.config.recipe import preset_text

    known = registry()
    if name is not None and not set("*?[") & set(name):
        text, cited = preset_text(name), published(name)
        content = {"name": name, "recipe": text, "published": None if cited is None else dataclasses.asdict(cited)}
        click.echo(json.dumps(content) if as_json else text.rstrip())
        return
    entries = [one for one in known.of_kind("preset") if name is None or fnmatch.fnmatchcase(one.name, name)]
    if not entries and name is not None:
        raise UserError(f"There is no preset like {name!r}. 'nl presets' without it lists all.")
    found = [
        (entry, published_or_none(known.display_name(entry))) for entry in entries
    ]  # one that is broken hides none
    if as_json:
        click.echo(json.dumps([_row(known.display_name(entry), entry, cited) for entry, cited in found]))
        return
    from nlcore.cli.output import print_table

    rows = [_cells(known.display_name(entry), entry, cited) for entry, cited in found]
    more = ("epochs", "network", "source", "plugin") if wide else ("summary",)
    columns = [title for title in ("name", "published", *more) if any(row[title] for row in rows)]
    print_table(columns, [[row[title] for title in columns] for row in rows], ("epochs",))


def _row(name: str, entry: Entry, cited: Published | None) -> dict[str, Any]:
    return {
        "name": name,
        "summary": entry.component.summary,
        "plugin": f"{entry.distribution} {entry.version}",
        "published": None if cited is None else dataclasses.asdict(cited),
    }


def _cells(name: str, entry: Entry, cited: Published | None) -> dict[str, str]:
    about = {"name": name, "summary": entry.component.summary, "plugin": f"{entry.distribution} {entry.version}"}
    if cited is None:
        return {**about, **dict.fromkeys(("published", "epochs", "network", "source"), "")}
    shown = {"published": str(cited), "epochs": str(cited.epochs), "network": cited.network, "source": cited.source}
    return {**about, **shown}
