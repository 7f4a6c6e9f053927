"""The datasets that come with nlcore."""

from __future__ import annotations

from nlcore import Component, hookimpl
from nlcore_builtins import references

NLCORE_API = 1


@hookimpl
def nl_datasets() -> list[Component]:
    """Return the built-in datasets."""
    return [
        Component(
            "cifar10",
            "nlcore_builtins.datasets.cifar10:Cifar10",
            "CIFAR-10: 32×32 colour photographs in ten classes, 50,000 and 10,000.",
            "https://www.cs.toronto.edu/~kriz/learning-features-2009-TR.pdf",
            references.KRIZHEVSKY_2009,
        ),
        Component(
            "digits",
            "nlcore_builtins.datasets.digits:Digits",
            "Handwritten digits, 8×8 grey, bundled with scikit-learn: 1,797 images, no download.",
            "https://doi.org/10.24432/C50P49",
            references.ALPAYDIN_1998,
        ),
    ]
