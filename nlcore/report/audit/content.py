"""What the page of an audit shows, as plain values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nlcore.audits.data_checks import Finding
    from nlcore.audits.thumbnails import Thumbnail


@dataclass(frozen=True)
class Verdict:
    """
    How many labels are wrong.

    Attributes:
        total: how many labels are judged.
        low, high: at least and at most so many of them are wrong; None where it cannot be said.
        why_none: why it cannot be said, a sentence; else empty.
        precision: of so many of the list's first images that share is expected to be wrong, within 0..1.
        unjudged: how many labels are not judged: no other image has them, or the networks have not learnt their class.

    """

    total: int
    low: int | None
    high: int | None
    why_none: str = ""
    precision: tuple[tuple[int, float], ...] = ()
    unjudged: int = 0


@dataclass(frozen=True)
class ClassRow:
    """
    A class, by the given labels.

    Attributes:
        name: its name.
        count: how many images have it as given label.
        listed: how many of them are suspicious.
        expected: how many of them all are expected to be wrong, the sum of P(wrong); None, for all classes, where it
            cannot be said.

    """

    name: str
    count: int
    listed: int
    expected: float | None


@dataclass(frozen=True)
class Sample:
    """
    An image to look at.

    Attributes:
        id: the sample's, as text.
        given, suggested: classes by their number.
        p_wrong: the probability that the given label is wrong, within 0..1.
        top: the likeliest classes and their probabilities, the likeliest first.
        reasons: why it is suspicious, a few words each, from a small set, as the page filters by them.
        picture: what is shown; None where the file cannot be read.
        copies: the image and those like it, with their labels; empty where there are none.

    """

    id: str
    given: int
    suggested: int
    p_wrong: float
    top: tuple[tuple[int, float], ...]
    reasons: tuple[str, ...]
    picture: Thumbnail | None
    copies: str = ""


@dataclass(frozen=True)
class Reviewed:
    """
    An image that was drawn to find out how many labels are wrong.

    Attributes:
        sample: the image. Neither P(wrong) nor what is suggested is shown.
        weight: 1 / (N q), where N images were drawn from, this one with probability q each time.
        expected: the P(wrong) that it was drawn by.
        listed: whether it is among the suspicious ones; the others are the control group.
        draws: how often it was drawn.

    """

    sample: Sample
    weight: float
    expected: float
    listed: bool
    draws: int = 1


@dataclass(frozen=True)
class Page:
    """
    The page of an audit.

    Attributes:
        audit: the audit's id: decisions are kept under it.
        title: of the page.
        command: what makes the page again.
        apply: the command that takes the decisions, shown where they are saved.
        classes: the names of the K classes.
        verdict: how many labels are wrong.
        findings: what is certain without a model.
        rows: the classes, in order.
        matrix: (K, K), how many suspicious images have given label i and suggested label j.
        samples: the suspicious images, in the order that they are shown in; an id once.
        review: what was drawn, in the order drawn; an id once.
        expected: the mean P(wrong) of all images that the review was drawn from.

    """

    audit: str
    title: str
    command: str
    apply: str
    classes: tuple[str, ...]
    verdict: Verdict
    findings: Sequence[Finding]
    rows: Sequence[ClassRow]
    matrix: Sequence[Sequence[int]]
    samples: Sequence[Sample]
    review: Sequence[Reviewed] = ()
    expected: float = 0.0
