"""The command of the benchmark."""

from __future__ import annotations

import datetime
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import click
import torch

from benchmarks import machine, report
from benchmarks.bench import Bench, Source
from benchmarks.rows import ROWS, Row
from nlcore.errors import UserError
from nlcore.training.build import build
from nlcore.training.hardware import resolve_threads, using_threads

NAMES = [row.name for row in ROWS]


@dataclass(frozen=True)
class Size:
    """How much is measured. `cpu_batches` and `cuda_batches` are full batches in one timing."""

    width: int
    batch_size: int
    cpu_batches: int
    cuda_batches: int
    rounds: int
    synthetic_images: int


FULL = Size(width=64, batch_size=128, cpu_batches=1, cuda_batches=100, rounds=5, synthetic_images=20_000)
BRIEF = Size(width=8, batch_size=16, cpu_batches=1, cuda_batches=2, rounds=2, synthetic_images=1_000)


@click.command()
@click.option("--rows", help=f"Measure these only, separated by commas: {', '.join(NAMES)}.")
@click.option(
    "--data-dir", type=click.Path(path_type=Path), help="Folder of CIFAR-10 (default: NL_DATA_DIR, else none)."
)
@click.option("--width", type=click.IntRange(1), help="Width of the ResNet-18 (default: 64).")
@click.option("--batches", type=click.IntRange(1), help="Full batches in a timing (default: 1 on a CPU, 100 on a GPU).")
@click.option("--rounds", type=click.IntRange(1), help="Timings of each side (default: 5).")
@click.option("--threads", default="auto", show_default=True, help="CPU threads of both sides; auto: as nl run does.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write the results there as JSON.")
@click.option("--brief", is_flag=True, help="A tiny network, for seconds: whether all of it works, no figure to quote.")
def main(
    rows: str | None,
    data_dir: Path | None,
    width: int | None,
    batches: int | None,
    rounds: int | None,
    threads: str,
    out: Path | None,
    brief: bool,
) -> None:
    """Measure how fast nlcore is, as ratios against named alternatives; docs/performance.md explains them."""
    size = BRIEF if brief else FULL
    changed = {"width": width, "cpu_batches": batches, "cuda_batches": batches, "rounds": rounds}
    size = Size(**{**asdict(size), **{key: value for key, value in changed.items() if value}})
    chosen = _chosen(rows)
    folder = data_dir or (Path(os.environ["NL_DATA_DIR"]) if os.environ.get("NL_DATA_DIR") else None)
    try:
        resolve_threads(threads)
        source = Source(folder.expanduser() if folder else None, size.synthetic_images)
        results = _measure(chosen, size, source, threads)
    except UserError as error:
        raise click.UsageError(str(error)) from error
    report.print_table(results)
    if out:
        report.write_json(out, results)


def _chosen(rows: str | None) -> list[Row]:
    names = rows.split(",") if rows else NAMES
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        raise click.UsageError(f"There is no row {', '.join(unknown)}. Rows are {', '.join(NAMES)}.")
    return [row for row in ROWS if row.name in names]


def _measure(chosen: list[Row], size: Size, source: Source, threads: str) -> dict[str, Any]:
    about = machine.describe()
    data = source.load()
    cpu = Bench(
        source=source,
        data=data,
        device=torch.device("cpu"),
        width=size.width,
        batch_size=size.batch_size,
        batches=size.cpu_batches,
        rounds=size.rounds,
        threads=1,
        say=_say,
    )
    count = build(cpu.experiment(threads=threads), data).hardware.threads
    settings = {
        "data": str(source),
        "width": size.width,
        "batch_size": size.batch_size,
        "batches": f"{size.cpu_batches} full and a quarter (GPU: {size.cuda_batches})",
        "rounds": size.rounds,
        "threads": f"{count} (asked for: {threads})",
        "date": datetime.date.today().isoformat(),
    }
    results: dict[str, Any] = {"machine": about, "settings": settings, "rows": [], "open": []}
    cpu = replace(cpu, threads=count)
    gpu = replace(cpu, device=torch.device("cuda", 0), batches=size.cuda_batches)
    for row in chosen:
        reason = _cannot(row.needs, about)
        if reason:
            results["open"].append({"name": row.name, "text": row.text, **report.aim(row), "reason": reason})
            continue
        bench = gpu if row.needs == "cuda" or (row.needs == "any" and about["gpu"]) else cpu
        _say(f"{row.name}: {row.text}")
        before = machine.load_average()
        with using_threads(count):
            figure = row.measure(bench)
        loads = (before, machine.load_average())
        results["rows"].append(report.entry(row, figure, bench.device.type, count, loads))
    return results


def _cannot(needs: str, about: dict[str, Any]) -> str | None:
    """Return why a row cannot be measured here, None where it can."""
    if needs == "cuda" and not about["gpu"]:
        return "there is no GPU here"
    if needs == "cpu bf16" and about["cpu_precision"] != "bf16":
        return "this processor does not compute in bf16"
    if needs == "cpus" and about["processors"] == 1:
        return "there is one processor here, so nothing to choose"
    return None


def _say(line: str) -> None:
    click.echo(line, err=True)
