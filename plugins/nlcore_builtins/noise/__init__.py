"""The noise models that come with nlcore."""

from __future__ import annotations

from nlcore import Component, hookimpl
from nlcore_builtins import references

NLCORE_API = 1


@hookimpl
def nl_noise_models() -> list[Component]:
    """Return the built-in noise models."""
    return [
        Component("none", "nlcore_builtins.noise.none:NoNoise", "The labels as they come with the dataset."),
        Component(
            "symmetric",
            "nlcore_builtins.noise.symmetric:Symmetric",
            "Labels redrawn uniformly, whatever the true class.",
            "arXiv:1505.07634",
            references.VAN_ROOYEN_2015,
        ),
        Component(
            "cifar10n",
            "nlcore_builtins.noise.cifar10n:Cifar10N",
            "CIFAR-10N: what people answered for the CIFAR-10 training images.",
            "arXiv:2110.12088",
            references.WEI_2022,
        ),
        Component("stored", "nlcore_builtins.noise.stored:Stored", "Labels from a file, looked up by sample id."),
    ]
