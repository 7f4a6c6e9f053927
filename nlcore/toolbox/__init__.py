"""
What a plugin may use besides `nlcore` and its contracts: pieces that many methods share.

    from nlcore.toolbox import gmm_clean, mixup_pairs, sharpen

Choosing samples, mixtures of two components, targets and mixing, penalties on predictions, ramps; and from the inside
of nlcore what datasets and messages need. Importing this package does not import torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from nlcore.toolbox.mixtures import bmm_noisy, gmm_clean
from nlcore.toolbox.regularisers import neg_entropy, prior_penalty
from nlcore.toolbox.schedules import rampup, sigmoid_rampup
from nlcore.toolbox.selection import class_balanced_indices, keep_smallest, knn_votes
from nlcore.toolbox.targets import beta, mix, mixup_pairs, mixup_pairs_within, sharpen

__all__ = [
    "IMAGE_SUFFIXES",
    "as_store",
    "available_cpus",
    "beta",
    "bmm_noisy",
    "class_balanced_indices",
    "gmm_clean",
    "keep_smallest",
    "knn_votes",
    "mix",
    "mixup_pairs",
    "mixup_pairs_within",
    "neg_entropy",
    "prior_penalty",
    "rampup",
    "read_image",
    "sharpen",
    "show_value",
    "sigmoid_rampup",
]

# What comes from the inside of nlcore, loaded when it is asked for, as some of these modules import torch.
if TYPE_CHECKING:
    from nlcore.data.image_files import ENDINGS as IMAGE_SUFFIXES
    from nlcore.data.image_files import read_image
    from nlcore.data.stores import as_store
    from nlcore.parameters import show_value
    from nlcore.training.hardware import available_cpus
else:
    _ELSEWHERE = {
        "IMAGE_SUFFIXES": ("nlcore.data.image_files", "ENDINGS"),
        "as_store": ("nlcore.data.stores", "as_store"),
        "available_cpus": ("nlcore.training.hardware", "available_cpus"),
        "read_image": ("nlcore.data.image_files", "read_image"),
        "show_value": ("nlcore.parameters", "show_value"),
    }

    def __getattr__(name: str) -> object:
        if name not in _ELSEWHERE:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        module, attribute = _ELSEWHERE[name]
        return getattr(importlib.import_module(module), attribute)
