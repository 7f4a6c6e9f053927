"""
Symmetric noise: a label is redrawn uniformly, whatever the true class.

    inclusive:  T[i, j] = (1 − r) [i = j] + r / K             a fraction r (K − 1) / K ends up wrong
    exclusive:  T[i, j] = (1 − r) [i = j] + r / (K − 1) [i ≠ j]      a fraction r ends up wrong

The same "40 %" means different labels in different papers (van Rooyen et al. 2015, arXiv:1505.07634; Natarajan et al.
2013). A dialect names whose; over ten classes and 50,000 samples 40 % realises to

    dividemix    inclusive, exact            36 % wrong, ± 0.09    (DivideMix, ELR, SOP)
    co_teaching  exclusive, independent      40 % wrong, ± 0.22    (Co-teaching, JoCoR, T-Revision, CDR)
    apl          exclusive, exact_per_class  40 % of each class wrong, exactly    (SCE, APL, asymmetric losses)

where ± is one standard deviation over noise seeds. DivideMix and those after it draw int(N r) samples of all; APL
int(N r) / K of each of K classes of equal size, which here, for any sizes, are int(N_k r) of the N_k of class k.
Random streams are our own: rates agree with a paper's, single labels do not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from nlcore import parameter
from nlcore.contracts import Labels, NoiseContext, NoiseInfo
from nlcore.toolbox import show_value
from nlcore_builtins.noise.drawing import checked, choose

#: What the papers' own code does: (redraw, draws).
DIALECTS = {
    None: ("inclusive", "exact"),
    "dividemix": ("inclusive", "exact"),
    "co_teaching": ("exclusive", "independent"),
    "apl": ("exclusive", "exact_per_class"),
}


@dataclass(frozen=True)
class Symmetric:
    """
    Symmetric noise: a label is redrawn uniformly, whatever the true class.

    With ``redraw = inclusive`` the new label may be the true one again, so that 50 % noise over ten classes makes 45 %
    of the labels wrong. With ``draws = exact`` exactly int(N · rate) samples are redrawn, with ``exact_per_class``
    int(N_k · rate) of each class; with ``independent`` each is with probability `rate`.

    A ``dialect`` sets both as in a paper, so that a rate can be compared with its: ``dividemix`` is inclusive and exact
    (40 % make 36 % wrong over ten classes), ``co_teaching`` exclusive and independent (40 %, give or take), ``apl``
    exclusive and exact_per_class (40 % of each class). Without one: inclusive and exact.
    """

    rate: float = parameter(0.5, "fraction of the labels that are redrawn", range="[0, 1]")
    redraw: Literal["inclusive", "exclusive"] | None = parameter(
        None, "from all classes, or from all but the true one; none: as the dialect has it, else inclusive"
    )
    draws: Literal["exact", "exact_per_class", "independent"] | None = parameter(
        None, "a fixed number, one for each class, or each sample by itself; none: as the dialect has it, else exact"
    )
    dialect: Literal["dividemix", "co_teaching", "apl"] | None = parameter(
        None, "whose definition to take, so that a rate can be compared with that paper's"
    )

    def __post_init__(self) -> None:
        """Settle what was left open; refuse what contradicts the dialect."""
        for name, theirs in zip(("redraw", "draws"), DIALECTS[self.dialect], strict=True):
            mine = getattr(self, name)
            if mine is None:
                object.__setattr__(self, name, theirs)
            elif self.dialect is not None and mine != theirs:
                raise ValueError(
                    f"{name} = {show_value(mine)} contradicts dialect = {self.dialect}, whose {name} is {theirs}. "
                    f"Leave {name} out, or the dialect."
                )

    def corrupt(
        self, labels: Labels, num_classes: int, rng: np.random.Generator, data: NoiseContext | None = None
    ) -> Labels:
        """
        Return the given labels, int64 (N,), as a new array.

        Args:
            labels: true labels, int64 (N,), 0..K-1.
            num_classes: K, at least 2 for exclusive noise of a rate above 0.
            rng: the only source of randomness.
            data: not used.

        Raises:
            ValueError: labels outside 0..K-1, or too few classes.

        """
        given = checked(labels, num_classes)
        assert self.draws is not None
        redrawn = choose(given, self.rate, self.draws, rng)
        if self.redraw == "inclusive":
            given[redrawn] = rng.integers(num_classes, size=len(redrawn))
        elif len(redrawn):
            if num_classes < 2:
                raise ValueError("exclusive noise needs at least 2 classes")
            given[redrawn] = (given[redrawn] + rng.integers(1, num_classes, size=len(redrawn))) % num_classes
        return given

    def declared(self, num_classes: int) -> NoiseInfo:
        """Return the expected fraction of wrong labels and T."""
        K, r = num_classes, self.rate
        if self.redraw == "inclusive":
            T = (1 - r) * np.eye(K) + r / K
        else:
            T = (1 - r) * np.eye(K) + r / max(K - 1, 1) * (1 - np.eye(K))
        return NoiseInfo(float(1 - T[0, 0]), T)
