"""
A process that does what a run does and says how much memory it took at most; started by the row ``memory``.

It loads the data, chooses threads, trains two steps, evaluates a thousand test images and the training images that an
epoch looks at, and writes a checkpoint: all that a run does again and again, each of it once or twice.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nlcore.training.processes import Processes


def run(how: dict[str, str | int | None]) -> dict[str, str | float | None]:
    """Do it in as many processes as are asked for; report their peaks in bytes together, with threads and precision."""
    from nlcore.runs.team import team

    with team(int(how["processes"] or 1), 1, "cpu") as together:
        together.tell(of_one, how)
        return of_one(together.processes, how)


def of_one(processes: Processes, how: dict[str, str | int | None]) -> dict[str, str | float | None]:
    """Be one of them."""
    from dataclasses import replace

    import numpy as np
    import torch

    import nlcore.runs.start  # noqa: F401  # all that `nl run` imports
    from benchmarks.bench import Bench, Ours, Source
    from nlcore.data import stores
    from nlcore.data.run_data import LabelledImages
    from nlcore.rundir import checkpoint
    from nlcore.training.allocator import keeping_memory
    from nlcore.training.hardware import peak_memory, resolve_hardware, using_threads

    source = Source(Path(str(how["data_dir"])) if how["data_dir"] else None, int(how["images"] or 0))
    cpu = resolve_hardware("cpu", "auto", "1").device
    width, batch_size = int(how["width"] or 0), int(how["batch_size"] or 0)
    data = source.load()
    some = np.arange(min(1_000, len(data.test)))
    test = LabelledImages(stores.subset(data.test.images, some), data.test.labels[some], data.test.ids[some])
    bench = Bench(source, replace(data, test=test), cpu, width, batch_size, batches=2, rounds=1, threads=1, say=print)
    ours = Ours(bench, bench.experiment(threads="auto"), processes)
    hardware, trainer = ours.trainer.hardware, ours.trainer
    with using_threads(hardware.threads), keeping_memory(cpu), tempfile.TemporaryDirectory() as folder:
        ours.train()
        trainer.evaluator.epoch()
        if processes.rank == 0:
            checkpoint.save(Path(folder), 1, {"training": trainer.state_dict()})
    peak = peak_memory(cpu)
    if peak is not None and processes.count > 1:
        peak = float(processes.sum(torch.tensor(peak)))
    return {"peak": peak, "threads": hardware.threads, "precision": hardware.precision}


if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).parents[1])
    os.environ["NL_PLUGINS"] = "nlcore"
    from benchmarks import one_run  # other processes find it by this name

    print(json.dumps(one_run.run(json.loads(sys.argv[1]))))
