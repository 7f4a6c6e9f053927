"""The augmentations that come with nlcore."""

from __future__ import annotations

from nlcore import Component, hookimpl
from nlcore_builtins.references import bibtex

NLCORE_API = 1


@hookimpl
def nl_augmentations() -> list[Component]:
    """Return the built-in augmentations."""
    package = "nlcore_builtins.augmentations"
    return [
        Component("none", f"{package}.none:NoAugmentation", "Images as they are."),
        Component(
            "crop_flip",
            f"{package}.crop_flip:CropFlip",
            "Shifts by a few pixels, and mirror images.",
            "arXiv:1512.03385",
            bibtex("he2016deep"),
        ),
        Component(
            "progressive",
            f"{package}.progressive:Progressive",
            "Smaller images in the first epochs, which take less time.",
            "arXiv:2104.00298",
            bibtex("tan2021efficientnetv2"),
        ),
        Component("flip", f"{package}.flip:Flip", "Horizontal flips."),
        Component(
            "resized_crop",
            f"{package}.resized_crop:ResizedCrop",
            "Boxes of random size and place, enlarged to the image's size.",
            "arXiv:1409.4842",
            bibtex("szegedy2015going"),
        ),
        Component(
            "randaugment",
            f"{package}.randaugment:RandAugment",
            "RandAugment: n random operations of one magnitude.",
            "arXiv:1909.13719",
            bibtex("cubuk2020randaugment"),
        ),
        Component(
            "autoaugment_cifar10",
            f"{package}.autoaugment_cifar10:AutoAugmentCIFAR10",
            "AutoAugment: the pairs of operations found on CIFAR-10.",
            "arXiv:1805.09501",
            bibtex("cubuk2019autoaugment"),
        ),
        Component(
            "trivial_augment",
            f"{package}.trivial_augment:TrivialAugment",
            "TrivialAugment: one random operation of random magnitude.",
            "arXiv:2103.10158",
            bibtex("muller2021trivialaugment"),
        ),
        Component(
            "cutout",
            f"{package}.cutout:Cutout",
            "Cutout: a square at a random place is covered.",
            "arXiv:1708.04552",
            bibtex("devries2017improved"),
        ),
        Component(
            "simclr",
            f"{package}.simclr:SimCLR",
            "SimCLR's crops, flips and changes of colour.",
            "arXiv:2002.05709",
            bibtex("chen2020simple"),
        ),
    ]
