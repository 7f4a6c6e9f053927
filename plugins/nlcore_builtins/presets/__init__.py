"""The presets that come with nlcore: recipes beside this file, and functions that choose among them."""

from __future__ import annotations

from nlcore import Component, hookimpl

NLCORE_API = 1


@hookimpl
def nl_presets() -> list[Component]:
    """Return the built-in presets."""
    package = "nlcore_builtins.presets"
    return [
        Component(
            "photos",
            f"{package}.photos:for_a_cpu",
            "Your own photos on a CPU: a head on a pretrained network's features, in minutes.",
        ),
        Component(
            "photos_gpu",
            f"{package}.photos:for_a_gpu",
            "Your own photos on a GPU: a pretrained network, the head first and then all of it.",
        ),
        Component("quick", f"{package}:quick.toml", "A good model in minutes on two CPU cores."),
        Component(
            "audit", f"{package}:audit.toml", "What nl audit trains: small networks that learn few wrong labels."
        ),
        Component(
            "best", f"{package}:best.toml", "A full ResNet-18 in 20 epochs, at its best: for a GPU, or for hours."
        ),
    ]
