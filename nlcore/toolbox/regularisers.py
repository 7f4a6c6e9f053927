"""
Penalties on predictions, to be added to an objective.

    confidence   mean_b Σ_c p_bc log p_bc           minus the entropy: against confident predictions early in training,
                                                    as DivideMix' warm-up has it (Li et al. 2020, arXiv:2002.07394)
    prior        Σ_c π_c log(π_c / mean_b p_bc)     KL(π ‖ mean prediction): against predicting few classes only
                                                    (Tanaka et al. 2018, arXiv:1803.11364, eq. 8)
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def neg_entropy(logits: Tensor) -> Tensor:
    """
    Return the mean of Σ_c p_c log p_c over a batch: a scalar from −log K (all classes alike) to 0 (certain).

    Args:
        logits: float (B, K), finite; p is their softmax.

    """
    log_p = logits.log_softmax(1)
    return (log_p.exp() * log_p).sum(1).mean()


def prior_penalty(logits: Tensor, prior: Tensor | None = None) -> Tensor:
    """
    Return Σ_c π_c log(π_c / mean_b p_bc): a scalar, 0 where the mean prediction is the prior and positive elsewhere.

    The mean is taken in logarithms, so a class that nothing in the batch predicts gives a large value, not infinity.

    Args:
        logits: float (B, K); p is their softmax.
        prior: π, float (K,), sums to 1, zeros allowed; none: 1/K for every class.

    """
    size, num_classes = logits.shape
    log_mean = logits.log_softmax(1).logsumexp(0) - math.log(size)
    if prior is None:
        prior = logits.new_full((num_classes,), 1 / num_classes)
    return (prior.xlogy(prior) - prior * log_mean).sum()
