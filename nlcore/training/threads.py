"""
How many CPU threads pay off here and now.

On a machine that is busy with other work, several threads that wait for each other can be many times slower than one.
So a few training steps of a throw-away network are timed with one thread and with all, in turn, before the run begins.
"""

from __future__ import annotations

import statistics
import time

import torch
from torch import nn
from torch.nn import functional as F

from nlcore.training.hardware import Hardware, available_cpus, using_threads

SHORT_SECONDS = 60  # runs that one thread finishes in this time take one thread
_BATCH = 32
_ROUNDS = 3


def choose_threads(network: nn.Module, image_shape: tuple[int, int, int], images: int, hardware: Hardware) -> int:
    """
    Return 1 or the number of processors, whichever trains faster.

    Args:
        network: is trained on noise for a few steps; not to be used for anything else.
        image_shape: (C, H, W).
        images: how many training images the whole run takes, all epochs together.
        hardware: for its precision; its number of threads is not looked at.

    """
    most = available_cpus()
    if most == 1:
        return 1
    placed = hardware.place(network)
    batch = torch.zeros(_BATCH, *image_shape).to(memory_format=torch.channels_last)
    targets = torch.zeros(_BATCH, dtype=torch.int64)

    def seconds(threads: int) -> float:
        with using_threads(threads):
            start = time.perf_counter()
            hardware.backward(F.cross_entropy(placed(batch), targets))
            return time.perf_counter() - start

    seconds(1)  # the first step also compiles kernels
    if seconds(1) / _BATCH * images < SHORT_SECONDS:
        return 1
    seconds(most)
    times = [(seconds(1), seconds(most)) for _ in range(_ROUNDS)]
    one, all_of_them = (statistics.median(column) for column in zip(*times, strict=True))
    return most if all_of_them < one else 1
