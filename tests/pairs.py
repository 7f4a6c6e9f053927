"""Which losses are tried under which strategies: all under the first three, one of each sort under the others."""

from __future__ import annotations

import itertools

import nlcore
from nlcore.config.experiment import refusal
from nlcore.host.registry import registry

#: One of each sort: without state; with a memory; with learned numbers of each sample; with a penalty; that corrects
#: labels; with an estimated matrix; with draws of its own.
SORTS = ("cross_entropy", "gce", "elr", "sop", "vol_min_net", "selc", "forward_correction", "peer")
LOSSES = sorted(entry.name for entry in registry().of_kind("loss") if entry.distribution == "nlcore")
STRATEGIES = sorted(entry.name for entry in registry().of_kind("strategy") if entry.distribution == "nlcore")
_PLAIN = ("standard", "mixup", "co_teaching")

#: Every pair that is tried and not refused.
PAIRS = [
    (loss, strategy)
    for loss, strategy in itertools.product(LOSSES, STRATEGIES)
    if (strategy in _PLAIN or loss in SORTS)
    and not refusal(nlcore.create("loss", loss), nlcore.create("strategy", strategy))
]
