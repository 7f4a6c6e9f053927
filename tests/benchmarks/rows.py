"""The rows of the benchmark: what is compared with what, and the goal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from benchmarks import rows_cpu, rows_decoding, rows_gpu, rows_predict, rows_processes, rows_strategies, rows_training
from benchmarks.bench import Bench
from benchmarks.measure import Figure


@dataclass(frozen=True)
class Row:
    """
    One figure.

    Attributes:
        name: on the command line.
        text: ours against what, in words.
        goal: what the figure is to be at least, or at most.
        at_least: which of the two.
        needs: ``cpu``, ``cpu bf16`` (a CPU that computes in it), ``cpus`` (several of them), ``cuda``, or ``any``.
        measure: measures it.
        unit: what stands behind the figure; × for a ratio.

    """

    name: str
    text: str
    goal: float
    at_least: bool
    needs: str
    measure: Callable[[Bench], Figure]
    unit: str = "×"

    def met(self, value: float) -> bool:
        """Tell whether a figure meets the goal."""
        return value >= self.goal if self.at_least else value <= self.goal


def _loss(name: str) -> Row:
    measure = partial(rows_training.cost, name, "cross_entropy", loss=name)
    return Row(f"loss_{name}", f"time of a step with {name} / with cross_entropy", 1.05, False, "any", measure)


def _strategy(name: str, goal: float) -> Row:
    measure = partial(rows_training.cost, name, "cross_entropy", strategy=name)
    return Row(f"strategy_{name}", f"time of a step with {name} / with standard training", goal, False, "any", measure)


def _passes(name: str, **settings: Any) -> Row:
    measure = partial(rows_strategies.strategy, name, **settings)
    text = f"time of an epoch with {name} / of the passes through its networks alone"
    return Row(f"passes_{name}", text, 1.1, False, "any", measure)


ROWS = [
    Row("memory", "peak memory of the default run, in a process of its own", 3, False, "cpu", rows_cpu.memory, " GB"),
    Row("augmentation", "speed of crop, flip and normalise on one core / by PIL on one core", 20, True, "cpu",
        rows_cpu.augmentation),
    Row("augmentation_share", "time of crop, flip and normalise / of the whole step", 0.02, False, "cpu",
        rows_cpu.augmentation_share),
    Row("cpu_course_loop", "CPU: training speed / course loop's", 1.9, True, "cpu bf16", rows_training.course_loop),
    Row("cpu_bare_step", "CPU: training speed / bare step's", 0.95, True, "cpu", rows_training.bare_step),
    Row("threads_auto", "training speed with --threads auto / with the better of 1 and all", 0.95, True, "cpus",
        rows_cpu.threads_auto),
    Row("two_processes", "CPU: training speed of two processes with a thread each / of one with two", 0.8, True, "cpus",
        rows_processes.two_processes),
    Row("two_processes_memory", "peak memory of a run in two processes / in one", 2.2, False, "cpus",
        rows_cpu.memory_of_two),
    Row("predict_files", "CPU: speed of nl predict on JPEGs of 500×375 / of the network alone", 0.667, True, "cpu",
        rows_predict.files),
    Row("boxes_of_folder", "speed of random boxes of 500×375 JPEGs / by ImageFolder and DataLoader", 1.5, True, "cpu",
        rows_decoding.boxes_of_folder),
    Row("crops_in_threads", "speed of centre crops of 500×375 JPEGs / by torchvision.io in threads", 1.0, True, "cpu",
        rows_decoding.crops_in_threads),
    *(_loss(name) for name in ("soft_bootstrap", "hard_bootstrap", "gce", "elr")),
    _strategy("mixup", 1.05),
    _strategy("co_teaching", 2.1),
    _passes("jocor"),
    _passes("two_views"),
    _passes("elr_plus"),
    _passes("ssr", **{"strategy.k": 20}),
    _passes("divide_mix", **{"strategy.warm_up": 1}),
    Row("optimizer_muon", "time of a step with Muon / with SGD", 1.35, False, "any",
        partial(rows_training.cost, "Muon", "SGD", optimizer="muon")),
    Row("preset_quick", "time of the course loop's 20 epochs / of a run with --preset quick", 20, True, "cpu bf16",
        partial(rows_training.preset, "quick")),
    Row("setup", "time of the slowest step of set-up / of an epoch", 1, False, "any", rows_training.setup),
    Row("gpu_course_loop", "GPU: training speed / course loop's", 10, True, "cuda", rows_training.course_loop),
    Row("gpu_tuned_loop", "GPU: training speed / tuned loop's", 1.5, True, "cuda", rows_training.tuned_loop),
    Row("gpu_bare_step", "GPU: training speed / bare step's", 1.15, True, "cuda", rows_training.bare_step),
    Row("gpu_flops", "GPU: FLOP/s of training / of a bf16 matmul", 0.20, True, "cuda", rows_gpu.flops),
    Row("gpu_flops_512", "GPU: FLOP/s of training in batches of 512 / of a bf16 matmul", 0.30, True, "cuda",
        partial(rows_gpu.flops, batch_size=512)),
]  # fmt: skip
