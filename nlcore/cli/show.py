"""``nl show [KIND] NAME``: one component's manual page."""

from __future__ import annotations

import inspect
import re

import click

from nlcore.errors import UserError, did_you_mean
from nlcore.host.hookspecs import KINDS, component_kinds
from nlcore.host.registry import Entry, Registry, registry
from nlcore.parameters import show_value

#: Kinds whose parameters no command takes.
_IN_PYTHON = ("detector",)


@click.command()
@click.argument("words", nargs=-1, required=True, metavar="[KIND] NAME")
@click.option("--cite", is_flag=True, help="only its paper, as BibTeX")
def show(words: tuple[str, ...], cite: bool) -> None:
    """
    Show a component's equation, parameters and paper.

    KIND is needed where a name is one of several kinds: 'nl show dataset csv', or as one word dataset:csv.
    """
    known = registry()
    kind, _, name = ":".join(words).rpartition(":")
    entry = _find(known, name, kind)
    if cite:
        click.echo(_bibtex(entry))
        return
    cls, parameters = known.signature(entry)
    click.echo(f"{entry.kind} {known.display_name(entry)} ({entry.distribution} {entry.version})\n")
    click.echo(inspect.getdoc(cls) or entry.component.summary)
    if parameters:
        from nlcore.cli.output import print_table

        click.echo()
        slot = KINDS[entry.kind].slots[0].name if KINDS[entry.kind].slots else entry.kind
        option = "" if entry.kind in _IN_PYTHON else f"--{slot}."
        rows = [(f"{option}{i.name}", show_value(i.default), i.allowed, i.help) for i in parameters.values()]
        print_table(("parameter", "default", "allowed", "meaning"), rows)
        if not option:
            made = f'"{entry.kind}", "{known.display_name(entry)}", {next(iter(parameters))}=...'
            click.echo(f"\nin Python: nlcore.create({made})")
    click.echo()
    if entry.component.paper:
        click.echo(f"paper:  {entry.component.paper}")
    click.echo(f"source: {inspect.getsourcefile(cls)}")


def _bibtex(entry: Entry) -> str:
    """Return the component's BibTeX entry; of an arXiv number alone, one that finds the paper."""
    component = entry.component
    if component.bibtex:
        return component.bibtex.strip()
    arxiv = re.fullmatch(r"(?i:arxiv):\s*(\S+)", component.paper)
    if not arxiv:
        who = f"The {entry.kind} {entry.name} of {entry.distribution}"
        raise UserError(f"{who} names {component.paper or 'no paper'} and has no BibTeX to cite.")
    number = arxiv[1]
    fields = {"eprint": number, "archivePrefix": "arXiv", "url": f"https://arxiv.org/abs/{number}"}
    lines = [f"  {key:13} = {{{value}}}," for key, value in fields.items()]
    return "\n".join([f"@misc{{{entry.name},", *lines, "}"])


def _find(known: Registry, name: str, kind: str) -> Entry:
    if kind:
        if kind not in component_kinds():
            guess = did_you_mean(kind, component_kinds())
            raise UserError(f"There is no kind {kind!r}.{guess} Kinds are {', '.join(component_kinds())}.")
        return known.find(kind, name)
    bare = name.rpartition("/")[2]
    kinds = [one for one in component_kinds() if any(entry.name == bare for entry in known.of_kind(one))]
    if len(kinds) > 1:
        typed = " or ".join(f"'nl show {one} {name}'" for one in kinds)
        raise UserError(f"{name!r} is a {' and a '.join(kinds)}: {typed} says which.")
    if not kinds:
        if any(entry.name == bare for entry in known.of_kind("preset")):
            raise UserError(f"{name!r} is a preset: 'nl presets {name}' shows it.")
        names = [known.display_name(entry) for entry in known.entries]
        raise UserError(f"There is no component {name!r}.{did_you_mean(name, names)} 'nl list-plugins' lists all.")
    return known.find(kinds[0], name)
