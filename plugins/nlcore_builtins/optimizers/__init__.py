"""The optimisers that come with nlcore."""

from __future__ import annotations

from nlcore import Component, hookimpl
from nlcore_builtins.references import bibtex

NLCORE_API = 1


@hookimpl
def nl_optimizers() -> list[Component]:
    """Return the built-in optimisers."""
    package = "nlcore_builtins.optimizers"
    return [
        Component("sgd", f"{package}.sgd:SGD", "Stochastic gradient descent with momentum."),
        Component(
            "adam",
            f"{package}.adam:Adam",
            "Steps scaled by running means of gradients and of their squares.",
            "arXiv:1412.6980",
            bibtex("kingma2015adam"),
        ),
        Component(
            "adamw",
            f"{package}.adamw:AdamW",
            "Adam with weight decay apart from the gradients.",
            "arXiv:1711.05101",
            bibtex("loshchilov2019decoupled"),
        ),
        Component(
            "muon",
            f"{package}.muon:Muon",
            "Orthogonal steps for convolutions, SGD for the rest.",
            "https://kellerjordan.github.io/posts/muon/",
            bibtex("jordan2024muon"),
        ),
        Component(
            "sam",
            f"{package}.sam:SAM",
            "Sharpness-aware minimisation around another optimiser, at twice the cost.",
            "arXiv:2010.01412",
            bibtex("foret2021sharpness"),
        ),
        Component(
            "cdr",
            f"{package}.cdr:CDR",
            "SGD in which only critical weights follow the gradient, and the others decay.",
            "https://openreview.net/forum?id=Eql5b1_hTE4",
            bibtex("xia2021robust"),
        ),
    ]
