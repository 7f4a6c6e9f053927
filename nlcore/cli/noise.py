"""``nl noise``: what a noise model does to a dataset, without training."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import click

from nlcore.cli.options import ComponentCommand, HelpRows, flag, help_rows, option
from nlcore.config.settings import Storage, TrainingSettings
from nlcore.errors import UserError, plural

if TYPE_CHECKING:
    from nlcore.config.experiment import Experiment
    from nlcore.data.run_data import RunData

_STORAGE = ("data_dir", "no_download")
IN_A_ROW = 10  # up to so many classes, a row of the matrix fits into 80 columns
_FILES = ("labels.npz", "labels.csv", "labels.json", "noise.json", "noise.png")


class NoiseCommand(ComponentCommand):
    """``nl noise``: a dataset and a noise model."""

    slots = ("dataset", "noise")
    out = ("--out DIR", "folder to write to (default: in ./noise, by a name made from all that decides the labels)")
    flags: ClassVar[Mapping[str, str]] = {
        "json": "end with one line of JSON on stdout, instead of the table",
        "quiet": "print nothing on stderr but errors",
        "help": "show this and exit; with components named, their parameters",
    }

    def experiment(self, ctx: click.Context) -> Experiment:
        """Return the experiment that the command line describes; nothing else of it is used."""
        return asked_for(ctx)

    def sections(self, experiment: Experiment) -> list[tuple[str, HelpRows]]:
        """Return the seed, where things lie, and what the command does."""
        return [
            ("Seed", help_rows(TrainingSettings, experiment.settings, ("noise_seed",))),
            ("Storage", [*help_rows(Storage, experiment.storage, _STORAGE), self.out]),
            ("This command", [(f"--{flag(name)}", text) for name, text in self.flags.items()]),
        ]


def noise_options(out: tuple[str, ...], flags: Iterable[str]) -> Iterator[click.Parameter]:
    """Yield the options of a command on noisy data: what the data are, how the place to write to is typed, flags."""
    for slot in NoiseCommand.slots:
        yield click.Option([f"--{slot}"])
    yield click.Option(["--labels"])
    yield option(TrainingSettings, "noise_seed")
    for name in _STORAGE:
        yield option(Storage, name)
    yield click.Option([*out], type=click.Path(path_type=Path))
    for name in flags:
        yield click.Option([f"--{flag(name)}", *(["-h"] if name == "help" else []), name], is_flag=True)


_PARAMS = list(noise_options(("--out",), NoiseCommand.flags))


@click.command(cls=NoiseCommand, params=_PARAMS, add_help_option=False, options_metavar="[OPTIONS]")
@click.pass_context
def noise(ctx: click.Context, /, **options: Any) -> int:
    """
    Show what a noise model does to a dataset, and write the labels; nothing is trained.

    Prints how many labels are wrong and how often each true class is given as each other. Writes the labels as
    labels.npz, labels.csv and labels.json (DivideMix's list), each of which 'nl run --labels' reads, the counts as
    noise.json and a heat map as noise.png. They are the labels of 'nl run' with the same dataset, noise and noise seed.
    """
    if options["help"]:
        click.echo(ctx.get_help())
        return 0
    experiment = asked_for(ctx)

    from nlcore.rundir.noise_report import as_text, describe
    from nlcore.runs.noisy_data import noisy_data
    from nlcore.runs.terminal import Terminal, print_plan

    terminal, seed = Terminal(options["quiet"]), experiment.settings.noise_seed
    data = noisy_data(experiment, terminal)
    about = {"model": experiment.config()["noise"], "noise_seed": seed}
    record = describe(data, about)
    text = as_text(record)
    folder = options["out"] or _default_folder(experiment, text)
    written = _write(folder, experiment, data, about, text)
    if "labels.json" not in written:
        terminal.line("labels.json is not written: it is a list by position, and these samples' ids are no positions")
    if options["json"]:
        click.echo(json.dumps({**record, "out": str(folder), "files": written}))
        return 0
    images, classes = plural(len(data.train), "training image"), plural(data.num_classes, "class", "classes")
    strangers = data.truth.num_open_set
    open_set = f"; {plural(strangers, 'image is', 'images are')} of no class" if strangers else ""
    realised = f"noise seed {seed}: {data.noise_in_words}{open_set}"
    print_plan({"data": f"{experiment['dataset']}: {images}, {classes}", "noise": f"{experiment['noise']}, {realised}"})
    if data.truth.transition is not None:
        click.echo()
        _print_matrix(data)
    click.echo(f"\nwritten to {folder}: {', '.join(written)}")
    return 0


def asked_for(ctx: click.Context) -> Experiment:
    """Return the experiment whose dataset and noise are those of the command line."""
    from nlcore.config.experiment import resolve

    names = [*NoiseCommand.slots, "labels", "noise_seed", *_STORAGE]
    return resolve({**{name: ctx.params[name] for name in names if ctx.params[name] is not None}, **ctx.obj})


def _default_folder(experiment: Experiment, record: str) -> Path:
    """Return a name that stands for one content."""
    digest = hashlib.sha256(record.encode()).hexdigest()[:8]
    parts = [
        experiment["dataset"].name,
        experiment["noise"].name,
        f"noise_seed{experiment.settings.noise_seed}",
        digest,
    ]
    return Path("noise") / "-".join(part.replace("/", ".") for part in parts)


def _write(folder: Path, experiment: Experiment, data: RunData, about: dict[str, Any], record: str) -> list[str]:
    """
    Write all files and return their names.

    Raises:
        UserError: the folder cannot be made, or holds a run or other labels.

    """
    from nlcore.data.called import called
    from nlcore.rundir import durable
    from nlcore.rundir.arrays import write_rows
    from nlcore.rundir.directory import RunDirectory
    from nlcore.rundir.plots import draw_confusion

    advice = "Choose another folder with --out."
    try:
        folder.mkdir(parents=True, exist_ok=True)
        there = [name for name in ("summary.json", *_FILES) if (folder / name).exists()]
        same = (folder / "noise.json").exists() and (folder / "noise.json").read_text(encoding="utf-8") == record
    except (OSError, ValueError) as error:
        raise UserError(f"{folder} cannot be written to: {error}. {advice}") from None
    if there and ("summary.json" in there or not same):
        raise UserError(f"{folder} holds other labels ({there[0]}); nothing is overwritten. {advice}")
    RunDirectory(folder).write_labels(data, about)
    names = [data.classes[label] for label in data.train.labels]  # numbers may be names, of other classes
    write_rows(folder / "labels.csv", ("id", "label"), zip(data.train.ids.tolist(), names, strict=True))
    if listed := _as_list(data):
        durable.write(folder / "labels.json", json.dumps(listed).encode())
    if data.truth.transition is not None:
        title = f"{experiment['noise'].name} on {called(experiment['dataset'])}: {data.noise_in_words}"
        durable.write(folder / "noise.png", draw_confusion(data.truth.transition, data.classes, title, "given"))
    return [name for name in _FILES if (folder / name).exists()]


def _as_list(data: RunData) -> list[int]:
    """Return the labels by sample id, -1 for those that are not in this subset; nothing where ids are no positions."""
    ids = data.train.ids
    if ids.dtype.kind not in "iu" or ids.min() < 0 or ids.max() >= 1000 * len(ids):
        return []
    listed = [-1] * (int(ids.max()) + 1)
    for sample, label in zip(ids.tolist(), data.train.labels.tolist(), strict=True):
        listed[sample] = label
    return listed


def _print_matrix(data: RunData) -> None:
    """Print the realised matrix in percent; of many classes, what each is given as most often."""
    from nlcore.cli.output import print_table

    assert data.truth.transition is not None
    assert data.truth.confusion is not None
    shares, classes = 100 * data.truth.transition, data.classes
    names = [f"{number} {name}" if name != str(number) else name for number, name in enumerate(classes)]
    totals = [f"{total:,}" for total in data.truth.confusion.sum(axis=1)]
    if len(classes) <= IN_A_ROW:
        click.echo("Percent of each true class (rows), given as (columns):")
        columns = [str(number) for number in range(len(classes))]
        cells = [[f"{share:.1f}" if share else "." for share in row] for row in shares]
        rows = [[names[i], totals[i], *cells[i]] for i in range(len(classes))]
        print_table(["true", "images", *columns], rows, ["images", *columns], gap=1)
        return
    most = [
        sorted((j for j in range(len(classes)) if j != i and row[j]), key=lambda j: -row[j])[:3]
        for i, row in enumerate(shares)
    ]
    often = [", ".join(f"{names[j]} {shares[i, j]:.1f}" for j in most[i]) for i in range(len(classes))]
    rows = [[names[i], totals[i], f"{shares[i, i]:.1f}", often[i]] for i in range(len(classes))]
    print_table(["true", "images", "% right", "most often given as (%)"], rows, ["images", "% right"])
