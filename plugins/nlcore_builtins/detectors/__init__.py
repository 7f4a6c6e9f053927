"""The detectors of wrong labels that come with nlcore."""

from __future__ import annotations

from nlcore import Component, hookimpl
from nlcore_builtins.references import bibtex

NLCORE_API = 1


@hookimpl
def nl_detectors() -> list[Component]:
    """Return the built-in detectors."""
    package = "nlcore_builtins.detectors"
    return [
        Component(
            "noise_model",
            f"{package}.noise_model:NoiseModel",
            "P(wrong) by a model of how true classes become given labels.",
            "https://doi.org/10.1109/ICASSP.2016.7472164",
            bibtex("bekker2016training"),
        ),
        Component(
            "margin",
            f"{package}.margin:Margin",
            "How far another class is ahead of the given one, in logits.",
        ),
        Component(
            "self_confidence",
            f"{package}.self_confidence:SelfConfidence",
            "How unlikely the given label is predicted to be.",
            "arXiv:1911.00068",
            bibtex("northcutt2021confident"),
        ),
        Component(
            "confident_learning",
            f"{package}.confident_learning:ConfidentLearning",
            "Counts of confident predictions say how many to take of each pair of classes.",
            "arXiv:1911.00068",
            bibtex("northcutt2021confident"),
        ),
        Component(
            "knn",
            f"{package}.knn:KNN",
            "How many of the nearest neighbours in feature space have another label.",
            "arXiv:2110.06283",
            bibtex("zhu2022detecting"),
        ),
        Component(
            "loss_gmm",
            f"{package}.loss_gmm:LossGMM",
            "A mixture of two Gaussians over the losses, as in DivideMix.",
            "arXiv:2002.07394",
            bibtex("li2020dividemix"),
        ),
        Component(
            "aum",
            f"{package}.aum:AUM",
            "The mean margin of the given label over the epochs of a training.",
            "arXiv:2001.10528",
            bibtex("pleiss2020identifying"),
        ),
        Component(
            "forgetting",
            f"{package}.forgetting:Forgetting",
            "How often a training forgets the given label again.",
            "arXiv:1812.05159",
            bibtex("toneva2019empirical"),
        ),
    ]
