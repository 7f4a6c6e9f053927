"""The noise models that come with nlcore."""

from __future__ import annotations

from nlcore import Component, hookimpl
from nlcore_builtins.references import bibtex

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
            bibtex("vanrooyen2015learning"),
        ),
        Component(
            "asymmetric",
            "nlcore_builtins.noise.asymmetric:Asymmetric",
            "Labels taken for those of a similar class, by a map: CIFAR-10's, CIFAR-100's, MNIST's or any.",
            "arXiv:1609.03683",
            bibtex("patrini2017making"),
        ),
        Component(
            "pair_flip",
            "nlcore_builtins.noise.pair_flip:PairFlip",
            "Labels taken for the next class, the last one for the first.",
            "arXiv:1804.06872",
            bibtex("han2018coteaching"),
        ),
        Component(
            "transition_matrix",
            "nlcore_builtins.noise.transition_matrix:TransitionMatrix",
            "Labels drawn by a transition matrix from a file.",
            "arXiv:1609.03683",
            bibtex("patrini2017making"),
        ),
        Component(
            "instance_dependent",
            "nlcore_builtins.noise.instance_dependent:InstanceDependent",
            "What a label is taken for depends on the image.",
            "arXiv:2006.07836",
            bibtex("xia2020part"),
        ),
        Component(
            "open_set",
            "nlcore_builtins.noise.open_set:OpenSet",
            "A share of the images replaced by images of another dataset.",
            "arXiv:1804.00092",
            bibtex("wang2018iterative"),
        ),
        Component(
            "cifar10n",
            "nlcore_builtins.noise.cifar10n:Cifar10N",
            "CIFAR-10N: what people answered for the CIFAR-10 training images.",
            "arXiv:2110.12088",
            bibtex("wei2022learning"),
        ),
        Component(
            "cifar100n",
            "nlcore_builtins.noise.cifar100n:Cifar100N",
            "CIFAR-100N: what people answered for the CIFAR-100 training images.",
            "arXiv:2110.12088",
            bibtex("wei2022learning"),
        ),
        Component("stored", "nlcore_builtins.noise.stored:Stored", "Labels from a file, looked up by sample id."),
    ]
