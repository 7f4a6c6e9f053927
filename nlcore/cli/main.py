"""``nl``: the group of commands, and what becomes of errors."""

from __future__ import annotations

import sys
from typing import NoReturn

import click

from nlcore.cli.list_plugins import list_plugins
from nlcore.cli.predict import predict
from nlcore.cli.resume import resume
from nlcore.cli.run import run
from nlcore.cli.show import show
from nlcore.cli.table import table
from nlcore.errors import RunError, UserError
from nlcore.version import __version__

INTERRUPTED = 130


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="nlcore")
def cli() -> None:
    r"""
    Learning with noisy labels: train image classifiers when part of the labels are wrong.

    \b
    nl run --dataset digits --loss soft_bootstrap     a first run, no download
    nl list-plugins                                   everything there is to choose from
    nl table                                          all finished runs, one row each
    """


for command in (run, resume, table, predict, list_plugins, show):
    cli.add_command(command)


def main() -> NoReturn:
    """Run ``nl``. Exit codes: 0 done, 1 the run failed, 2 wrong usage or bad input, 130 interrupted."""
    try:
        code = cli.main(standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except UserError as error:
        if "--debug" in sys.argv:
            raise
        click.echo(f"Error: {error}", err=True)
        sys.exit(2)
    except RunError as error:
        if "--debug" in sys.argv:
            raise
        click.echo(f"Error: {error}", err=True)
        sys.exit(1)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(INTERRUPTED)
