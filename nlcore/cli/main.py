"""``nl``: the group of commands, and what becomes of errors."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import traceback
from pathlib import Path
from typing import NoReturn

import click

from nlcore.cli.audit import audit
from nlcore.cli.check import check
from nlcore.cli.doctor import doctor
from nlcore.cli.estimate import estimate
from nlcore.cli.evaluate import evaluate
from nlcore.cli.export import export
from nlcore.cli.list_plugins import list_plugins
from nlcore.cli.new_plugin import new_plugin
from nlcore.cli.noise import noise
from nlcore.cli.options import ComponentCommand
from nlcore.cli.plot import plot
from nlcore.cli.predict import predict
from nlcore.cli.presets import presets
from nlcore.cli.report import report
from nlcore.cli.resume import resume
from nlcore.cli.run import run
from nlcore.cli.samples import samples
from nlcore.cli.show import show
from nlcore.cli.sweep import sweep
from nlcore.cli.table import table
from nlcore.config.unknown import meant
from nlcore.errors import RunError, UserError, nearest
from nlcore.host.suggest import COMMANDS
from nlcore.version import __version__

INTERRUPTED = 130


class Group(click.Group):
    """The commands; ``--debug`` may stand anywhere, so that it can be added to the command that has just failed."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take ``--debug`` out, then parse; `main` looks for it."""
        return super().parse_args(ctx, [word for word in args if word != "--debug"])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Refuse an unknown command with the one that is probably meant."""
        name = args[0]
        if self.get_command(ctx, name) is None and not name.startswith("-"):
            near = [COMMANDS[name]] if name in COMMANDS else nearest(name, self.commands)
            said = f" Did you mean {' or '.join(f'nl {one}' for one in near)}?" if near else ""
            raise click.UsageError(f"There is no command {name!r}.{said}", ctx)
        return super().resolve_command(ctx, args)


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="nlcore")
@click.option(
    "--plugin",
    "plugins",
    multiple=True,
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="a single file to load as a plugin; may be given more than once",
)
@click.option("--debug", is_flag=True, expose_value=False, help="show tracebacks; may also stand behind the command")
def cli(plugins: tuple[Path, ...]) -> None:
    """
    Learning with noisy labels: train image classifiers when some of the labels are wrong.

    \b
    nl run --dataset digits --loss soft_bootstrap     a first run, no download
    nl list-plugins                                   all there is to choose from
    nl table                                          all finished runs, one row each
    """  # noqa: D301  (click's own mark, the control character: lines below it stay as they are)
    if plugins:  # the registry reads it, whoever asks
        asked = [os.environ.get("NL_PLUGIN_PATH", ""), *(str(plugin.absolute()) for plugin in plugins)]
        os.environ["NL_PLUGIN_PATH"] = os.pathsep.join(filter(None, asked))


ABOUT_RUNS = (run, resume, sweep, table, plot, report, evaluate, predict, export, noise, samples, estimate, audit)
ABOUT_COMPONENTS = (list_plugins, presets, show, doctor, new_plugin, check)
for command in (*ABOUT_RUNS, *ABOUT_COMPONENTS):
    cli.add_command(command)


def main() -> NoReturn:
    """Run ``nl``. Exit codes: 0 done, 1 the run failed, 2 wrong usage or bad input, 130 interrupted."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # what a stream cannot take must not end a run
            stream.reconfigure(errors="backslashreplace")
    debug = "--debug" in sys.argv or os.environ.get("NL_STRICT", "") == "1"
    try:
        code = cli.main(standalone_mode=False)
        sys.stdout.flush()
        sys.exit(code if isinstance(code, int) else 0)
    except BrokenPipeError:  # the reader has seen enough, as in nl table | head
        _forget_stdout()
        sys.exit(1)
    except click.ClickException as error:
        if isinstance(error, click.NoSuchOption):  # click's own guess goes by spelling alone
            error.possibilities = None  # type: ignore[misc]
            error.message += _option_meant(error)  # type: ignore[misc]
        error.show()
        sys.exit(error.exit_code)
    except (UserError, RunError) as error:
        if debug:
            traceback.print_exc()
        click.echo(f"Error: {error}", err=True)
        sys.exit(2 if isinstance(error, UserError) else 1)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(INTERRUPTED)


def _forget_stdout() -> None:
    """Keep Python from flushing stdout again at its exit, which would be reported."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _option_meant(error: click.NoSuchOption) -> str:
    command = error.ctx.command if error.ctx else cli
    if error.option_name == "--plugin":
        return " It goes before the command: nl --plugin FILE COMMAND."
    options = [name for item in command.params for name in item.opts if name.startswith("--")]
    settings = [name.removeprefix("--").replace("-", "_") for name in options]
    kinds = command.slots if isinstance(command, ComponentCommand) else ()
    return meant(error.option_name.lstrip("-").replace("-", "_"), settings, kinds, _typed)


def _typed(name: str, value: str) -> str:
    """Return how a name is typed: components' parameters keep their underscores, as help shows them."""
    option = f"--{name}" if "." in name else f"--{name.replace('_', '-')}"
    return f"{option} {value}".rstrip()
