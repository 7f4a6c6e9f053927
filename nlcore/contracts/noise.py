"""What a noise model is: how given labels come to differ from true ones."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from nlcore.contracts.dataset import DatasetContext, ImageStore, Labels

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class NoiseInfo:
    """
    What a noise model *declares*, before any label is drawn.

    Attributes:
        rate: the expected (or published) fraction of wrong labels for balanced classes, 0..1; images that are of no
            class count as wrong.
        transition: (K, K), row-stochastic: T[i, j] = P(given = j | true = i), of images that are of a class; None where
            it depends on the image.

    """

    rate: float
    transition: NDArray[np.float64] | None = None


@dataclass(frozen=True)
class NoiseContext:
    """
    What a noise model may want to know of the samples.

    Attributes:
        ids: (N,), the dataset's stable sample ids.
        images: of the samples, uint8.
        classes: the names of the K classes.
        directory: the folder for data files.
        source: where datasets may look, for those that need another one.
        part: of the data that the samples are, for messages: ``training`` or ``test``.

    """

    ids: NDArray[Any]
    images: ImageStore
    classes: tuple[str, ...]
    directory: Path | None = None
    source: DatasetContext | None = None
    part: str = "training"


class NoiseModel(Protocol):
    """
    How given labels come to differ from true ones.

    Optional:
        ``declared(num_classes) -> NoiseInfo``: what can be expected of it. One whose matrix goes by the names of the
        classes takes them, too: ``declared(num_classes, classes=None)``.
        ``replace_images(data, rng) -> (positions, images)``: images from elsewhere, uint8 (M, H, W, C), for the samples
        at these positions; their true label becomes -1. Called before `corrupt`.
        ``files(source) -> Sequence[Path]``: the files that it reads besides those that its parameters name, as for a
        `Dataset`.
    """

    def corrupt(
        self, labels: Labels, num_classes: int, rng: np.random.Generator, data: NoiseContext | None = None
    ) -> Labels:
        """Return the given labels, int64 (N,), as a new array. Draw from `rng` alone."""
