"""
What the documentation shows of the command line, made by running it.

``cog -r -I docs README.md docs/*.md`` writes it anew; ``cog --check -I docs README.md docs/*.md`` tells whether it is
up to date.
"""

from __future__ import annotations

import os

import cog
from click.testing import CliRunner

from nlcore.cli.main import cli


def shown(command: str) -> None:
    """Write a console block with a command and what it prints; only built-in plugins are loaded."""
    os.environ["NL_PLUGINS"] = "nlcore"
    name, *words = command.split()
    result = CliRunner().invoke(cli, words, prog_name=name, terminal_width=100, catch_exceptions=False)
    if result.exit_code:
        raise SystemExit(f"{command}: exit code {result.exit_code}\n{result.output}")
    lines = (line.rstrip() for line in result.stdout.splitlines())
    cog.outl("\n".join(["```console", f"$ {command}", *lines, "```"]))


def compatibility_table() -> None:
    """Write the pairs of loss and strategy that refuse each other, with the reason."""
    from nlcore.compatibility import compatibility

    os.environ["NL_PLUGINS"] = "nlcore"
    rows = [f"| `{loss}` | `{strategy}` | {reason} |" for loss, strategy, reason in compatibility()]
    if not rows:
        cog.outl("Every built-in loss runs under every built-in strategy.")
        return
    cog.outl("\n".join(["| loss | strategy | why not |", "|---|---|---|", *rows]))
