"""Rows about what is done on the CPU alone: augmentation, threads, memory."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks import course_loop as course
from benchmarks.bench import Bench, Ours
from benchmarks.measure import Figure, Side, interleaved, seconds
from benchmarks.rows_training import course_images
from nlcore.contracts import Pass
from nlcore.training.build import build
from nlcore.training.hardware import available_cpus, using_threads

PIL_BATCHES, OUR_BATCHES = 4, 40  # in one timing: a tenth of a second of each


def augmentation(bench: Bench) -> Figure:
    """Return the speed at which our batches are made on one core over that of the course loop's DataLoader."""
    walk = Walk(replace(bench, batches=OUR_BATCHES))
    dataset = course_images(replace(bench, batches=PIL_BATCHES))
    loader = course.make_loader(dataset, bench.batch_size)
    sides = [Side("nlcore", walk.run, walk.images), Side("PIL", lambda: exhaust(loader), len(dataset))]
    with using_threads(1):
        times = interleaved(sides, bench.rounds, bench.device, bench.say)
    return replace(times.speed("nlcore", "PIL"), threads=1)


def augmentation_share(bench: Bench) -> Figure:
    """Return the time of making batches over that of training on them, which includes it."""
    walk, ours = Walk(replace(bench, batches=OUR_BATCHES)), Ours(bench, bench.experiment())
    sides = [Side("batches", walk.run, walk.images), Side("training", ours.train, sum(bench.sizes))]
    return interleaved(sides, bench.rounds, bench.device, bench.say).cost("batches", "training")


def threads_auto(bench: Bench) -> Figure:
    """Return the speed with as many threads as ``--threads auto`` chooses, anew in each round, over the best."""
    ours, every = Ours(bench, bench.experiment()), available_cpus()

    def train_with(threads: int) -> float:
        with using_threads(threads):
            return seconds(ours.train, bench.device)

    train_with(1), train_with(every)  # to warm up
    values, chosen = [], 1
    for number in range(1, bench.rounds + 1):
        chosen = build(bench.experiment(threads="auto"), bench.data).hardware.threads
        one, of_all = train_with(1), train_with(every)
        values.append(min(one, of_all) / (one if chosen == 1 else of_all))
        rates = f"one {sum(bench.sizes) / one:,.1f} images/s, all {sum(bench.sizes) / of_all:,.1f} images/s"
        bench.say(f"  round {number} of {bench.rounds}: {rates}; auto takes {chosen}")
    return Figure(values, threads=chosen)


def memory(bench: Bench) -> Figure:
    """Return the peak memory in GB (10⁹ bytes) of a run's process; one process says it, there are no rounds."""
    report = _one_run(bench, 1)
    bench.say(f"  {report['peak']:.2f} GB with {report['threads']} threads in {report['precision']}")
    return Figure([report["peak"]], threads=report["threads"])


def memory_of_two(bench: Bench) -> Figure:
    """Return the peak memory of a run in two processes, both together, over that in one; there are no rounds."""
    one, two = _one_run(bench, 1), _one_run(bench, 2)
    bench.say(f"  {one['peak']:.2f} GB in one process, {two['peak']:.2f} GB in two")
    return Figure([two["peak"] / one["peak"]], threads=two["threads"])


def _one_run(bench: Bench, processes: int) -> dict[str, Any]:
    """Return what a run in so many processes says of its memory."""
    folder = bench.source.data_dir
    how = {
        "width": bench.width,
        "batch_size": bench.batch_size,
        "images": bench.source.images,
        "data_dir": str(folder) if folder else None,
        "processes": processes,
    }
    command = [sys.executable, str(Path(__file__).with_name("one_run.py")), json.dumps(how)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    report: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return report


class Walk:
    """A walk of the engine over training images that makes the batches and does nothing with them."""

    def __init__(self, bench: Bench) -> None:
        self._batches = build(bench.experiment(), bench.data).batches
        self._pass = Pass(indices=bench.positions)
        self.images = len(bench.positions)

    def run(self) -> None:
        """Make all batches once."""
        exhaust(self._batches.iterate(self._pass, 1, "benchmark"))


def exhaust(batches: Iterable[object]) -> None:
    """Make all batches, keeping none."""
    for _ in batches:
        pass
