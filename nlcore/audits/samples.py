"""
What an audit looks at: all samples whose labels a user has, sorted by id, with given and, where known, true labels.

That is the training part, and the test part too where it was only split off for a run (`nlcore.contracts.Data.whole`).
A test part of its own is not looked at, except for copies.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlcore.audits.thumbnails import image_size
from nlcore.config.experiment import Experiment
from nlcore.contracts import Data, DatasetContext, ImageStore, Labels, Split
from nlcore.data import stores
from nlcore.data.image_files import UnreadableError
from nlcore.data.prepare import prepare
from nlcore.errors import UserError, plural
from nlcore.host.boundary import attributed
from nlcore.runs.terminal import Terminal

#: Fewer samples tell nothing of a model's mistakes.
FEWEST = 5
_CHUNK = 1024


@dataclass(frozen=True, eq=False)
class Samples:
    """
    N samples, sorted by id.

    Attributes:
        ids: as text, each once.
        given: int64 (N,), the given labels.
        true: int64 (N,), the true ones (-1: none of the classes), or None where nobody knows them, or where they are
            the given ones.
        images: of one size.
        digests: of each image's pixels.
        paths: their files, where they have any.
        in_training: bool (N,), whether a run trains on it; the others were split off to test on.
        classes: the names of the K classes.
        data: what was loaded, with all samples in its training part.

    """

    ids: tuple[str, ...]
    given: Labels
    true: Labels | None
    images: ImageStore
    digests: Sequence[bytes]
    paths: Sequence[Path] | None
    in_training: NDArray[np.bool_]
    classes: tuple[str, ...]
    data: Data

    def __len__(self) -> int:
        return len(self.given)

    @property
    def num_classes(self) -> int:
        """K."""
        return len(self.classes)

    @property
    def judged(self) -> NDArray[np.bool_]:
        """Whether each label can be judged: not one of a class of which there is no other sample to learn from."""
        counts = np.bincount(self.given[self.in_training], minlength=self.num_classes)
        others: NDArray[np.bool_] = counts[self.given] - self.in_training >= 1
        return others

    def digest(self) -> str:
        """Return what names the content: ids, given labels, classes and pixels."""
        found = hashlib.sha256(repr(self.classes).encode())
        for sample, label, pixels in zip(self.ids, self.given.tolist(), self.digests, strict=True):
            found.update(f"\0{sample}\0{label}\0".encode() + pixels)
        return found.hexdigest()


def load_samples(experiment: Experiment, terminal: Terminal) -> Samples:
    """
    Return the samples of a data set, with the noise of an experiment.

    Raises:
        UserError: the data are not there or not what they should be, an id is there twice, or they are too few.

    """
    storage, settings = experiment.storage, experiment.settings
    source = DatasetContext(experiment.data_dir, not storage.no_download, terminal.line, terminal.progress_of)
    with attributed(experiment.entries):
        data: Data = experiment["dataset"].create().load(source)
        run = prepare(_Loaded(data), experiment["noise"].create(), source, noise_seed=settings.noise_seed)
    parts = [_Part(data.train, run.train.images, run.train.labels, run.truth.train)]
    if data.whole:
        parts.append(_Part(data.test, run.test.images, data.test.labels, data.test.clean))
    ids = np.concatenate([part.split.ids for part in parts])
    order = np.argsort(ids, kind="stable")
    text = tuple(str(sample) for sample in ids[order].tolist())
    _check(text, data)
    images = parts[0].images if len(parts) == 1 else _joined(parts[0].images, parts[1].images)
    sorted_images = stores.subset(images, order)
    given = np.concatenate([part.given for part in parts])[order]
    known = [part.true for part in parts if part.true is not None]
    true = np.concatenate(known)[order] if len(known) == len(parts) else None
    paths = [path for part in parts for path in part.split.paths or ()]
    digests = [digest for part in parts for digest in part.split.digests or ()]
    if len(digests) < len(order) or hasattr(experiment["noise"].sample, "replace_images"):  # other pixels than loaded
        sorted_digests = _digests(sorted_images, terminal.progress_of)
    else:
        sorted_digests = [digests[place] for place in order]
    train = Split(sorted_images, given, np.array(text), None)
    nothing = Split(stores.subset(sorted_images, order[:0]), given[:0], train.ids[:0], None)
    samples = Samples(
        ids=text,
        given=given,
        true=None if true is None or (true == given).all() else true,
        images=sorted_images,
        digests=sorted_digests,
        paths=[paths[place] for place in order] if len(paths) == len(order) else None,
        in_training=order < len(parts[0].given),
        classes=tuple(data.classes),
        data=replace(data, train=train, test=nothing if data.whole else data.test),
    )
    _check_judged(samples)
    return samples


def image_sizes(
    samples: Samples, progress: Callable[[int, int, str], None] = lambda done, total, what: None
) -> dict[str, tuple[int, int]]:
    """Return width and height in pixels of the samples' files, before they were resized, by id; of those there are."""
    found = {}
    for place, path in enumerate(samples.paths or ()):
        progress(place, len(samples), "sizes looked up")
        with contextlib.suppress(UnreadableError):
            found[samples.ids[place]] = image_size(path)
    progress(1, 1, "")
    return found


