"""
What the documentation shows of the command line, made by running it.

``cog -r -I docs README.md docs/*.md`` writes it anew; ``cog --check -I docs README.md docs/*.md`` tells whether it is
up to date.
"""

from __future__ import annotations

import contextlib
import os
import shlex
from typing import Any

import cog
from click.testing import CliRunner

from nlcore.cli.main import cli
from nlcore.config.experiment import refusal
from nlcore.errors import PluginError
from nlcore.host.hookspecs import KINDS
from nlcore.host.registry import registry


def shown(command: str) -> None:
    """Write a console block with a command and what it prints; only built-in plugins are loaded."""
    os.environ |= {"NL_PLUGINS": "nlcore", "COLUMNS": "100"}
    name, *words = shlex.split(command)
    result = CliRunner().invoke(cli, words, prog_name=name, terminal_width=100, catch_exceptions=False)
    if result.exit_code:
        raise SystemExit(f"{command}: exit code {result.exit_code}\n{result.output}")
    lines = (line.rstrip() for line in result.stdout.splitlines())
    cog.outl("\n".join(["```console", f"$ {command}", *lines, "```"]))


def built_in() -> None:
    """Write the names of all built-in components, a row for each kind."""
    os.environ["NL_PLUGINS"] = "nlcore"
    known = registry()
    names = {kind: [entry.name for entry in known.of_kind(kind)] for kind in KINDS}
    protocols = [name for name in names["preset"] if "-" in name]
    shown = {kind: [f"`{name}`" for name in found if name not in protocols] for kind, found in names.items()}
    shown["preset"].append(f"and {len(protocols)} papers' settings, such as `divide_mix-cifar10-sym50`")
    rows = [f"| {kind} | {', '.join(found)} |" for kind, found in shown.items()]
    cog.outl("\n".join(["| kind | built in |", "|---|---|", *rows]))


def counted() -> None:
    """Write how many components of each kind are built in, as a sentence."""
    os.environ["NL_PLUGINS"] = "nlcore"
    counts = [
        f"{len(registry().of_kind(kind.name))} {kind.hook.removeprefix('nl_').replace('_', ' ')}"
        for kind in KINDS.values()
    ]
    cog.outl(f"Built in: {', '.join(counts)}.")


def compatibility_table() -> None:
    """Write the pairs of loss and strategy that refuse each other, with the reason."""
    os.environ["NL_PLUGINS"] = "nlcore"
    losses = [entry.name for entry in registry().of_kind("loss")]
    refused: dict[tuple[str, str], list[str]] = {}
    for loss, strategy, reason in compatibility():
        refused.setdefault((strategy, reason), []).append(loss)
    together: dict[tuple[str, str], list[str]] = {}
    for (strategy, reason), those in refused.items():
        others = [loss for loss in losses if loss not in those]
        words = f"all but {_named(others)}" if len(others) < len(those) else _named(those)
        together.setdefault((words, reason), []).append(strategy)
    rows = [f"| {_named(strategies)} | {words} | {reason} |" for (words, reason), strategies in together.items()]
    cog.outl("\n".join(["| strategy | losses | why not |", "|---|---|---|", *sorted(rows)]))


def _named(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def compatibility() -> list[tuple[str, str, str]]:
    """Return the pairs of loss and strategy that refuse each other, with the reason: (loss, strategy, reason)."""
    known = registry()

    def all_of(kind: str) -> dict[str, Any]:
        made = {}
        for entry in known.of_kind(kind):
            with contextlib.suppress(PluginError):  # one that does not work is no reason to hide the others
                made[known.display_name(entry)] = known.create(kind, known.display_name(entry))
        return made

    strategies = all_of("strategy")
    pairs = [(loss, strategy) for loss in all_of("loss").items() for strategy in strategies.items()]
    reasons = [(loss[0], strategy[0], refusal(loss[1], strategy[1])) for loss, strategy in pairs]
    return [(loss, strategy, reason) for loss, strategy, reason in reasons if reason]
