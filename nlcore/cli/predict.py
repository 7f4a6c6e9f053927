"""``nl predict``: classify image files with a trained model."""

from __future__ import annotations

import json
from pathlib import Path

import click

from nlcore.data.image_files import ENDINGS
from nlcore.errors import UserError


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("paths", nargs=-1, required=True, metavar="PATH...", type=click.Path(path_type=Path))
@click.option("--device", default="cpu", show_default=True, help="auto, cpu, cuda or cuda:N")
@click.option("--json", "as_json", is_flag=True, help="one JSON object a line, with all probabilities")
def predict(run: Path, paths: tuple[Path, ...], device: str, as_json: bool) -> None:
    """
    Classify image files with a trained model.

    RUN is the directory of a finished run.

    A folder stands for the images directly in it. Each image is converted and resized to what the model was trained on.
    Prints path, class and probability, separated by tabs.
    """
    files = [file for path in paths for file in _images(path)]

    from nlcore.runs.model import load_model

    model = load_model(run, device)
    for file, row in zip(files, model.predict_files(files), strict=True):
        best = int(row.argmax())
        if as_json:
            shares = {name: round(float(value), 6) for name, value in zip(model.classes, row, strict=True)}
            click.echo(json.dumps({"path": str(file), "class": model.classes[best], "probabilities": shares}))
        else:
            click.echo(f"{file}\t{model.classes[best]}\t{row[best]:.4f}")


def _images(path: Path) -> list[Path]:
    if path.is_dir():
        found = sorted(file for file in path.iterdir() if file.suffix.lower() in ENDINGS)
        if not found:
            raise UserError(f"There are no images in the folder {path}.")
        return found
    if not path.exists():
        raise UserError(f"There is no file {path}.")
    return [path]
