"""The training strategies that come with nlcore."""

from __future__ import annotations

from nlcore import Component, hookimpl
from nlcore_builtins.references import bibtex

NLCORE_API = 1


@hookimpl
def nl_strategies() -> list[Component]:
    """Return the built-in strategies."""
    package = "nlcore_builtins.strategies"
    return [
        Component("standard", f"{package}.standard:Standard", "One network, one shuffled pass over all samples."),
        Component(
            "mixup",
            f"{package}.mixup:Mixup",
            "Trains on convex combinations of pairs of images and of their losses.",
            "arXiv:1710.09412",
            bibtex("zhang2018mixup"),
        ),
        Component(
            "co_teaching",
            f"{package}.co_teaching:CoTeaching",
            "Two networks that pick small-loss samples for each other.",
            "arXiv:1804.06872",
            bibtex("han2018coteaching"),
        ),
        Component(
            "co_teaching_plus",
            f"{package}.co_teaching_plus:CoTeachingPlus",
            "Two networks that pick small-loss samples for each other, among those on which they disagree.",
            "arXiv:1901.04215",
            bibtex("yu2019disagreement"),
        ),
        Component(
            "jocor",
            f"{package}.jocor:JoCoR",
            "Two networks that are trained as one: on small losses, and to agree with each other.",
            "arXiv:2003.02752",
            bibtex("wei2020jocor"),
        ),
        Component(
            "decoupling",
            f"{package}.decoupling:Decoupling",
            "Two networks that learn only from samples on which they disagree.",
            "arXiv:1706.02613",
            bibtex("malach2017decoupling"),
        ),
        Component(
            "elr_plus",
            f"{package}.elr_plus:ELRPlus",
            "ELR with mixup for two networks, each held to what the other's weight average predicted before.",
            "arXiv:2007.00151",
            bibtex("liu2020early"),
        ),
        Component(
            "two_views",
            f"{package}.two_views:TwoViews",
            "Any loss on a weak view, consistency of a strong one, and class balance; with the loss sop, SOP+.",
            "arXiv:2202.14026",
            bibtex("liu2022robust"),
        ),
        Component(
            "disc",
            f"{package}.disc:DISC",
            "Selects and corrects labels by a threshold for each sample that follows the network's confidence.",
            "https://openaccess.thecvf.com/content/CVPR2023/html/"
            "Li_DISC_Learning_From_Noisy_Labels_via_Dynamic_Instance-Specific_Selection_and_CVPR_2023_paper.html",
            bibtex("li2023disc"),
        ),
        Component(
            "ssr",
            f"{package}.ssr:SSR",
            "Relabels confident samples and trains on those that their nearest neighbours agree with.",
            "arXiv:2111.11288",
            bibtex("feng2022ssr"),
        ),
        Component(
            "unicon",
            f"{package}.unicon:Unicon",
            "Two networks, equally many trusted labels of each class, MixMatch and contrastive learning.",
            "arXiv:2203.14542",
            bibtex("karim2022unicon"),
        ),
        Component(
            "promix",
            f"{package}.promix:ProMix",
            "Two networks with two heads each: as many samples as can be trusted, debiased logits for the rest.",
            "arXiv:2207.10276",
            bibtex("xiao2023promix"),
        ),
        Component(
            "joint_optimisation",
            f"{package}.joint_optimisation:JointOptimisation",
            "Puts mean predictions in the place of labels, then trains a new network on these.",
            "arXiv:1803.11364",
            bibtex("tanaka2018joint"),
        ),
        Component(
            "selc_plus",
            f"{package}.selc_plus:SELCPlus",
            "Corrects labels by averages of past predictions, then trains a new network on them with mixup.",
            "arXiv:2205.01156",
            bibtex("lu2022selc"),
        ),
        Component(
            "t_revision",
            f"{package}.t_revision:TRevision",
            "Weights samples by an estimated transition matrix, which is then revised.",
            "arXiv:1906.00189",
            bibtex("xia2019anchor"),
        ),
        Component(
            "dynamic_bootstrap",
            f"{package}.dynamic_bootstrap:DynamicBootstrap",
            "Mixup of labels that predictions correct as far as a beta mixture of losses doubts them.",
            "arXiv:1904.11238",
            bibtex("arazo2019unsupervised"),
        ),
        Component(
            "mentor_mix",
            f"{package}.mentor_mix:MentorMix",
            "Mixes each sample with one of likely small loss, and lets the smaller loss weigh more.",
            "arXiv:1911.09781",
            bibtex("jiang2020beyond"),
        ),
        Component(
            "ncr",
            f"{package}.ncr:NCR",
            "A loss, and consistency with the predictions of the nearest neighbours in the batch.",
            "arXiv:2202.02200",
            bibtex("iscen2022learning"),
        ),
        Component(
            "rrm",
            f"{package}.rrm:RRM",
            "Any loss with sample weights that move from the largest losses to the smallest.",
            "arXiv:2405.20531",
            bibtex("chen2024mitigating"),
        ),
        Component(
            "divide_mix",
            f"{package}.divide_mix:DivideMix",
            "Two networks that divide the samples for each other and train by MixMatch.",
            "arXiv:2002.07394",
            bibtex("li2020dividemix"),
        ),
        Component(
            "pes",
            f"{package}.pes:PES",
            "Parts of a network are stopped progressively early, then all train on confident samples.",
            "arXiv:2106.15853",
            bibtex("bai2021pes"),
        ),
        Component(
            "pes_semi",
            f"{package}.pes_semi:PESSemi",
            "Progressive early stopping, then MixMatch with the confident samples labelled.",
            "arXiv:2106.15853",
            bibtex("bai2021pes"),
        ),
    ]
