"""``nl predict``: classify image files with a trained model."""

from __future__ import annotations

import json
from pathlib import Path

import click

from nlcore.data.image_files import IMAGE_SUFFIXES, list_images
from nlcore.errors import UserError, plural
from nlcore.rundir.find import find_model


@click.command()
@click.argument("run")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...", type=click.Path(path_type=Path))
@click.option("--device", default="cpu", show_default=True, help="auto, cpu, cuda or cuda:N")
@click.option("--runs-dir", default="runs", show_default=True, help="folder that RUN is looked up in")
@click.option("--skip-unreadable", is_flag=True, help="end with 0 although some files could not be read")
@click.option("--json", "as_json", is_flag=True, help="one JSON object a line, with all probabilities")
def predict(run: str, paths: tuple[Path, ...], device: str, runs_dir: str, skip_unreadable: bool, as_json: bool) -> int:
    """
    Classify image files with a trained model.

    RUN is the name of a finished run as 'nl table' shows it, or its directory.

    A folder stands for all images in it and in its subfolders; hidden files are left out. Each image is converted and
    resized to what the model was trained on. Prints path, class and probability, separated by tabs, as they come. A
    file that cannot be read is named on stderr, the others are classified all the same, and the exit code is 1.
    """
    run_dir = find_model(run, runs_dir)
    files = [file for path in paths for file in _images(path)]

    from nlcore.runs.model import load_model

    model = load_model(run_dir, device)
    unreadable = []

    def leave_out(path: Path, why: str) -> None:
        unreadable.append(path)
        click.echo(f"{path} cannot be read as an image: {why}", err=True)

    for file, row in model.predict_files(files, leave_out):
        best = int(row.argmax())
        if as_json:
            shares = {name: round(float(value), 6) for name, value in zip(model.classes, row, strict=True)}
            click.echo(json.dumps({"path": str(file), "class": model.classes[best], "probabilities": shares}))
        else:
            click.echo(f"{file}\t{model.classes[best]}\t{row[best]:.4f}")
    if unreadable:
        click.echo(f"{len(unreadable):,} of {plural(len(files), 'file')} could not be read.", err=True)
    return 1 if unreadable and not skip_unreadable else 0


def _images(path: Path) -> list[Path]:
    """Return a file, or the images in a folder and its subfolders, listed as for training."""
    if path.is_dir():
        found, _ = list_images(path)
        if not found:
            raise UserError(
                f"There are no images in the folder {path}. Images are {', '.join(sorted(IMAGE_SUFFIXES))}."
            )
        return found
    if not path.exists():
        raise UserError(f"There is no file {path}.")
    return [path]