def _check(ids: Sequence[str], data: Data) -> None:
    twice = next((one for one, other in itertools.pairwise(ids) if one == other), None)
    if twice is not None:
        raise UserError(f"The id {twice!r} is there twice: an audit names samples by their ids.")
    if len(ids) < FEWEST:
        raise UserError(
            f"There {'is' if len(ids) == 1 else 'are'} {plural(len(ids), 'image')} only; an audit needs at least "
            f"{FEWEST} to tell wrong labels from right ones."
        )
    if len(data.classes) < 2:
        raise UserError(f"There is one class only, {data.classes[0]!r}: an audit needs at least two.")


def _check_judged(samples: Samples) -> None:
    given = samples.given[samples.judged]
    if len(given) < FEWEST or (given == given[0]).all():
        raise UserError(
            f"Only {len(given)} of {len(samples):,} labels can be judged, as no other image has the others: an audit "
            f"needs at least {FEWEST}, of two classes that have several images."
        )


def _digests(images: ImageStore, progress: Callable[[int, int, str], None]) -> list[bytes]:
    found: list[bytes] = []
    for start in range(0, len(images), _CHUNK):
        progress(start, len(images), "images read")
        batch = images.fetch(np.arange(start, min(start + _CHUNK, len(images))))
        found += [hashlib.blake2b(image.tobytes(), digest_size=16).digest() for image in batch]
    progress(1, 1, "")
    return found


@dataclass(frozen=True, eq=False)
class _Part:
    """A part of a data set, with the labels that it is given in a run."""

    split: Split
    images: ImageStore
    given: Labels
    true: Labels | None


@dataclass(frozen=True)
class _Loaded:
    """A data set that has been loaded."""

    data: Data

    def load(self, source: DatasetContext) -> Data:
        """Return it."""
        return self.data


@dataclass(frozen=True)
class _Joined:
    """The images of one store, and after them those of another of the same size."""

    first: ImageStore
    second: ImageStore

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W)."""
        return self.first.image_shape

    def __len__(self) -> int:
        return len(self.first) + len(self.second)

    def fetch(self, indices: Labels) -> NDArray[np.uint8]:
        """Return the images at these positions, uint8 (B, H, W, C)."""
        return self._gathered(indices, lambda store, chosen: store.fetch(chosen))

    def _gathered(self, indices: Labels, fetch: Callable[[Any, Labels], NDArray[np.uint8]]) -> NDArray[np.uint8]:
        channels, height, width = self.image_shape
        found = np.empty((len(indices), height, width, channels), np.uint8)
        later: Any = indices >= len(self.first)
        for store, chosen, offset in ((self.first, ~later, 0), (self.second, later, len(self.first))):
            if chosen.any():
                found[chosen] = fetch(store, indices[chosen] - offset)
        return found


class _JoinedVaried(_Joined):
    """The same of two stores that vary training images themselves."""

    def fetch_augmented(self, indices: Labels, rng: np.random.Generator) -> NDArray[np.uint8]:
        """Return them as the stores vary them."""
        return self._gathered(indices, lambda store, chosen: store.fetch_augmented(chosen, rng))


def _joined(first: ImageStore, second: ImageStore) -> _Joined:
    return (_JoinedVaried if stores.varies(first) and stores.varies(second) else _Joined)(first, second)
