"""
CIFAR-10N: human labels of the CIFAR-10 training images (Wei et al. 2022, arXiv:2110.12088).

Each image was labelled by three people; ``random1`` to ``random3`` are one of them each, ``aggre`` is their majority
and ``worse`` a wrong label where any of them gave one. Published rates of wrong labels: 17.23, 18.12, 17.64, 9.03 and
40.21 % (the authors' file has 9.01 % for ``aggre``). The file, ``CIFAR-10_human.pt``, is the authors' and for research
use only: it is not shipped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from nlcore import parameter
from nlcore.contracts import DatasetContext, Labels, NoiseContext, NoiseInfo
from nlcore_builtins.noise.human_labels import HumanLabels

KEYS = {
    "aggre": "aggre_label",
    "random1": "random_label1",
    "random2": "random_label2",
    "random3": "random_label3",
    "worse": "worse_label",
}
RATES = {"aggre": 0.0903, "random1": 0.1723, "random2": 0.1812, "random3": 0.1764, "worse": 0.4021}
FILE = HumanLabels("cifar10n", "CIFAR-10_human.pt", "CIFAR-10", ("clean_label", *KEYS.values()))


@dataclass(frozen=True)
class Cifar10N:
    """
    CIFAR-10N: what people answered for the CIFAR-10 training images.

    Labels are looked up by sample id, so any subset of CIFAR-10 gets its own. The noise seed changes nothing.
    Wei et al. 2022.
    """

    which: Literal["aggre", "random1", "random2", "random3", "worse"] = parameter(
        "worse", "whose labels: one person's, their majority, or the worst"
    )
    file: str | None = parameter(None, f"the authors' {FILE.name}; none: in the folder of the data", path=True)

    def corrupt(
        self, labels: Labels, num_classes: int, rng: np.random.Generator, data: NoiseContext | None = None
    ) -> Labels:
        """
        Return people's labels for these samples, int64 (N,).

        Raises:
            UserError: no file, not the authors' file, or samples that are not CIFAR-10's.

        """
        return FILE.look_up(KEYS[self.which], self.file, labels, data)

    def files(self, source: DatasetContext) -> Sequence[Path]:
        """Return the authors' file where it lies in the folder of the data."""
        return FILE.files(self.file, source)

    def declared(self, num_classes: int) -> NoiseInfo:
        """Return the published rate, over all 50,000 images."""
        return NoiseInfo(RATES[self.which])
