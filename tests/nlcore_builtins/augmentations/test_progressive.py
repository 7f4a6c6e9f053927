"""Progressive resizing against torchvision's resize, and against standard training."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from helpers import NetArchitecture, make_data, make_trainer, prepared, squares, train
from torch import Tensor, nn
from torchvision.transforms.v2 import functional as V

import nlcore
from nlcore.data.views import View


class Recording:
    """An architecture whose networks keep what they were shown, in training and in evaluation."""

    def __init__(self) -> None:
        self.trained: list[Tensor] = []
        self.evaluated: list[Tensor] = []

    def build(self, num_classes: int, image_shape: tuple[int, int, int]) -> nn.Module:
        """Return the network."""
        network = NetArchitecture().build(num_classes, image_shape)
        network.register_forward_pre_hook(self._keep)
        return network

    def _keep(self, module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        (self.trained if module.training else self.evaluated).append(inputs[0].detach().clone())


def run(epochs: int = 5, **parameters: Any) -> tuple[Any, list[Tensor], list[Tensor]]:
    """Train, on smaller images where there are parameters; return the strategy and what its network was shown."""
    images, labels = squares(40)
    data = prepared(make_data(images, labels, test=squares(8, seed=1)))
    architecture = Recording()
    strategy: Any = nlcore.create("strategy", "standard")
    trainer = make_trainer(strategy, data, architecture, epochs=epochs, batch_size=16)
    if parameters:
        weak = trainer.batches.views["weak"]
        smaller = nlcore.create("augmentation", "progressive", **parameters)
        trainer.batches.views["weak"] = View([*weak.augmentations, smaller], ["crop_flip", "progressive"])
    train(trainer)
    return strategy, architecture.trained, architecture.evaluated


@pytest.mark.parametrize(("scale", "until", "small"), [(0.75, 0.5, 2), (0.5, 0.4, 2), (0.5, 1.0, 5), (0.5, 0.0, 0)])
def test_images_grow_to_their_full_size(scale: float, until: float, small: int) -> None:
    """Three batches an epoch, and every pixel as torchvision scales it."""
    _, shown, tested = run(scale=scale, until=until)
    _, full, _ = run()
    size = list(full[0].shape[2:])
    reduced = [round(scale * length) for length in size]
    assert [list(x.shape[2:]) for x in shown] == [reduced] * 3 * small + [size] * 3 * (5 - small)
    assert len(shown) == len(full)
    for seen, image in zip(shown, full, strict=True):
        expected = image if seen.shape == image.shape else V.resize(image, reduced, antialias=True)
        torch.testing.assert_close(seen, expected)
    assert {x.shape[2:] for x in tested} == {full[0].shape[2:]}  # also after an epoch on smaller ones


def test_without_small_images_it_is_standard_training() -> None:
    """The same bits."""
    progressive, _, _ = run(until=0.0)
    standard, _, _ = run()
    for one, other in zip(progressive.network.parameters(), standard.network.parameters(), strict=True):
        assert torch.equal(one, other)
