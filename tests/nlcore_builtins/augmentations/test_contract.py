"""What every augmentation promises."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from augmented import generator, images
from nlcore_builtins import augmentations

from nlcore import Component

#: Those that draw; none and progressive do the same to every image.
COMPONENTS = [one for one in augmentations.nl_augmentations() if one.name not in ("none", "progressive")]
KEYS = [component.name for component in COMPONENTS]


def make(component: Component) -> Any:
    """Return the component's augmentation with its defaults."""
    module, name = component.target.split(":")
    return getattr(__import__(module, fromlist=[name]), name)()


def batch_for(augmentation: Any, count: int, channels: int) -> torch.Tensor:
    """Return images in the augmentation's space."""
    batch = images(count, channels)
    return batch if augmentation.space == "uint8" else batch / 255


every = pytest.mark.parametrize("component", COMPONENTS, ids=KEYS)


@every
def test_draws_are_keyed_and_have_a_row_for_each_image(component: Component) -> None:
    """Same seed, same draws; another seed, others."""
    augmentation = make(component)
    first, again, other = (augmentation.draw(50, generator(seed)) for seed in (1, 1, 2))
    assert all(len(value) == 50 and value.device.type == "cpu" for value in first.values())
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert any(not torch.equal(first[key], other[key]) for key in first)


@every
@pytest.mark.parametrize("channels", [1, 3])
def test_images_do_not_depend_on_their_batch(component: Component, channels: int) -> None:
    """Slices of the draws, down to one image, give what the whole gives; the input stays; shape and dtype stay."""
    augmentation = make(component)
    batch = batch_for(augmentation, 24, channels)
    before = batch.clone()
    draws = augmentation.draw(24, generator())
    whole = augmentation.apply(batch, draws)
    parts = [slice(0, 10), slice(10, 23), slice(23, 24)]
    sliced = [augmentation.apply(batch[part], {key: value[part] for key, value in draws.items()}) for part in parts]
    torch.testing.assert_close(torch.cat(sliced), whole, rtol=0, atol=1e-6 if whole.is_floating_point() else 0)
    assert torch.equal(batch, before)
    assert (whole.dtype, whole.shape, whole.device) == (batch.dtype, batch.shape, batch.device)


@every
def test_each_image_has_draws_of_its_own(component: Component) -> None:
    """The same image many times in a batch comes out in several ways."""
    augmentation = make(component)
    batch = batch_for(augmentation, 1, 3).expand(32, -1, -1, -1)
    changed = augmentation.apply(batch, augmentation.draw(32, generator()))
    assert len(changed.flatten(1).unique(dim=0)) > 1


@every
def test_runs_on_the_images_device_without_reading_back(component: Component) -> None:
    """On the meta device, which has no values to read, whatever is decided from images would fail."""
    augmentation = make(component)
    batch = batch_for(augmentation, 64, 3).to("meta")
    changed = augmentation.apply(batch, augmentation.draw(64, generator()))
    assert (changed.dtype, changed.shape, changed.device) == (batch.dtype, batch.shape, batch.device)
