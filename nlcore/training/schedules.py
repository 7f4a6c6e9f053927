"""
Learning rates as a function of how much of the training is done, 0 to 1: nothing to save, nothing to restore.

The factors multiply the learning rate that was asked for (``--lr``); for ``one_cycle`` that is the peak.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Callable

from nlcore.config.settings import TrainingSettings
from nlcore.errors import ParameterError


def cosine(done: float) -> float:
    """Half a cosine from 1 to 0 (Loshchilov & Hutter 2017, arXiv:1608.03983, eq. 5, without restarts)."""
    return (1 + math.cos(math.pi * done)) / 2


def linear(done: float) -> float:
    """Fall from 1 to 0 on a straight line."""
    return 1 - done


def one_cycle(done: float) -> float:
    """
    Rise from 1/25 to 1 over the first 30 %, fall to 4e-6 over the rest, both along half a cosine.

    Smith & Topin 2018, arXiv:1708.07120, with the shape and the constants of torch's ``OneCycleLR``. Unlike that, it
    leaves the momentum alone, which torch's moves between 0.95 and 0.85 by default, and the last step is one before the
    end: of 100 steps it has a factor of 5.1e-4, of 3,140 one of 4.5e-6, where torch's has 4e-6.
    """
    rise, start, end = 0.3, 1 / 25, 1 / 25 / 1e4
    if done < rise:
        return start + (1 - start) * (1 - math.cos(math.pi * done / rise)) / 2
    return end + (1 - end) * (1 + math.cos(math.pi * (done - rise) / (1 - rise))) / 2


def schedule(settings: TrainingSettings, lr: float) -> Callable[[float], float]:
    """
    Return the factor as a function of the share that is done.

    Args:
        settings: names the schedule, its milestones (shares after each of which the rate is divided by ten, as He et
            al. 2016 do for CIFAR) and the rate that cosine and linear end at.
        lr: the run's learning rate.

    Raises:
        ParameterError: milestones that are no shares in ascending order, or an lr_min above lr.

    """
    milestones = read_milestones(settings.lr_milestones)
    if settings.lr_min > lr:
        raise ParameterError(f"lr_min = {settings.lr_min}: must be at most the learning rate, {lr}.")
    lowest = settings.lr_min / lr
    floored: Callable[[Callable[[float], float]], Callable[[float], float]] = lambda fall: (  # noqa: E731
        lambda done: lowest + (1 - lowest) * fall(done)
    )
    return {
        "constant": lambda done: 1.0,
        "step": lambda done: float(0.1 ** bisect.bisect_right(milestones, done)),
        "cosine": floored(cosine),
        "linear": floored(linear),
        "one_cycle": one_cycle,
    }[settings.lr_schedule]


def read_milestones(text: str) -> list[float]:
    """
    Return the milestones ``"0.5,0.75"`` as numbers.

    Raises:
        ParameterError: they are not numbers between 0 and 1 in ascending order.

    """
    try:
        found = [float(word) for word in text.split(",")]
    except ValueError:
        found = []
    if not found or sorted(set(found)) != found or not (found[0] > 0 and found[-1] < 1):
        raise ParameterError(
            f"lr_milestones = {text}: must be ascending shares of the training, between 0 and 1, as in 0.5,0.75."
        )
    return found
