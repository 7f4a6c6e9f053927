"""
Truncated generalised cross-entropy (Zhang & Sabuncu 2018, arXiv:1805.07836, algorithm 1).

    ℓ(f, y) = L_q(p_y) where the label is trusted, L_q(k) elsewhere        L_q(p) = (1 − p^q) / q,  p = softmax(f)
    trusted: p_y > k, judged in epoch ``start`` and every ``every`` epochs after it; all labels before

What is not trusted is a constant: it takes no part in training until it is judged again. The authors' objective,
Σ w L_q(p_y) − L_q(k) Σ w with w = 1 where trusted, differs by a constant for each sample and has the same gradient.
Judged is by the network as it is then, on images that are not augmented; the common PyTorch version takes the best
checkpoint on validation data instead.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from nlcore import parameter
from nlcore.contracts import LossContext


@dataclass
class TruncatedGCE:
    """
    Generalised cross-entropy that leaves out labels the network finds unlikely.

    ℓ(f, y) = (1 − p_y^q) / q for a sample that is trusted, the constant (1 − k^q) / q for others. From epoch ``start``
    on, every ``every`` epochs, those with p_y > k are trusted anew. Zhang & Sabuncu 2018, algorithm 1. The
    defaults are for 120 epochs: a run of fewer than 40 is plain gce, so give an earlier --loss.start for one.
    """

    capturable: ClassVar[bool] = True

    q: float = parameter(0.7, "towards 0: cross-entropy; 1: mean absolute error", range="(0, 1]")
    k: float = parameter(0.5, "the probability below which a label is left out", range="[0, 1)")
    start: int = parameter(40, "the first epoch in which labels are left out", range="[1, inf)", epochs=True)
    every: int = parameter(10, "epochs until labels are judged again", range="[1, inf)", epochs=True)

    @property
    def until(self) -> tuple[int, str]:
        """For how many epochs it is something simpler, and what."""
        return (self.start - 1, "GCE")

    def setup(self, ctx: LossContext) -> None:
        """Trust all labels: w, bool (N,)."""
        self.given = ctx.given_labels
        self.w = torch.ones(ctx.num_samples, dtype=torch.bool, device=ctx.device)

    def begin_epoch(self, epoch: int, epochs: int, predict: Callable[[], Tensor]) -> None:
        """Judge the labels when it is time to."""
        if epoch >= self.start and (epoch - self.start) % self.every == 0:
            p = F.softmax(predict().float(), dim=1)
            self.w.copy_(p.gather(1, self.given[:, None]).squeeze(1) > self.k)

    def __call__(self, logits: Tensor, targets: Tensor, index: Tensor | None = None) -> Tensor:
        """
        Return the losses (B,) for logits (B, K), targets int64 (B,) and positions int64 (B,).

        Raises:
            RuntimeError: it is not known which labels are trusted, or there is no index to look it up with.

        """
        if index is None or not hasattr(self, "w"):
            raise RuntimeError("Truncated GCE judges each sample: call setup(ctx) first and give index.")
        logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
        log_p = F.log_softmax(logits, dim=1).gather(1, targets[:, None]).squeeze(1)
        # p^q = exp(q log p); expm1 keeps its digits where q is small or p near 1.
        trusted = -torch.expm1(self.q * log_p) / self.q
        return torch.where(self.w[index], trusted, (1 - self.k**self.q) / self.q)

    def state_dict(self) -> dict[str, Tensor]:
        """Return which labels are trusted."""
        return {"w": self.w}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Restore which labels are trusted."""
        self.w.copy_(state["w"])
