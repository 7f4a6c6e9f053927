"""``nl samples``: a sheet of noisy images with given and true labels, without training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from nlcore.cli.noise import NoiseCommand, asked_for, noise_options
from nlcore.cli.output import check_output

_DEFAULT = Path("samples.png")


class SamplesCommand(NoiseCommand):
    """``nl samples``: a dataset and a noise model."""

    out = ("-o, --out FILE", f"picture to write, PNG  [{_DEFAULT}]")
    flags = {key: NoiseCommand.flags[key] for key in ("quiet", "help")}  # noqa: RUF012


_PARAMS = list(noise_options(("-o", "--out"), SamplesCommand.flags))


@click.command(cls=SamplesCommand, params=_PARAMS, add_help_option=False, options_metavar="[OPTIONS]")
@click.pass_context
def samples(ctx: click.Context, /, **options: Any) -> int:
    """
    Draw a sheet of noisy training images with given and true labels.

    40 images are drawn evenly, by the noise seed; the labels are those of 'nl run' with the same dataset, noise and
    noise seed. Images with a wrong label are framed, and the true one stands beneath the given one. An existing
    picture is replaced.
    """
    if options["help"]:
        click.echo(ctx.get_help())
        return 0
    place = options["out"] or _DEFAULT
    check_output(place, "a picture", (".png",))
    experiment = asked_for(ctx)

    from nlcore.rundir import durable
    from nlcore.rundir.samples import draw_samples
    from nlcore.runs.noisy_data import noisy_data
    from nlcore.runs.terminal import Terminal

    data = noisy_data(experiment, Terminal(options["quiet"]))
    durable.write(place, draw_samples(data, experiment.settings.noise_seed))
    click.echo(f"written to {place}")
    return 0
