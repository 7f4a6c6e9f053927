"""
Networks whose bodies are frozen: the features of all images are computed once, and heads are trained on them.

    epochs 1..N       x ← features(x), of each image as it is; only the head learns (a linear probe)
    the others        everything learns, on images (LP-FT: Kumar et al. 2022, arXiv:2202.10054)

A body is not run while it is frozen, but to compute the features, in evaluation mode: neither its weights nor what its
batch normalisation remembers changes. The latter stays so in the other epochs, too: with statistics of batches in its
place, features are others than those that the head has learnt. An image's features stand for it as an image of D
channels and a single pixel, (B, D, 1, 1), so that whatever mixes or weighs images does the same with them. Networks
take both, and remain whole.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nlcore.contracts import Architecture, Pass
from nlcore.data.device_images import DeviceImages
from nlcore.errors import RunError, UserError
from nlcore.training.context import Context
from nlcore.training.initial import some
from nlcore.training.predict import at_once

IN_MEMORY = 2 * 1024**3  # bytes of features of one store; more lie in a file, of which the system keeps what fits
_BATCH = 64


class _TakesFeatures(nn.Module):
    """A network that hands features, which it is given in place of images, on to its head."""

    head: nn.Module

    def features(self, x: Tensor) -> Tensor:
        """Map images (B, C, H, W), or features (B, D, 1, 1), to (B, D)."""
        found: Tensor = x.flatten(1) if _are_features(x) else super().features(x)  # type: ignore[misc]
        return found

    def forward(self, x: Tensor) -> Tensor:
        """Map images (B, C, H, W), or features (B, D, 1, 1), to logits (B, K)."""
        logits: Tensor = self.head(x.flatten(1)) if _are_features(x) else super().forward(x)
        return logits


class Freezable:
    """An architecture whose networks take features in place of images, too; a linear head is drawn as torch does."""

    def __init__(self, architecture: Architecture) -> None:
        self._architecture = architecture

    def build(self, num_classes: int, image_shape: tuple[int, int, int]) -> nn.Module:
        """Return the architecture's network."""
        network = self._architecture.build(num_classes, image_shape)
        if isinstance(network.head, nn.Linear):  # others draw weights that features of some hundred numbers make huge
            network.head.reset_parameters()
        network.__class__ = type(type(network).__name__, (_TakesFeatures, type(network)), {})
        return network


def refuse_drawn(drawn: Sequence[str]) -> None:
    """
    Refuse to freeze what was drawn: its features mean nothing before they are trained.

    Args:
        drawn: names of tensors that the weights which the networks start from do not have.

    Raises:
        UserError: some are no head's.

    """
    body = [name for name in dict.fromkeys(drawn) if not name.startswith("head.")]  # networks of a run are alike
    if body:
        raise UserError(
            f"freeze: this network has tensors ({some(body)}) that are not in the weights that it starts from, and "
            "would stay as drawn. Train all of it from the start, --freeze 0, or take the model as its weights are "
            "for: the same architecture and width, images of as many channels, and --architecture.small_images as it "
            "was."
        )


