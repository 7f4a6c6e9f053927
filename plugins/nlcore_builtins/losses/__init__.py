"""The losses that come with nlcore."""

from __future__ import annotations

from nlcore import Component, hookimpl
from nlcore_builtins.references import bibtex

NLCORE_API = 1


@hookimpl
def nl_losses() -> list[Component]:
    """Return the built-in losses."""
    package = "nlcore_builtins.losses"
    return [
        Component(
            "cross_entropy", f"{package}.cross_entropy:CrossEntropy", "The usual loss, which trusts every label."
        ),
        Component(
            "soft_bootstrap",
            f"{package}.soft_bootstrap:SoftBootstrap",
            "Cross-entropy with the label mixed with the prediction.",
            "arXiv:1412.6596",
            bibtex("reed2015training"),
        ),
        Component(
            "hard_bootstrap",
            f"{package}.hard_bootstrap:HardBootstrap",
            "Cross-entropy with the label mixed with the predicted class.",
            "arXiv:1412.6596",
            bibtex("reed2015training"),
        ),
        Component(
            "gce",
            f"{package}.gce:GCE",
            "Generalised cross-entropy, between cross-entropy and mean absolute error.",
            "arXiv:1805.07836",
            bibtex("zhang2018generalized"),
        ),
        Component(
            "mae",
            f"{package}.mae:MAE",
            "Mean absolute error: robust, and slow to fit.",
            "arXiv:1712.09482",
            bibtex("ghosh2017robust"),
        ),
        Component(
            "sce",
            f"{package}.sce:SCE",
            "Symmetric cross-entropy: cross-entropy both ways round.",
            "arXiv:1908.06112",
            bibtex("wang2019symmetric"),
        ),
        Component(
            "nce_rce",
            f"{package}.nce_rce:NCERCE",
            "Active passive loss: normalised and reverse cross-entropy.",
            "arXiv:2006.13554",
            bibtex("ma2020normalized"),
        ),
        Component(
            "nce_mae",
            f"{package}.nce_mae:NCEMAE",
            "Active passive loss: normalised cross-entropy and mean absolute error.",
            "arXiv:2006.13554",
            bibtex("ma2020normalized"),
        ),
        Component(
            "nfl_rce",
            f"{package}.nfl_rce:NFLRCE",
            "Active passive loss: normalised focal loss and reverse cross-entropy.",
            "arXiv:2006.13554",
            bibtex("ma2020normalized"),
        ),
        Component(
            "agce",
            f"{package}.agce:AGCE",
            "Asymmetric generalised cross-entropy.",
            "arXiv:2106.03110",
            bibtex("zhou2021asymmetric"),
        ),
        Component(
            "aul",
            f"{package}.aul:AUL",
            "Asymmetric unhinged loss.",
            "arXiv:2106.03110",
            bibtex("zhou2021asymmetric"),
        ),
        Component(
            "ael",
            f"{package}.ael:AEL",
            "Asymmetric exponential loss.",
            "arXiv:2106.03110",
            bibtex("zhou2021asymmetric"),
        ),
        Component(
            "nce_agce",
            f"{package}.nce_agce:NCEAGCE",
            "Normalised cross-entropy and asymmetric generalised cross-entropy.",
            "arXiv:2106.03110",
            bibtex("zhou2021asymmetric"),
        ),
        Component(
            "focal",
            f"{package}.focal:Focal",
            "Cross-entropy in which samples that are fitted well count less.",
            "arXiv:1708.02002",
            bibtex("lin2017focal"),
        ),
        Component(
            "label_smoothing",
            f"{package}.label_smoothing:LabelSmoothing",
            "Cross-entropy with labels spread over all classes; negative, too.",
            "arXiv:2106.04149",
            bibtex("wei2022smooth"),
        ),
        Component(
            "taylor_ce",
            f"{package}.taylor_ce:TaylorCE",
            "Cross-entropy cut off after the first terms of its Taylor series.",
            "https://doi.org/10.24963/ijcai.2020/305",
            bibtex("feng2020can"),
        ),
        Component(
            "jensen_shannon",
            f"{package}.jensen_shannon:JensenShannon",
            "Jensen-Shannon divergence, between cross-entropy and mean absolute error.",
            "arXiv:2105.04522",
            bibtex("englesson2021generalized"),
        ),
        Component(
            "elr",
            f"{package}.elr:ELR",
            "Early-learning regularisation: holds on to past predictions of each sample.",
            "arXiv:2007.00151",
            bibtex("liu2020early"),
        ),
        Component(
            "selc",
            f"{package}.selc:SELC",
            "Self-ensemble label correction: labels give way to averages of past predictions.",
            "arXiv:2205.01156",
            bibtex("lu2022selc"),
        ),
        Component(
            "anl_ce",
            f"{package}.anl_ce:ANLCE",
            "Active negative loss: normalised cross-entropy and its complement, with an L1 norm of the weights.",
            "https://papers.neurips.cc/paper_files/paper/2023/hash/15f4cefb0e143c7ad9d40e879b0a9d0c-Abstract-Conference.html",
            bibtex("ye2023active"),
        ),
        Component(
            "truncated_gce",
            f"{package}.truncated_gce:TruncatedGCE",
            "Generalised cross-entropy that leaves out labels the network finds unlikely.",
            "arXiv:1805.07836",
            bibtex("zhang2018generalized"),
        ),
        Component(
            "forward_correction",
            f"{package}.forward_correction:ForwardCorrection",
            "Cross-entropy on what the transition matrix makes of the prediction.",
            "arXiv:1609.03683",
            bibtex("patrini2017making"),
        ),
        Component(
            "backward_correction",
            f"{package}.backward_correction:BackwardCorrection",
            "Cross-entropy weighted with the inverse of the transition matrix.",
            "arXiv:1609.03683",
            bibtex("patrini2017making"),
        ),
        Component(
            "peer",
            f"{package}.peer:Peer",
            "Cross-entropy minus that of a random label.",
            "arXiv:1910.03231",
            bibtex("liu2020peer"),
        ),
        Component(
            "cores",
            f"{package}.cores:CORES",
            "Cross-entropy that rewards confidence, with a sieve for labels that fit badly.",
            "arXiv:2010.02347",
            bibtex("cheng2021learning"),
        ),
        Component(
            "sop",
            f"{package}.sop:SOP",
            "Learns what is wrong in each label beside the network.",
            "arXiv:2202.14026",
            bibtex("liu2022robust"),
        ),
        Component(
            "pencil",
            f"{package}.pencil:Pencil",
            "Learns a distribution over labels for each sample beside the network.",
            "arXiv:1903.07788",
            bibtex("yi2019probabilistic"),
        ),
        Component(
            "vol_min_net",
            f"{package}.vol_min_net:VolMinNet",
            "Learns the transition matrix beside the network, as the one of smallest volume.",
            "arXiv:2102.02400",
            bibtex("li2021provably"),
        ),
        Component(
            "importance_reweighting",
            f"{package}.importance_reweighting:ImportanceReweighting",
            "Cross-entropy weighted by how much likelier a label is as a true than as a given one.",
            "arXiv:1411.7718",
            bibtex("liu2016classification"),
        ),
        Component(
            "logit_adjusted",
            f"{package}.logit_adjusted:LogitAdjusted",
            "Cross-entropy for classes of different sizes, whose shares it adds to the logits.",
            "arXiv:2007.07314",
            bibtex("menon2021long"),
        ),
        Component(
            "class_weighted",
            f"{package}.class_weighted:ClassWeighted",
            "Cross-entropy in which the labels of rare classes weigh more.",
            "arXiv:1901.05555",
            bibtex("cui2019class"),
        ),
        Component(
            "gjs",
            f"{package}.gjs:GJS",
            "Jensen-Shannon divergence of a label and the predictions for several views.",
            "arXiv:2105.04522",
            bibtex("englesson2021generalized"),
        ),
    ]
