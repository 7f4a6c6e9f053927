"""Whether what a strategy shows its losses is a history of single samples, by which detectors can rank them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from nlcore.contracts import Batch, Pass
from nlcore.testing.tiny_run import TinyRun
from nlcore.testing.toy import TinyNet


class _NotingArchitecture:
    """Builds networks, of whose calls it notes which images led to which logits."""

    def __init__(self) -> None:
        self.images: Tensor = torch.empty(0)
        self.seen: list[tuple[Tensor, Tensor]] = []

    def build(self, num_classes: int, image_shape: tuple[int, int, int]) -> nn.Module:
        """Return a network."""
        network = TinyNet(num_classes, image_shape[0])
        network.conv.register_forward_hook(self._take)
        network.head.register_forward_hook(self._note)
        return network

    def _take(self, module: nn.Module, given: tuple[Tensor, ...], found: Tensor) -> None:
        self.images = given[0].detach()

    def _note(self, module: nn.Module, given: tuple[Tensor, ...], found: Tensor) -> None:
        self.seen.append((self.images, found.detach()))


def own_images_shown(strategy: Any, epochs: int) -> list[bool]:
    """
    Train a strategy on the toy problem.

    Returns:
        for each epoch whether its losses observed predictions, and all of them of the samples' own images.

    """
    architecture = _NotingArchitecture()
    run = TinyRun(strategy, epochs, architecture=architecture)
    iterate, batches, shown = run.trainer.batches.iterate, list[Batch](), list[bool]()

    def noted(of: Pass, *where: Any) -> Iterator[Batch]:
        for batch in iterate(of, *where):
            batches.append(batch)
            architecture.seen.clear()
            yield batch

    def watch(logits: Tensor, index: Tensor) -> None:
        for row, sample in zip(logits, index, strict=True):
            images = [x for given, out in architecture.seen for x in given[(out == row).all(1)]]
            views = [view[place] for view in batches[-1].views for place in (batches[-1].index == sample).nonzero()]
            shown.append(any(torch.equal(one, view[0]) for one in images for view in views))

    run.trainer.batches.iterate = noted  # type: ignore[method-assign,assignment]
    run.ctx.watchers.append(watch)
    found = []

    def ended() -> None:
        found.append(bool(shown) and all(shown))
        shown.clear()

    run.train(ended)
    return found


def says_when_there_is_no_history(cls: type) -> None:
    """Where its losses do not observe each epoch how samples' own images are predicted, ``no_history`` says why."""
    strategy = cls()
    if not getattr(strategy, "no_history", ""):
        epochs = [number for number, own in enumerate(own_images_shown(strategy, 4), 1) if not own]
        assert not epochs, (
            f"In epoch {epochs[0]} its losses observe no predictions, or predictions of other images than the samples' "
            'own, and it does not say so: give it no_history = "its network sees mixtures of images", or whatever is '
            "the reason. Detectors such as aum would rank labels by what they take for each sample's history."
        )
