"""
Protocols: presets that are a paper's setting, with the figure that was published for it.

A file for each is beside this module, named METHOD-DATASET-NOISE, or METHOD-DATASET where all noise is the data's own.
Where a paper's setting cannot be had as it was, the file says so; what a method itself does otherwise stands on
top of its module.
"""

from __future__ import annotations

from nlcore import Component, hookimpl

NLCORE_API = 1

_METHODS = {
    "ce": "Cross-entropy",
    "divide_mix": "DivideMix",
    "augdesc": "AugDesc",
    "elr_plus": "ELR+",
    "sop_plus": "SOP+",
    "pes_semi": "PES with MixMatch",
    "m_dyr_h": "M-DYR-H",
    "md_dyr_sh": "MD-DYR-SH",
    "unicon": "UNICON",
    "ssr_plus": "SSR+",
    "co_teaching_plus": "Co-teaching+",
    "jocor": "JoCoR",
    "promix": "ProMix",
    "disc": "DISC",
    "pencil": "PENCIL",
    "vol_min_net": "VolMinNet",
}
_NOISE = {
    "cifar10-sym20": "CIFAR-10, 20 % symmetric noise",
    "cifar10-sym50": "CIFAR-10, 50 % symmetric noise",
    "cifar10-sym80": "CIFAR-10, 80 % symmetric noise",
    "cifar10-sym90": "CIFAR-10, 90 % symmetric noise",
    "cifar10-asym40": "CIFAR-10, 40 % asymmetric noise",
    "cifar100-sym20": "CIFAR-100, 20 % symmetric noise",
    "cifar100-sym50": "CIFAR-100, 50 % symmetric noise",
    "cifar100-sym80": "CIFAR-100, 80 % symmetric noise",
    "cifar100-sym90": "CIFAR-100, 90 % symmetric noise",
    "cifar100-asym40": "CIFAR-100, 40 % asymmetric noise",
    "cifar10n-aggre": "CIFAR-10N, aggregate labels",
    "cifar10n-random1": "CIFAR-10N, labels of the first person",
    "cifar10n-worst": "CIFAR-10N, the worst labels",
    "cifar100n-fine": "CIFAR-100N",
    "animal10n": "ANIMAL-10N",
    "food101n": "Food-101N",
    "clothing1m": "Clothing1M",
    "mini_webvision": "mini-WebVision",
    "red_mini_imagenet-20": "Red Mini-ImageNet, 20 % from the web",
    "red_mini_imagenet-40": "Red Mini-ImageNet, 40 % from the web",
    "red_mini_imagenet-60": "Red Mini-ImageNet, 60 % from the web",
    "red_mini_imagenet-80": "Red Mini-ImageNet, 80 % from the web",
}

_RED = tuple(f"red_mini_imagenet-{rate}" for rate in (20, 40, 60, 80))

#: The settings that there is a file for, by method.
_SETTINGS = {
    "ce": (
        "cifar10-sym20",
        "cifar10-sym50",
        "cifar10-sym80",
        "cifar10-sym90",
        "cifar10-asym40",
        "cifar10n-aggre",
        "cifar10n-random1",
        "cifar10n-worst",
        "cifar100n-fine",
        "animal10n",
        "food101n",
        "clothing1m",
        *_RED,
    ),
    "divide_mix": (
        "cifar10-sym20",
        "cifar10-sym50",
        "cifar10-sym80",
        "cifar10-sym90",
        "cifar10-asym40",
        "cifar100-sym20",
        "cifar100-sym50",
        "cifar100-sym80",
        "cifar100-sym90",
        "cifar10n-aggre",
        "cifar10n-random1",
        "cifar10n-worst",
        "cifar100n-fine",
        "clothing1m",
        "mini_webvision",
        *_RED,
    ),
    "augdesc": ("cifar10-sym20", "cifar10-sym50", "cifar10-sym80", "cifar10-sym90", "cifar10-asym40"),
    "elr_plus": (
        "cifar10-sym20",
        "cifar10-sym50",
        "cifar10-sym80",
        "cifar10-sym90",
        "cifar10-asym40",
        "cifar100-sym20",
        "cifar100-sym50",
        "cifar100-sym80",
        "cifar100-sym90",
        "cifar10n-aggre",
        "cifar10n-random1",
        "cifar10n-worst",
        "cifar100n-fine",
        "clothing1m",
        "mini_webvision",
    ),
    "sop_plus": (
        "cifar10-sym20",
        "cifar10-sym50",
        "cifar10-sym80",
        "cifar10-asym40",
        "cifar100-sym20",
        "cifar100-sym50",
        "cifar100-sym80",
        "cifar100-asym40",
        "cifar10n-aggre",
        "cifar10n-random1",
        "cifar10n-worst",
        "cifar100n-fine",
    ),
    "pes_semi": (
        "cifar10-sym20",
        "cifar10-sym50",
        "cifar10-sym80",
        "cifar10n-aggre",
        "cifar10n-random1",
        "cifar10n-worst",
        "cifar100n-fine",
    ),
    "m_dyr_h": (
        "cifar10-sym20",
        "cifar10-sym50",
        "cifar10-sym80",
        "cifar100-sym20",
        "cifar100-sym50",
        "cifar100-sym80",
    ),
    "md_dyr_sh": (
        "cifar10-sym20",
        "cifar10-sym50",
        "cifar10-sym80",
        "cifar10-sym90",
        "cifar100-sym20",
        "cifar100-sym50",
        "cifar100-sym80",
        "cifar100-sym90",
    ),
    "unicon": (
        "cifar10-sym20",
        "cifar10-sym50",
        "cifar10-sym80",
        "cifar10-sym90",
        "cifar10-asym40",
        "cifar100-sym20",
        "cifar100-sym50",
        "cifar100-sym80",
        "cifar100-sym90",
    ),
    "ssr_plus": (
        "cifar10-sym20",
        "cifar10-sym50",
        "cifar10-sym80",
        "cifar10-sym90",
        "cifar10-asym40",
        "animal10n",
        "mini_webvision",
    ),
    "co_teaching_plus": (
        "cifar10-sym20",
        "cifar10-sym50",
        "cifar10-sym80",
        "cifar10-sym90",
        "cifar100-sym20",
        "cifar100-sym50",
        "cifar100-sym80",
        "cifar100-sym90",
        "cifar10n-aggre",
        "cifar10n-random1",
        "cifar10n-worst",
        "cifar100n-fine",
    ),
    "jocor": ("cifar10n-aggre", "cifar10n-random1", "cifar10n-worst", "cifar100n-fine"),
    "promix": (
        "cifar10-sym20",
        "cifar10-sym50",
        "cifar10-sym80",
        "cifar10-sym90",
        "cifar10-asym40",
        "cifar10n-aggre",
        "cifar10n-random1",
        "cifar10n-worst",
        "cifar100n-fine",
    ),
    "disc": ("cifar10-sym20", "cifar10-sym50", "cifar10-asym40"),
    "pencil": ("cifar10-sym20", "cifar10-sym50", "cifar10-sym80", "cifar10-sym90", "cifar10-asym40"),
    "vol_min_net": ("cifar10n-aggre", "cifar10n-random1", "cifar10n-worst", "cifar100n-fine"),
}


@hookimpl
def nl_presets() -> list[Component]:
    """Return the protocols."""
    return [
        Component(
            f"{method}-{setting}",
            f"nlcore_builtins.protocols:{method}-{setting}.toml",
            f"{_METHODS[method]}: {_NOISE[setting]}.",
        )
        for method, settings in _SETTINGS.items()
        for setting in settings
    ]
