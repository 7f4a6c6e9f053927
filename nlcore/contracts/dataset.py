"""What a dataset is: a source of images and labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: int64 (N,). A name for a type only: nothing is imported for it.
Labels: TypeAlias = "NDArray[np.int64]"


class ImageStore(Protocol):
    """
    Images of one size. An array of uint8 (N, H, W, C) is one too: it is wrapped by `nlcore.data.stores`.

    The next batch is fetched in another thread while one is trained on: one call at a time, but not from the main
    thread.

    Optional:
        ``fetch_augmented(indices, rng) -> images``: like `fetch`, for the weak and strong views of training images:
        what is drawn before an image has its final size, such as a random crop of a large photo. All draws come from
        `rng`, a numpy Generator of this batch and view. The view's augmentations follow.
    """

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W) of every image."""

    def __len__(self) -> int:
        """Return N."""

    def fetch(self, indices: Labels) -> NDArray[np.uint8]:
        """Return the images at these positions, uint8 (B, H, W, C)."""


@dataclass(frozen=True)
class Split:
    """
    One part of a dataset, train or test.

    Attributes:
        images: uint8 (N, H, W, C), or a store that decodes on demand.
        labels: int64 (N,), the labels that come with the dataset.
        ids: (N,) integers or strings, stable: they name a sample whatever subset is taken.
        clean: int64 (N,), the true labels where they are known (-1: not one of our classes), else None.
        digests: a digest of each image's pixels, for stores that decode on demand, so that images which occur twice are
            found; of arrays they are computed.
        paths: the file of each image, where each has one of its own, else None.

    """

    images: NDArray[np.uint8] | ImageStore
    labels: Labels
    ids: NDArray[Any]
    clean: Labels | None
    digests: Sequence[bytes] | None = None
    paths: Sequence[Path] | None = None


@dataclass(frozen=True)
class Data:
    """
    What a dataset loads.

    Attributes:
        train, test: the samples.
        classes: the names of the K classes.
        mean, std: per channel, of values scaled to 0..1.
        fingerprint: names the content, so that a run is never taken for one on other data; needed for stores that
            decode on demand only (of arrays it is computed).
        notes: what a user should know about the files, a sentence each: shown in the plan, stored with the run.
        trusted: more samples to train on, whose labels are known to be right, where the dataset has such; used where a
            run asks for them (``--trusted``).
        unreadable: the files that were left out as they cannot be read, with the reason, by id.
        whole: whether train and test are one set that was split for this run alone, so that an audit looks at both.
        further_tests: more test sets by name (lower-case letters, digits and underscores), each measured apart after
            every epoch; `test` is the main one.

    """

    train: Split
    test: Split
    classes: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    fingerprint: str | None = None
    notes: tuple[str, ...] = ()
    trusted: Split | None = None
    unreadable: Mapping[str, str] = field(default_factory=dict)
    whole: bool = False
    further_tests: Mapping[str, Split] = field(default_factory=dict)


@dataclass(frozen=True)
class DatasetContext:
    """
    Where a dataset may look.

    Attributes:
        directory: the folder for data files.
        download: whether it may download what is not there.
        report: takes a line of text for the user.
        progress: is told while something takes long: how much is done, of how much, and what, as in ``(64, 2000,
            "images decoded")``.

    """

    directory: Path
    download: bool = True
    report: Callable[[str], None] = lambda line: None
    progress: Callable[[int, int, str], None] = lambda done, total, what: None


class Dataset(Protocol):
    """
    A source of images and labels.

    Optional:
        ``defaults``: a mapping of settings that suit the dataset, as in a recipe: ``{"architecture.width": 16}``, or
        how its images may vary, ``{"augmentation.flip": False}``.
        ``read(path, image_shape) -> images``: an image file as the dataset shows it, uint8 (H, W, C), for an
        `image_shape` of (C, H, W): how ``nl predict`` reads. Raises `nlcore.data.image_files.UnreadableError`. Without
        it files are read by `nlcore.data.image_files.read_image`. It is called from several threads at a time.
        ``files(source) -> Sequence[Path]``: the files that `load` reads, and the folders whose listing it goes by: by
        their sizes and modification times a finished run is recognised without reading them again. Cheap: no image is
        opened. Empty where the data are not there yet; raises `nlcore.UserError` as `load` does.
    """

    def load(self, source: DatasetContext) -> Data:
        """Return train and test. Raise `nlcore.UserError` where the files are not there or not what they should be."""
