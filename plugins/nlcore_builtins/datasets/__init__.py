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
            "animal10n",
            "nlcore_builtins.datasets.animal10n:Animal10N",
            "ANIMAL-10N: ten animals that people confuse, 64×64, 50,000 with real label noise and 5,000.",
            "https://proceedings.mlr.press/v97/song19b.html",
            bibtex("song2019selfie"),
        ),
        Component(
            "food101n",
            "nlcore_builtins.datasets.food101n:Food101N",
            "Food-101N: 310,009 photographs of dishes from the web in 101 classes; Food-101's test set.",
            "arXiv:1711.07131",
            bibtex("lee2018cleannet"),
        ),
        Component(
            "clothing1m",
            "nlcore_builtins.datasets.clothing1m:Clothing1M",
            "Clothing1M: a million photographs of clothes from shops in 14 classes, two test sets.",
            "https://doi.org/10.1109/CVPR.2015.7298885",
            bibtex("xiao2015learning"),
        ),
        Component(
            "mini_webvision",
            "nlcore_builtins.datasets.mini_webvision:MiniWebVision",
            "Mini-WebVision: 65,944 photographs that Google found for 50 classes, two test sets.",
            "arXiv:1708.02862",
            bibtex("li2017webvision"),
        ),
        Component(
            "red_mini_imagenet",
            "nlcore_builtins.datasets.red_mini_imagenet:RedMiniImageNet",
            "Red Mini-ImageNet: 50,000 images in 100 classes, 0 to 80 % of them from the web and wrong.",
            "arXiv:1911.09781",
            bibtex("jiang2020beyond"),
        ),
        Component(
            "image_folder",
            "nlcore_builtins.datasets.image_folder:ImageFolder",
            "Your own images, one folder per class.",
        ),
        Component(
            "csv",
            "nlcore_builtins.datasets.csv_table:CsvTable",
            "Your own images, listed in a CSV of path and label.",
        ),
        Component(
            "parquet",
            "nlcore_builtins.datasets.parquet:Parquet",
            "Your own images in Parquet files, a row each.",
        ),
        Component(
            "hf",
            "nlcore_builtins.datasets.hugging_face:HuggingFace",
            "Your own images in a folder of Hugging Face's datasets.",
        ),
        Component(
            "webdataset",
            "nlcore_builtins.datasets.webdataset:WebDataset",
            "Your own images in WebDataset's shards, tars that are read in place.",
        ),
    ]
