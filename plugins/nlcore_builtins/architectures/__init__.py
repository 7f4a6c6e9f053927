"""The architectures that come with nlcore."""

from __future__ import annotations

from nlcore import Component, hookimpl
from nlcore_builtins.references import bibtex

NLCORE_API = 1


@hookimpl
def nl_architectures() -> list[Component]:
    """Return the built-in architectures."""
    resnets = [
        Component(
            f"resnet{depth}",
            f"nlcore_builtins.architectures.resnet:ResNet{depth}",
            f"ResNet-{depth} with a stem for small images, any size and width.",
            "arXiv:1512.03385",
            bibtex("he2016deep"),
        )
        for depth in (18, 34, 50, 101, 152)
    ]
    return [
        *resnets,
        Component(
            "airbench",
            "nlcore_builtins.architectures.airbench:Airbench",
            "Seven plain convolutions that learn CIFAR-10 in few steps, any size and width.",
            "arXiv:2404.00498",
            bibtex("jordan2024cifar"),
        ),
        Component(
            "preact_resnet18",
            "nlcore_builtins.architectures.preact_resnet:PreActResNet18",
            "PreAct ResNet-18 with a stem for small images, any size and width.",
            "arXiv:1603.05027",
            bibtex("he2016identity"),
        ),
        Component(
            "wide_resnet",
            "nlcore_builtins.architectures.wide_resnet:WideResNet",
            "Wide residual network, WRN-28-10 by default, any image size.",
            "arXiv:1605.07146",
            bibtex("zagoruyko2016wide"),
        ),
        Component(
            "cnn8",
            "nlcore_builtins.architectures.cnn8:CNN8",
            "The robust-loss papers' network: six convolutions, two dense layers.",
            "arXiv:1908.06112",
            bibtex("wang2019symmetric"),
        ),
        Component(
            "cnn9",
            "nlcore_builtins.architectures.cnn9:CNN9",
            "Co-teaching's network: nine convolutions, one dense layer, dropout.",
            "arXiv:1804.06872",
            bibtex("han2018coteaching"),
        ),
        Component(
            "torchvision",
            "nlcore_builtins.architectures.torchvision:Torchvision",
            "Any classification model of torchvision by its name, drawn anew or pretrained.",
            "https://github.com/pytorch/vision",
            bibtex("torchvision2016"),
        ),
        Component(
            "timm",
            "nlcore_builtins.architectures.timm:Timm",
            "Any classification model of timm by its name, drawn anew or pretrained.",
            "https://github.com/huggingface/pytorch-image-models",
            bibtex("wightman2019timm"),
        ),
    ]
