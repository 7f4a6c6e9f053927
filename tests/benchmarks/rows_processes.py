"""The row about a run in several processes."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import torch

from benchmarks.bench import Bench, Ours, Source
from benchmarks.measure import Figure, Side, interleaved
from nlcore.runs.team import team
from nlcore.training.hardware import using_threads
from nlcore.training.processes import Processes


def two_processes(bench: Bench) -> Figure:
    """Return the speed of two processes with a thread each over that of one process with two."""
    how = (bench.source, {"width": bench.width, "batch_size": bench.batch_size, "batches": bench.batches})
    alone = Ours(bench, bench.experiment(threads=2))
    with team(2, 1, "cpu") as pair:

        def together() -> None:
            pair.tell(train, *how)
            train(pair.processes, *how)

        def by_itself() -> None:
            with using_threads(2):
                alone.train()

        sides = [
            Side("two processes", together, sum(bench.sizes)),
            Side("one process", by_itself, sum(bench.sizes)),
        ]
        times = interleaved(sides, bench.rounds, bench.device, bench.say)
    return replace(times.speed("two processes", "one process"), threads=2)


def train(processes: Processes, source: Source, size: dict[str, Any]) -> None:
    """Train on the excerpt once, in one of the processes."""
    with using_threads(1):
        _ours(processes, source, tuple(size.items())).train()


@cache
def _ours(processes: Processes, source: Source, size: tuple[tuple[str, Any], ...]) -> Ours:
    bench = Bench(source, source.load(), torch.device("cpu"), rounds=1, threads=1, say=print, **dict(size))
    return Ours(bench, bench.experiment(), processes)
