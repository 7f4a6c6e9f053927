"""
Dynamic bootstrapping, or M-correction: M-DYR-H, M-DYR-S and MD-DYR-SH (Arazo et al. 2019, arXiv:1904.11238).

Each epoch, a mixture of two beta distributions is fitted to the losses of all N samples; B_i = P(noisy | ℓ_i). With a
permutation π of the batch that pairs p with q = π(p), and z_p the present network's prediction for x_p, not mixed:

    t_p = (1 − B_p) ỹ_p + B_p z_p                                  the label, corrected as far as it is doubted
    x̃ = λ x_p + (1 − λ) x_q        λ ~ Beta(α, α), one for each batch
    L = mean_p CE(f(x̃), λ t_p + (1 − λ) t_q) + η Σ_c (1/K) log((1/K) / mean_p f_c(x̃))

    M-DYR-H     z one-hot, of the most likely class
    M-DYR-S     z = softmax of the logits
    MD-DYR-SH   z = softmax(logits / T), T falls linearly from 1 to 0.001; images weigh as much as their labels are
                trusted, δ_p = (1 − B_p) / (2 − B_p − B_q) in place of λ, while both labels weigh 1/2

Before, there is a warm-up of plain mixup (t = ỹ, η = 0): 105 of 300 epochs in the paper.

Deviations. B is a table that is made once an epoch from unaugmented images, where the released code works it out anew
for every batch by a third forward pass; there the losses are those of augmented images. The released code weighs both
labels by 1/2 in M-DYR-S too, though it mixes the images by λ; here λ weighs both, as in the paper. In MD-DYR-SH it
mixes by δ for five epochs before it corrects labels; here both begin at once. T reaches 0.001 after two thirds of the
run, as in the released schedule. z is predicted in training mode, as in the released code, so that running statistics
see images that are not mixed as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from nlcore import parameter
from nlcore.contracts import Batch, StrategyContext
from nlcore.toolbox import beta, bmm_noisy, mix, mixup_pairs, prior_penalty, rampup
from nlcore_builtins.losses.cross_entropy import CrossEntropy

COLDEST = 0.001  # where T ends


@dataclass
class DynamicBootstrap:
    """
    Mixup of labels that are corrected by the network's predictions, as far as a beta mixture of losses doubts them.

    CE(f(x̃), λ t_p + (1 − λ) t_q) with t = (1 − B) ỹ + B z and B = P(noisy | loss). Arazo et al. 2019.
    """

    capturable: ClassVar[bool] = True
    no_history: ClassVar[str] = "its network sees mixtures of images"
    checked_with: ClassVar[tuple[dict[str, Any], ...]] = (
        {"warm_up": 1},
        {"warm_up": 1, "form": "m_dyr_s"},
        {"warm_up": 1, "form": "md_dyr_sh"},
    )

    form: Literal["m_dyr_h", "m_dyr_s", "md_dyr_sh"] = parameter(
        "m_dyr_h", "hard predictions, soft ones, or for extreme noise: soft to hard ones and images mixed by trust"
    )
    warm_up: int | None = parameter(
        None, "epochs of plain mixup; none: 35 % of the run, as 105 of 300", range="[0, inf)", epochs=True
    )
    alpha: float = parameter(32.0, "α of the Beta distribution; large values mix evenly", range="(0, inf)")
    eta: float = parameter(1.0, "η, the weight of the penalty against predicting few classes", range="[0, inf)")

    def refuses(self, loss: Any) -> str | None:
        """Return why no loss but cross-entropy makes sense."""
        if isinstance(loss, CrossEntropy):
            return None
        return "M-correction minimises an objective of its own, in which another loss has no place; use cross_entropy."

    def setup(self, ctx: StrategyContext) -> None:
        """Make one network with its optimiser, and tables: of the samples and of what an epoch draws for its steps."""
        self.ctx = ctx
        self.network = ctx.network()
        self.optimizer = ctx.optimizer(self.network)
        self.before = round(0.35 * ctx.epochs) if self.warm_up is None else self.warm_up
        self.correcting = False
        self.noisy = torch.zeros(ctx.num_samples, device=ctx.device)
        self.predicted = torch.zeros(ctx.num_samples, dtype=torch.int64, device=ctx.device)
        self.temperature = torch.ones((), device=ctx.device)
        self.lam, self.order = torch.empty(0, device=ctx.device), torch.empty(0, device=ctx.device)
        if ctx.epochs <= self.before:
            ctx.report(
                "dynamic_bootstrap: the run ends within its warm-up (--strategy.warm_up), so this is plain mixup"
            )

    def begin_epoch(self, epoch: int) -> None:
        """Fit the mixture to all losses, cool z down, and draw λ and the partners of every step."""
        self.correcting = epoch > self.before
        if self.correcting:
            logits = self.ctx.predict(self.network)
            self.noisy.copy_(bmm_noisy(F.cross_entropy(logits, self.ctx.given_labels, reduction="none")))
            self.predicted.copy_(logits.argmax(1))
        if self.form == "md_dyr_sh":
            first = self.before + 1
            cooled = rampup(epoch - first, 2 * self.ctx.epochs / 3 - first)
            self.temperature.fill_(1 + (COLDEST - 1) * cooled)
        random = self.ctx.generator("dynamic_bootstrap", epoch)
        steps, size = self.ctx.steps(), self.ctx.batch_size + 1  # a batch may take a last single sample in
        self.lam.resize_(steps).copy_(beta(self.alpha, steps, random))
        self.order.resize_(steps, size).copy_(torch.rand(steps, size, generator=random))

    def variant(self, epoch: int) -> bool:
        """Return the phase: whether labels are corrected."""
        return self.correcting

    def step(self, batch: Batch) -> Tensor:
        """Descend on the mixed batch's loss, with labels that are corrected after the warm-up."""
        partner = mixup_pairs(batch.row(self.order), len(batch.index))
        of_images = of_labels = batch.row(self.lam)
        targets = F.one_hot(batch.targets, self.ctx.num_classes).float()
        if self.correcting:
            noisy = self.noisy[batch.index]
            targets = torch.lerp(targets, self._bootstrap(batch.images), noisy[:, None])
            if self.form == "md_dyr_sh":
                of_images = ((1 - noisy) / (2 - noisy - noisy[partner])).view(-1, 1, 1, 1)
                of_labels = torch.full_like(of_labels, 0.5)
        logits = self.network(mix(batch.images, partner, of_images))
        objective = F.cross_entropy(logits, mix(targets, partner, of_labels))
        if self.correcting:
            objective = objective + self.eta * prior_penalty(logits)
        return self.ctx.minimise(self.optimizer, objective)

    @torch.no_grad()
    def _bootstrap(self, images: Tensor) -> Tensor:
        """Return z (B, K) for images that are not mixed."""
        logits: Tensor = self.network(images)
        if self.form == "m_dyr_h":
            return F.one_hot(logits.argmax(1), self.ctx.num_classes).float()
        return (logits / self.temperature).softmax(1)

    def predict(self, images: Tensor) -> Tensor:
        """Return logits (B, K)."""
        logits: Tensor = self.network(images)
        return logits

    def clean_probability(self) -> Tensor | None:
        """Return 1 − B of this epoch's mixture, (N,); None during the warm-up."""
        return 1 - self.noisy if self.correcting else None

    def suggested_labels(self) -> Tensor | None:
        """Return labels (N,): what was predicted at the start of the epoch where B > 1/2, else the given ones."""
        return torch.where(self.noisy > 0.5, self.predicted, self.ctx.given_labels) if self.correcting else None

    def state_dict(self) -> dict[str, Any]:
        """Return the phase, B and the predictions of the last epoch."""
        return {"correcting": self.correcting, "noisy": self.noisy, "predicted": self.predicted}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore them."""
        self.correcting = state["correcting"]
        self.noisy.copy_(state["noisy"])
        self.predicted.copy_(state["predicted"])
