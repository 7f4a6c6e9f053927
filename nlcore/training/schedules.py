"""
Learning rates as a function of how much of the training is done, 0 to 1: nothing to save, nothing to restore.

The factors multiply the learning rate that was asked for (``--lr``); for ``one_cycle`` that is the peak.
"""

from __future__ import annotations

import math


def constant(done: float) -> float:
    """Return 1."""
    return 1.0


def step(done: float) -> float:
    """Divide by ten after half and again after three quarters of the training (as He et al. 2016 do for CIFAR)."""
    return 1.0 if done < 0.5 else 0.1 if done < 0.75 else 0.01


def cosine(done: float) -> float:
    """Half a cosine from 1 to 0 (Loshchilov & Hutter 2017, arXiv:1608.03983, eq. 5, without restarts)."""
    return (1 + math.cos(math.pi * done)) / 2


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


SCHEDULES = {"constant": constant, "step": step, "cosine": cosine, "one_cycle": one_cycle}
