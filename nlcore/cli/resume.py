"""``nl resume``: go on with a run that was stopped."""

from __future__ import annotations

import click

from nlcore.cli.options import take_parameters
from nlcore.cli.run import report
from nlcore.config.settings import RESUMABLE


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("run")
@click.option("--epochs", help="more epochs than before")
@click.option("--device", help="auto, cpu, cuda or cuda:N")
@click.option("--devices", help="processes that share each batch on this machine, each with a GPU")
@click.option("--num-nodes", help="machines, each with so many processes")
@click.option("--init", help="file of the weights that it started from, where it has moved")
@click.option("--exclude", help="file of the ids that it leaves out, where it has moved")
@click.option("--data-dir", help="folder of the data, where they have moved")
@click.option("--no-download", is_flag=True, default=None, help="never download data")
@click.option("--checkpoint-every", help="epochs between checkpoints")
@click.option("--tracker", metavar="NAME", help="who is told from here on, or none  [as before]")
@click.option("--runs-dir", default="runs", show_default=True, help="folder that RUN is looked up in")
@click.option("--json", "as_json", is_flag=True, help="end with one line of JSON on stdout")
@click.option("--quiet", is_flag=True, help="print nothing on stderr but errors")
@click.argument("other", nargs=-1, type=click.UNPROCESSED, metavar="")
def resume(
    run: str, runs_dir: str, as_json: bool, quiet: bool, other: tuple[str, ...], **given: str | bool | None
) -> int:
    """
    Go on with a run that was stopped.

    RUN is its name as 'nl table' shows it, or its directory. It ends with the same bits as if it had never been
    stopped, on a CPU with the same versions and threads; everything about it is taken from the directory. Files of the
    data that have moved may be given anew, as --dataset.folder or --noise.file: they are known by their content.
    """
    rest, moved = take_parameters(("dataset", "noise", "tracker"), other)
    options = [word for word in (run, *rest) if word.startswith("-")]
    if options:
        raise click.UsageError(
            f"{options[0]}: only epochs (more than before), device, the number of processes, where the data lie, how "
            "often is saved and the trackers may change in a run, and files of dataset and noise may be given anew. "
            "For anything else start another one with nl run."
        )
    if rest:
        raise click.UsageError(f"{rest[0]}: one run at a time.")
    from nlcore.rundir.find import find_run
    from nlcore.runs.start import resume as go_on
    from nlcore.runs.terminal import Terminal

    changes = moved | {name: given[name] for name in RESUMABLE if given[name] is not None}
    terminal = Terminal(quiet)
    result = go_on(find_run(run, runs_dir), changes, terminal)
    return report(result, as_json, terminal.speaks)
