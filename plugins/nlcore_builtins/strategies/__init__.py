"""The training strategies that come with nlcore."""

from __future__ import annotations

from nlcore import Component, hookimpl
from nlcore_builtins.references import bibtex

NLCORE_API = 1


@hookimpl
def nl_strategies() -> list[Component]:
    """Return the built-in strategies."""
    package = "nlcore_builtins.strategies"
    return [
        Component("standard", f"{package}.standard:Standard", "One network, one shuffled pass over all samples."),
        Component(
            "mixup",
            f"{package}.mixup:Mixup",
            "Trains on convex combinations of pairs of images and of their losses.",
            "arXiv:1710.09412",
            bibtex("zhang2018mixup"),
        ),
        Component(
            "co_teaching",
            f"{package}.co_teaching:CoTeaching",
            "Two networks that pick small-loss samples for each other.",
            "arXiv:1804.06872",
            bibtex("han2018coteaching"),
        ),
    ]
