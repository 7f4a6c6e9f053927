"""The estimators of noise that come with nlcore."""

from __future__ import annotations

from nlcore import Component, hookimpl
from nlcore_builtins.references import bibtex

NLCORE_API = 1


@hookimpl
def nl_estimators() -> list[Component]:
    """Return the built-in estimators."""
    package = "nlcore_builtins.estimators"
    return [
        Component(
            "confident_joint",
            f"{package}.confident_joint:ConfidentJoint",
            "Counts of given labels and of classes that are predicted with confidence.",
            "arXiv:1911.00068",
            bibtex("northcutt2021confident"),
        ),
        Component(
            "anchors",
            f"{package}.anchors:Anchors",
            "The prediction for a sample of each class that belongs to it beyond doubt.",
            "arXiv:1609.03683",
            bibtex("patrini2017making"),
        ),
        Component(
            "dual_t",
            f"{package}.dual_t:DualT",
            "From the true class to the predicted one, and from there to the given label.",
            "arXiv:2006.07805",
            bibtex("yao2020dual"),
        ),
        Component(
            "agreement",
            f"{package}.agreement:Agreement",
            "How often held-out predictions are the given label: an upper bound, or the rate for a known accuracy.",
        ),
        Component(
            "hoc",
            f"{package}.hoc:HOC",
            "How often a sample and its nearest neighbours have which labels.",
            "arXiv:2102.05291",
            bibtex("zhu2021clusterability"),
        ),
        Component(
            "gmm",
            f"{package}.gmm:GMM",
            "A mixture of two Gaussians over the losses.",
            "arXiv:2002.07394",
            bibtex("li2020dividemix"),
        ),
        Component(
            "bmm",
            f"{package}.bmm:BMM",
            "A mixture of two beta distributions over the losses.",
            "arXiv:1904.11238",
            bibtex("arazo2019unsupervised"),
        ),
    ]
