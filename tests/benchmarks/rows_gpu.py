"""Rows that set training against what the device can do at most."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.bench import Bench, Ours
from benchmarks.measure import Figure, Side, interleaved

SIZE, REPEATS = 8192, 20  # of the matrices, and multiplications in one timing


def flops(bench: Bench, batch_size: int | None = None, size: int = SIZE, repeats: int = REPEATS) -> Figure:
    """Return the arithmetic a second of training over that of a bf16 product of two square matrices."""
    bench = replace(bench, batch_size=batch_size or bench.batch_size)
    ours = Ours(bench, bench.experiment())
    matrix = torch.randn(size, size, device=bench.device, dtype=torch.bfloat16)

    def multiply() -> None:
        for _ in range(repeats):
            torch.mm(matrix, matrix)

    sides = [Side("nlcore", ours.train, sum(bench.sizes)), Side("matmul", multiply, repeats)]
    times = interleaved(sides, bench.rounds, bench.device, bench.say)
    an_image, a_product = training_flops(bench.new_network()), 2 * size**3
    pairs = zip(times.columns["nlcore"], times.columns["matmul"], strict=True)
    return Figure([an_image / image / (a_product / product) for image, product in pairs], times.rates)


def training_flops(network: nn.Module) -> int:
    """Return the floating-point operations of one image's forward and backward pass; a multiply-add is two."""
    placed = network.to("meta")  # counting needs shapes, not numbers
    images, labels = torch.zeros(2, 3, 32, 32, device="meta"), torch.zeros(2, dtype=torch.int64, device="meta")
    with FlopCounterMode(display=False) as counter:
        F.cross_entropy(placed(images), labels).backward()  # type: ignore[no-untyped-call]
    return int(counter.get_total_flops()) // 2