class FrozenBodies:
    """
    Freezes the bodies of a run's networks for its first epochs.

    Attributes:
        epochs: how many.

    """

    def __init__(
        self,
        epochs: int,
        of: int,
        ctx: Context,
        images: Sequence[DeviceImages],
        progress: Callable[[int, int, str], None],
    ) -> None:
        """
        Freeze nothing yet.

        Args:
            epochs: how many.
            of: of so many.
            ctx: of a strategy that is set up.
            images: all that the run looks at.
            progress: is told how many of them are described.

        Raises:
            UserError: the networks have different bodies.

        """
        self.epochs = epochs
        self._of = of
        self._ctx = ctx
        self._images = images
        self._progress = progress
        self._now = False
        self._frozen: list[nn.Parameter] = []
        bodies = {name: _body(network) for name, network in ctx.networks.items()} if epochs else {}
        first = next(iter(bodies), "")
        others = [name for name, body in bodies.items() if not _equal(bodies[first], body)]
        if others:
            raise UserError(
                f"freeze: the body of {' and '.join(others)} starts from other weights than that of {first}, and "
                "features are computed once for all. Start all networks from one: --init of a run with one network, as "
                "--strategy standard trains, or --architecture.pretrained true; or train all of them from the start: "
                "--freeze 0."
            )

    def begin_epoch(self, epoch: int) -> None:
        """
        Freeze or thaw the bodies as this epoch wants it.

        Raises:
            UserError: there is no room for the features.

        """
        if 0 < self.epochs < epoch:
            self._hold_statistics()
        if self._now == (epoch <= self.epochs):
            return
        self._now = not self._now
        if self._now:
            self._freeze()
        else:
            self._thaw()

    def stage(self, epoch: int) -> tuple[int, int]:
        """Return the first and the last epoch of the stage that `epoch` belongs to."""
        return (1, self.epochs) if epoch <= self.epochs else (self.epochs + 1, self._of)

    def check(self, passes: Sequence[Pass]) -> None:
        """
        Stop where several views are asked for while bodies are frozen.

        Raises:
            RunError: they are.

        """
        if self._now and any(len(one.view_names) > 1 for one in _with_paired(passes)):
            raise RunError(
                "The strategy asks for several views of an image, and with --freeze there is one. Give --freeze 0."
            )

    def seconds(self) -> float:
        """Return roughly how long the features take to compute."""
        counts = [len(images) for images in self._images]
        for _ in range(2):  # the first time with the set-up of libraries
            start = time.perf_counter()
            with self._ctx.evaluating():
                measured = len(next(self._described(self._images[0])))
        return (time.perf_counter() - start) / measured * sum(counts)

    def _freeze(self) -> None:
        for network in self._ctx.networks.values():
            of_head = {id(p) for p in network.head.parameters()}  # type: ignore[union-attr]
            self._frozen += [p for p in network.parameters() if p.requires_grad and id(p) not in of_head]
        for p in self._frozen:
            p.requires_grad_(False)
        self._ctx.frozen = {id(p) for p in self._frozen}
        done, total = 0, sum(map(len, self._images))
        with self._ctx.evaluating():
            for images in self._images:
                features: NDArray[np.float32] | None = None
                start = 0
                for found in self._described(images):
                    self._progress(done + start, total, "features of images")
                    features = _room(len(images), found.shape[1]) if features is None else features
                    features[start : start + len(found)] = found.cpu().numpy()
                    start += len(found)
                done += start
                if features is not None:
                    shown = torch.from_numpy(features)
                    images.features = shown if isinstance(features, np.memmap) else shown.to(self._ctx.device)
        self._progress(total, total, "")
        self._ctx.revision += 1

    def _thaw(self) -> None:
        for p in self._frozen:
            p.requires_grad_(True)
        self._frozen, self._ctx.frozen = [], set()
        for images in self._images:
            images.features = None
        self._ctx.revision += 1

    def _hold_statistics(self) -> None:
        """Let batch normalisation go by what it remembers: the head was trained on features that it makes with that."""
        for network in self._ctx.networks.values():
            for part in network.modules():
                if isinstance(part, nn.modules.batchnorm._BatchNorm):
                    part.eval()

    def _described(self, images: DeviceImages) -> Iterator[Tensor]:
        """Yield the features of plain images, float32 (B, D)."""
        network: Any = next(iter(self._ctx.networks.values()))
        for batch in images.plain(torch.arange(len(images)), at_once(_BATCH, images.values)):
            yield network.features(batch).flatten(1)


def _are_features(x: Tensor) -> bool:
    return x.ndim == 4 and x.shape[2:] == (1, 1)


def _body(network: nn.Module) -> dict[str, Tensor]:
    return {key: tensor for key, tensor in network.state_dict().items() if not key.startswith("head.")}


def _equal(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


def _with_paired(passes: Sequence[Pass]) -> Iterator[Pass]:
    for one in passes:
        yield one
        if one.paired is not None:
            yield from _with_paired([one.paired])


def _room(count: int, width: int) -> NDArray[np.float32]:
    """
    Return room for features, in memory, or, for many of them, in a temporary file without a name.

    Raises:
        UserError: there is none on the disk.

    """
    size = count * width * 4
    if size <= IN_MEMORY:
        return np.empty((count, width), np.float32)
    folder = tempfile.gettempdir()
    free = shutil.disk_usage(folder).free
    if free < size:
        raise UserError(
            f"freeze: the features of {count:,} images take {size / 1e9:.1f} GB, and {folder} has {free / 1e9:.1f} GB "
            "free. Name another folder in the environment variable TMPDIR."
        )
    with tempfile.TemporaryFile() as file:  # what is mapped stays until nobody looks at it any more
        return np.memmap(file, np.float32, "w+", shape=(count, width))
