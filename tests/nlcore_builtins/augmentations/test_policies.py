"""RandAugment, AutoAugment and TrivialAugment against torchvision's tables, applied image by image."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from augmented import HEIGHT, WIDTH, generator, images, one
from nlcore_builtins.augmentations import autoaugment_cifar10, randaugment, trivial_augment
from nlcore_builtins.augmentations.autoaugment_cifar10 import AutoAugmentCIFAR10
from nlcore_builtins.augmentations.randaugment import RandAugment
from nlcore_builtins.augmentations.trivial_augment import TrivialAugment
from scipy import stats
from torchvision.transforms import v2

OURS = {
    "ShearX": "shear_x", "ShearY": "shear_y", "TranslateX": "translate_x", "TranslateY": "translate_y",
    "AutoContrast": "autocontrast",
}  # fmt: skip
COUNT = 28_000


def space(reference: Any, levels: int) -> dict[str, tuple[torch.Tensor | None, bool]]:
    """Return torchvision's operations, under our names, with their scales and whether these are signed."""
    return {
        OURS.get(name, name.lower()): (scale(levels, HEIGHT, WIDTH), signed)
        for name, (scale, signed) in reference._AUGMENTATION_SPACE.items()
    }


def loop(image: torch.Tensor, steps: list[tuple[str, int, float]], scales: Any) -> torch.Tensor:
    """Apply operations (name, level, sign) one after another to one image."""
    for name, level, sign in steps:
        scale, signed = scales[name]
        magnitude = 0.0 if scale is None else float(scale[level]) * (sign if signed else 1)
        image = one(image, name, magnitude)
    return image


def agree(found: torch.Tensor, expected: list[torch.Tensor]) -> None:
    """At most 1/255 apart; a later operation may make more of that in few pixels."""
    apart = (found.int() - torch.stack(expected).int()).abs()
    assert (apart > 1).float().mean() < 0.001


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("m", [0, 10, 30])
def test_randaugment_equals_torchvision_image_by_image(m: int, channels: int) -> None:
    """The drawn operations at torchvision's magnitudes."""
    augmentation = RandAugment(n=3, m=m)
    batch = images(60, channels)
    draws = augmentation.draw(60, generator())
    scales = space(v2.RandAugment, 31)
    steps = [
        [(randaugment.OPERATIONS[o], m, s) for o, s in zip(*row, strict=True)]
        for row in zip(draws["operation"].tolist(), draws["sign"].tolist(), strict=True)
    ]
    agree(augmentation.apply(batch, draws), [loop(x, todo, scales) for x, todo in zip(batch, steps, strict=True)])


@pytest.mark.parametrize("channels", [1, 3])
def test_trivial_augment_equals_torchvision_image_by_image(channels: int) -> None:
    """The drawn operation at torchvision's magnitude."""
    augmentation = TrivialAugment()
    batch = images(90, channels)
    draws = augmentation.draw(90, generator())
    scales = space(v2.TrivialAugmentWide, 31)
    rows = zip(draws["operation"].tolist(), draws["level"].tolist(), draws["sign"].tolist(), strict=True)
    steps = [(trivial_augment.OPERATIONS[o], level, sign) for o, level, sign in rows]
    agree(augmentation.apply(batch, draws), [loop(x, [todo], scales) for x, todo in zip(batch, steps, strict=True)])


@pytest.mark.parametrize("channels", [1, 3])
def test_autoaugment_equals_torchvision_image_by_image(channels: int) -> None:
    """The drawn pair at torchvision's magnitudes."""
    augmentation = AutoAugmentCIFAR10()
    batch = images(90, channels)
    draws = augmentation.draw(90, generator())
    scales = space(v2.AutoAugment, 10)
    steps = [
        [
            (name, level, sign)
            for (name, _, level), active, sign in zip(
                autoaugment_cifar10.POLICIES[draws["policy"][row]],
                draws["active"][row],
                draws["sign"][row],
                strict=True,
            )
            if active
        ]
        for row in range(90)
    ]
    agree(augmentation.apply(batch, draws), [loop(x, todo, scales) for x, todo in zip(batch, steps, strict=True)])


def test_autoaugment_has_torchvisions_pairs() -> None:
    """The 25 pairs, their probabilities and levels."""
    reference = v2.AutoAugment(v2.AutoAugmentPolicy.CIFAR10)._policies
    expected = [tuple((OURS.get(n, n.lower()), p, level or 0) for n, p, level in pair) for pair in reference]
    assert list(autoaugment_cifar10.POLICIES) == expected


@pytest.mark.parametrize("module", [randaugment, trivial_augment])
def test_operations_are_torchvisions(module: Any) -> None:
    """The same 14 operations."""
    assert set(module.OPERATIONS) == set(space(v2.RandAugment, 31)) == set(space(v2.TrivialAugmentWide, 31))
    assert len(module.OPERATIONS) == 14


def test_draws_are_uniform() -> None:
    """Operations, levels, pairs and signs: each as likely."""
    rand = RandAugment().draw(COUNT, generator())
    trivial = TrivialAugment().draw(COUNT, generator())
    auto = AutoAugmentCIFAR10().draw(COUNT, generator())
    uniform = [
        (rand["operation"][:, 0] * 14 + rand["operation"][:, 1], 196),
        (trivial["operation"] * 31 + trivial["level"], 434),
        (auto["policy"], 25),
        *[((draws["sign"].flatten() > 0).long(), 2) for draws in (rand, trivial, auto)],
    ]
    for values, kinds in uniform:
        assert stats.chisquare(values.bincount(minlength=kinds).numpy()).pvalue > 1e-4
    assert set(rand["sign"].flatten().tolist()) == {-1.0, 1.0}


def test_autoaugment_operations_take_place_with_their_probabilities() -> None:
    """χ² of how often each of the 50 parts is active."""
    draws = AutoAugmentCIFAR10().draw(COUNT, generator())
    for number, pair in enumerate(autoaugment_cifar10.POLICIES):
        active = draws["active"][draws["policy"] == number]
        for position, (_, p, _) in enumerate(pair):
            assert stats.binomtest(int(active[:, position].sum()), len(active), p).pvalue > 1e-4
