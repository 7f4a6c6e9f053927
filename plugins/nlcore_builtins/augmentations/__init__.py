"""The augmentations that come with nlcore."""

from __future__ import annotations

from nlcore import Component, hookimpl
from nlcore_builtins import references

NLCORE_API = 1


@hookimpl
def nl_augmentations() -> list[Component]:
    """Return the built-in augmentations."""
    package = "nlcore_builtins.augmentations"
    return [
        Component("flip", f"{package}.flip:Flip", "Horizontal flips."),
        Component(
            "resized_crop",
            f"{package}.resized_crop:ResizedCrop",
            "Boxes of random size and place, enlarged to the image's size.",
            "arXiv:1409.4842",
            references.SZEGEDY_2015,
        ),
        Component(
            "randaugment",
            f"{package}.randaugment:RandAugment",
            "RandAugment: n random operations of one magnitude.",
            "arXiv:1909.13719",
            references.CUBUK_2020,
        ),
        Component(
            "autoaugment_cifar10",
            f"{package}.autoaugment_cifar10:AutoAugmentCIFAR10",
            "AutoAugment: the pairs of operations found on CIFAR-10.",
            "arXiv:1805.09501",
            references.CUBUK_2019,
        ),
        Component(
            "trivial_augment",
            f"{package}.trivial_augment:TrivialAugment",
            "TrivialAugment: one random operation of random magnitude.",
            "arXiv:2103.10158",
            references.MULLER_HUTTER_2021,
        ),
        Component(
            "cutout",
            f"{package}.cutout:Cutout",
            "Cutout: a square at a random place is covered.",
            "arXiv:1708.04552",
            references.DEVRIES_TAYLOR_2017,
        ),
        Component(
            "simclr",
            f"{package}.simclr:SimCLR",
            "SimCLR's crops, flips and changes of colour.",
            "arXiv:2002.05709",
            references.CHEN_2020,
        ),
    ]
