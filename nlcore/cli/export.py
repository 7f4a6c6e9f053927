"""``nl export``: a trained model as one file for other programs."""

from __future__ import annotations

import json
from pathlib import Path

import click

from nlcore.cli.output import check_output, output_option
from nlcore.rundir.find import find_model


@click.command()
@click.argument("run")
@click.option("--to", required=True, type=click.Choice(("onnx", "torch_export", "torchscript")), help="the format")
@output_option(help="file to write  [default: RUN's name, in this folder]")
@click.option("--runs-dir", default="runs", show_default=True, help="folder that RUN is looked up in")
@click.option("--json", "as_json", is_flag=True, help="end with one line of JSON on stdout")
def export(run: str, to: str, output: Path | None, runs_dir: str, as_json: bool) -> int:
    """
    Write a trained model as one file that other programs use without nlcore.

    RUN is the name of a finished run as 'nl table' shows it, or its directory.

    The file takes uint8 images (N, H, W, C) and gives the probabilities of the classes; normalisation is inside. The
    names of the classes, the size of images and how they are resized stand in its metadata. Its predictions are
    compared with those of 'nl predict' before it is kept. ONNX needs: pip install 'nlcore[onnx]'. docs/models.md shows
    how the file is used.
    """
    place = find_model(run, runs_dir)
    folder = place if place.is_dir() else place.parent
    if output is not None:
        check_output(output, reads=[folder / "weights.safetensors", folder / "model.json"])

    from nlcore.cli.working import working

    with working(shown=not as_json) as say:
        say("loading the model")
        from nlcore.runs.export import export_model
        from nlcore.runs.export_formats import SUFFIXES
        from nlcore.runs.model import load_model

        model = load_model(place)
        path = output or Path(f"{folder.absolute().name}{SUFFIXES[to]}")
        done = export_model(model, folder, to, path, say)
    size = "any size from" if done.any_size else "size"
    channels, height, width = model.image_shape
    if as_json:
        about = {"file": str(path), "format": to, "any_size": done.any_size, "largest_difference": done.difference}
        click.echo(json.dumps({**about, "checked_with": done.checked_with}))
        return 0
    click.echo(f"takes uint8 (N, H, W, {channels}), {size} {height}×{width}; gives {len(model.classes)} probabilities")
    click.echo(f"largest difference from nl predict: {done.difference:.1e} ({done.checked_with}, random images)")
    click.echo(f"written: {path}", err=True)
    return 0
