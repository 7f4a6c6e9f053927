"""
Instance-dependent noise (Xia et al. 2020, arXiv:2006.07836): what a label is taken for depends on the image.

    q  ~ N(r, 0.1²) truncated to [0, 1]          the image's own probability of a wrong label
    W_y ~ N(0, 1), (d, K), one for each class y
    P(given = j | x, y) = q · softmax_{j ≠ y}(x W_y)_j,        P(given = y | x, y) = 1 − q

x are the raw pixels, 0..255, neither scaled nor normalised, as in the authors' code: x W_y is then in the thousands,
the softmax is nearly one-hot, and a wrong label is nearly a function of image and class. Other code differs and gives
other noise: CIFAR-N's has one W for all classes, Co-learning's normalised pixels.

Deviations: numpy's generator (rates and distribution agree with the authors', single labels do not) and float64. W_y is
drawn class by class and images are read in batches, so that memory stays small for any number of samples.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nlcore import UserError, parameter
from nlcore.contracts import Labels, NoiseContext, NoiseInfo
from nlcore_builtins.noise.drawing import checked

SIGMA = 0.1
BATCH = 1_000  # images in memory at a time, as float64


@dataclass(frozen=True)
class InstanceDependent:
    """
    Instance-dependent noise: what a label is taken for depends on the image (Xia et al. 2020).

    Each image has its own probability q ~ N(rate, 0.1²), truncated to [0, 1], of a wrong label, which is drawn from the
    softmax of x W_y over the other classes: x are the raw pixels (0..255), W_y a random matrix of the true class y. The
    same noise seed gives the same labels.
    """

    rate: float = parameter(0.4, "r, the mean of the images' probabilities of a wrong label", range="(0, 1)")

    def corrupt(
        self, labels: Labels, num_classes: int, rng: np.random.Generator, data: NoiseContext | None = None
    ) -> Labels:
        """
        Return the given labels, int64 (N,), as a new array.

        Args:
            labels: true labels, int64 (N,), 0..K-1.
            num_classes: K, at least 2.
            rng: the only source of randomness.
            data: for the images.

        Raises:
            UserError: no images.
            ValueError: labels outside 0..K-1, or too few classes.

        """
        if data is None:
            raise UserError("instance_dependent: labels depend on the images, so these must be given (data=...).")
        given = checked(labels, num_classes)
        N, K, d = len(given), num_classes, math.prod(data.images.image_shape)
        if K < 2:
            raise ValueError("instance-dependent noise needs at least 2 classes")
        q = self._probabilities_of_flips(N, rng)
        u = rng.random(N)
        for y in range(K):
            W = rng.standard_normal((d, K))
            members = np.flatnonzero(labels == y)
            for start in range(0, len(members), BATCH):
                batch = members[start : start + BATCH]
                x = data.images.fetch(batch).reshape(len(batch), d).astype(np.float64)
                A = x @ W
                A[:, y] = -np.inf
                P = np.exp(A - A.max(axis=1, keepdims=True))
                P *= (q[batch] / P.sum(axis=1))[:, None]
                P[:, y] = 1 - q[batch]
                cumulative = P.cumsum(axis=1)
                given[batch] = (cumulative <= u[batch, None] * cumulative[:, -1:]).sum(axis=1)
        return given

    def declared(self, num_classes: int) -> NoiseInfo:
        """
        Return the expected fraction of wrong labels, the mean of the truncated normal distribution.

        There is no T: it depends on the image.
        """
        low, high = -self.rate / SIGMA, (1 - self.rate) / SIGMA
        density = [math.exp(-z * z / 2) / math.sqrt(2 * math.pi) for z in (low, high)]
        inside = (math.erf(high / math.sqrt(2)) - math.erf(low / math.sqrt(2))) / 2
        return NoiseInfo(self.rate + SIGMA * (density[0] - density[1]) / inside)

    def _probabilities_of_flips(self, count: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Return q (N,): what falls outside [0, 1] is drawn again, at most half of it for any rate."""
        q = rng.normal(self.rate, SIGMA, count)
        while (outside := np.flatnonzero((q < 0) | (q > 1))).size:
            q[outside] = rng.normal(self.rate, SIGMA, outside.size)
        return q
