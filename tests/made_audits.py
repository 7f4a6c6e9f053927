"""Pages of audits of made images, for tests."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nlcore.audits.data_checks import Finding
from nlcore.audits.thumbnails import Thumbnail, thumbnail
from nlcore.report.audit.content import ClassRow, Page, Reviewed, Sample, Verdict

CLASSES = ("cat", "dog", "horse", "ship")


def picture(seed: int, side: int = 8) -> Thumbnail:
    """Return the thumbnail of an image of random colours."""
    return thumbnail(np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8))


def make_sample(number: int, classes: Sequence[str] = CLASSES, shown: Thumbnail | None = None) -> Sample:
    """Return the suspicious image of rank `number`; every second is a near duplicate, labels vary."""
    count = len(classes)
    given, suggested = number % count, (number + 1 + number // count % (count - 1)) % count
    reasons = ("the model disagrees", "near duplicate") if number % 2 else ("the model disagrees",)
    third = next(one for one in range(count) if one not in (given, suggested)) if count > 2 else given
    top = ((suggested, 0.7), (given, 0.2), (third, 0.1))
    return Sample(f"train/{number}.png", given, suggested, 1 - number / 5000, top, reasons, shown or picture(number))


def make_page(
    samples: Sequence[Sample], review: Sequence[Reviewed] = (), classes: tuple[str, ...] = CLASSES, audit: str = "a1"
) -> Page:
    """Return a page that has everything."""
    matrix = [[0] * len(classes) for _ in classes]
    for sample in samples:
        matrix[sample.given][sample.suggested] += 1
    return Page(
        audit=audit,
        title="Audit",
        command="nl audit --dataset made",
        apply=f"nl audit apply {audit} decisions.csv -o cleaned.csv",
        classes=classes,
        verdict=Verdict(2_000, 93, 266, precision=((100, 0.94),)),
        findings=[Finding("repeated", "error", "Two images are the same.", (("a", "b"),), ("a (cat), b (dog)",))],
        rows=[ClassRow(name, 500, sum(matrix[number]), 25.0) for number, name in enumerate(classes)],
        matrix=matrix,
        samples=samples,
        review=review,
    )


def make_review(count: int, weight: float = 1.0) -> list[Reviewed]:
    """Return images that were drawn for a review, every second of them from the list."""
    return [
        Reviewed(make_sample(10_000 + number % 4_000), weight, expected=0.0, listed=number % 2 == 0)
        for number in range(count)
    ]
