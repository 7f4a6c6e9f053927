"""
What a plugin may use besides `nlcore` and its contracts: pieces that many methods share.

    from nlcore.toolbox import gmm_clean, mixup_pairs, sharpen

Choosing samples, mixtures of two components, targets and mixing, MixMatch, penalties on predictions, ramps; and from
the inside of nlcore what datasets and messages need. Importing this package does not import torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from nlcore.toolbox.mixmatch import guess, mix_halves, repeated, soft_cross_entropy, squared_error
from nlcore.toolbox.mixtures import bmm_noisy, gmm_clean
from nlcore.toolbox.regularisers import neg_entropy, prior_penalty
from nlcore.toolbox.schedules import rampup, sigmoid_rampup
from nlcore.toolbox.selection import class_balanced_indices, keep_smallest, knn_votes
from nlcore.toolbox.targets import beta, mix, mixup_pairs, mixup_pairs_within, sharpen

__all__ = [
    "FITS",
    "IMAGE_SUFFIXES",
    "Background",
    "Fit",
    "ImageFile",
    "Placing",
    "Posterior",
    "UnreadableError",
    "as_store",
    "available_cpus",
    "beta",
    "bmm_noisy",
    "class_balanced_indices",
    "collected_warnings",
    "did_you_mean",
    "dropped_warnings",
    "found_by_noise_rate",
    "gmm_clean",
    "guess",
    "keep_smallest",
    "knn_votes",
    "left_out_in_words",
    "list_folders",
    "list_images",
    "margin_and_other",
    "mix",
    "mix_halves",
    "mixup_pairs",
    "mixup_pairs_within",
    "neg_entropy",
    "noise_posterior",
    "path_in_table",
    "printable",
    "prior_penalty",
    "rampup",
    "read_image",
    "read_text",
    "refuse_missing",
    "repeated",
    "sharpen",
    "show_value",
    "sigmoid_rampup",
    "soft_cross_entropy",
    "squared_error",
    "visible",
]

# What comes from the inside of nlcore, loaded when it is asked for, as some of these modules import torch.
if TYPE_CHECKING:
    from nlcore.audits.noise_model import Posterior, noise_posterior
    from nlcore.audits.predictions import margin_and_other
    from nlcore.audits.pruning import found_by_noise_rate
    from nlcore.data.fitting import FITS, Fit, Placing
    from nlcore.data.image_files import (
        IMAGE_SUFFIXES,
        Background,
        ImageFile,
        UnreadableError,
        left_out_in_words,
        list_folders,
        list_images,
        printable,
        read_image,
        visible,
    )
    from nlcore.data.image_warnings import collected_warnings, dropped_warnings
    from nlcore.data.stores import as_store
    from nlcore.data.tables import path_in_table, refuse_missing
    from nlcore.errors import did_you_mean
    from nlcore.parameters import show_value
    from nlcore.textfiles import read_text
    from nlcore.training.hardware import available_cpus
else:
    _ELSEWHERE = {
        "Background": "nlcore.data.image_files",
        "FITS": "nlcore.data.fitting",
        "Fit": "nlcore.data.fitting",
        "IMAGE_SUFFIXES": "nlcore.data.image_files",
        "ImageFile": "nlcore.data.image_files",
        "Placing": "nlcore.data.fitting",
        "Posterior": "nlcore.audits.noise_model",
        "UnreadableError": "nlcore.data.image_files",
        "as_store": "nlcore.data.stores",
        "available_cpus": "nlcore.training.hardware",
        "collected_warnings": "nlcore.data.image_warnings",
        "did_you_mean": "nlcore.errors",
        "dropped_warnings": "nlcore.data.image_warnings",
        "found_by_noise_rate": "nlcore.audits.pruning",
        "left_out_in_words": "nlcore.data.image_files",
        "list_folders": "nlcore.data.image_files",
        "list_images": "nlcore.data.image_files",
        "margin_and_other": "nlcore.audits.predictions",
        "noise_posterior": "nlcore.audits.noise_model",
        "path_in_table": "nlcore.data.tables",
        "printable": "nlcore.data.image_files",
        "read_image": "nlcore.data.image_files",
        "read_text": "nlcore.textfiles",
        "refuse_missing": "nlcore.data.tables",
        "show_value": "nlcore.parameters",
        "visible": "nlcore.data.image_files",
    }

    def __getattr__(name: str) -> object:
        if name not in _ELSEWHERE:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(importlib.import_module(_ELSEWHERE[name]), name)
