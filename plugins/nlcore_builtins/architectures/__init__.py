"""The architectures that come with nlcore."""

from __future__ import annotations

from nlcore import Component, hookimpl
from nlcore_builtins import references

NLCORE_API = 1


@hookimpl
def nl_architectures() -> list[Component]:
    """Return the built-in architectures."""
    return [
        Component(
            f"resnet{depth}",
            f"nlcore_builtins.architectures.resnet:ResNet{depth}",
            f"ResNet-{depth} with a stem for small images, any size and width.",
            "arXiv:1512.03385",
            references.HE_2016,
        )
        for depth in (18, 34, 50, 101, 152)
    ]
