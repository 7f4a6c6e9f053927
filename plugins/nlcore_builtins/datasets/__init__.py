"""The datasets that come with nlcore."""

from __future__ import annotations

from nlcore import Component, hookimpl
from nlcore_builtins.references import bibtex

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
            bibtex("krizhevsky2009learning"),
        ),
        Component(
            "cifar100",
            "nlcore_builtins.datasets.cifar100:Cifar100",
            "CIFAR-100: 32×32 colour photographs in one hundred classes, 50,000 and 10,000.",
            "https://www.cs.toronto.edu/~kriz/learning-features-2009-TR.pdf",
            bibtex("krizhevsky2009learning"),
        ),
        Component(
            "mnist",
            "nlcore_builtins.datasets.mnist:Mnist",
            "MNIST: 28×28 grey handwritten digits, 60,000 and 10,000.",
            "https://doi.org/10.1109/5.726791",
            bibtex("lecun1998gradient"),
        ),
        Component(
            "fashion_mnist",
            "nlcore_builtins.datasets.fashion_mnist:FashionMnist",
            "Fashion-MNIST: 28×28 grey images of clothes in ten classes, 60,000 and 10,000.",
            "arXiv:1708.07747",
            bibtex("xiao2017fashion"),
        ),
        Component(
            "digits",
            "nlcore_builtins.datasets.digits:Digits",
            "Handwritten digits, 8×8 grey, bundled with scikit-learn: 1,797 images, no download.",
            "https://doi.org/10.24432/C50P49",
            bibtex("alpaydin1998optical"),
        ),
        Component(
            "image_folder",
            "nlcore_builtins.datasets.image_folder:ImageFolder",
            "Your own images, one folder a class.",
        ),
        Component(
            "csv",
            "nlcore_builtins.datasets.csv_table:CsvTable",
            "Your own images, listed in a CSV of path and label.",
        ),
    ]
