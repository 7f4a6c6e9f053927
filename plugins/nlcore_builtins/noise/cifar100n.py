"""
CIFAR-100N: human labels of the CIFAR-100 training images (Wei et al. 2022, arXiv:2110.12088).

Each image was labelled by one person. 40.20 % of these labels are wrong, by the paper. Of the superclasses 25.60 % are
wrong by the paper, and 26.40 % in the authors' file, be they the ones it holds or those that its labels imply. The
file, ``CIFAR-100_human.pt``, is the authors' and for research use only: it is not shipped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nlcore import parameter
from nlcore.contracts import DatasetContext, Labels, NoiseContext, NoiseInfo
from nlcore_builtins.noise.human_labels import HumanLabels

FILE = HumanLabels("cifar100n", "CIFAR-100_human.pt", "CIFAR-100", ("clean_label", "noisy_label"))


@dataclass(frozen=True)
class Cifar100N:
    """
    CIFAR-100N: what people answered for the CIFAR-100 training images.

    Labels are looked up by sample id, so any subset of CIFAR-100 gets its own. The noise seed changes nothing.
    Wei et al. 2022.
    """

    file: str | None = parameter(None, f"the authors' {FILE.name}; none: in the folder of the data", path=True)

    def corrupt(
        self, labels: Labels, num_classes: int, rng: np.random.Generator, data: NoiseContext | None = None
    ) -> Labels:
        """
        Return people's labels for these samples, int64 (N,).

        Raises:
            UserError: no file, not the authors' file, or samples that are not CIFAR-100's.

        """
        return FILE.look_up("noisy_label", self.file, labels, data)

    def files(self, source: DatasetContext) -> Sequence[Path]:
        """Return the authors' file where it lies in the folder of the data."""
        return FILE.files(self.file, source)

    def declared(self, num_classes: int) -> NoiseInfo:
        """Return the published rate, over all 50,000 images."""
        return NoiseInfo(0.4020)
