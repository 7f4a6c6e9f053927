"""
The page of an audit in HTML files that load nothing: what was found, and images to go through.

Pictures stand in the page as text and become images when they are scrolled to, so the first is seen at once.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nlcore.audits.review import quantile
from nlcore.report.audit.content import ClassRow, Page, Sample
from nlcore.version import __version__

#: Suspicious images in one file,
MOST_SAMPLES = 2_000
#: and bytes of the pictures of one file as text: 40 MB with everything else.
MOST_BYTES = 38_000_000

#: With more classes the matrix is wider than a window: the pairs are listed instead.
MOST_CLASSES = 20

#: Lines of a finding, and pairs of classes, that are shown.
SHOWN = 200

#: The page's scripts, in the order that they are run in.
SCRIPTS = ("store.js", "review.js", "gallery.js", "viewer.js", "start.js")


@dataclass(frozen=True)
class _Bar:
    """
    A row of the table of classes.

    Attributes:
        row: its numbers.
        share: how many of its images are expected to be wrong, or suspicious where that cannot be said, in per cent.

    """

    row: ClassRow
    share: float


def write_page(file: Path, page: Page) -> list[Path]:
    """
    Write the page of an audit and return its files: `file`, and where one is not enough ``NAME-2.html`` and so on.

    Args:
        file: the first file, ``audit.html`` for instance; its folder is made.
        page: what it shows.

    """
    file.parent.mkdir(parents=True, exist_ok=True)
    parts = list(_parts(page))
    files = [file, *(file.with_name(f"{file.stem}-{number}{file.suffix}") for number in range(2, len(parts) + 1))]
    lasts = list(itertools.accumulate(len(part) for part in parts))
    ranges = [(last - len(part) + 1, last) for last, part in zip(lasts, parts, strict=True)]
    for number, (path, samples) in enumerate(zip(files, parts, strict=True)):
        path.write_text(_html(page, samples, number, [one.name for one in files], ranges), encoding="utf-8")
    return files


def _parts(page: Page) -> Iterator[list[Sample]]:
    """Yield the images of each file; one file at least."""
    part: list[Sample] = []
    size = sum(_size(one.sample) for one in page.review)
    for sample in page.samples:
        if part and (len(part) == MOST_SAMPLES or size + _size(sample) > MOST_BYTES):
            yield part
            part, size = [], 0
        part.append(sample)
        size += _size(sample)
    yield part


def _size(sample: Sample) -> int:
    return 0 if sample.picture is None else -(-len(sample.picture.content) // 3) * 4


def _html(
    page: Page, samples: Sequence[Sample], number: int, files: Sequence[str], ranges: Sequence[tuple[int, int]]
) -> str:
    """Return one file: the first has everything, the others only their images."""
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=ChoiceLoader([PackageLoader("nlcore.report.audit"), PackageLoader("nlcore.report")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    script = "\n".join(environment.get_template(name).render() for name in SCRIPTS)
    review = page.review if number == 0 else ()
    pictures = [*samples, *(one.sample for one in review)]
    data = {
        "audit": page.audit,
        "apply": page.apply,
        "total": page.verdict.total,
        "classes": page.classes,
        "files": len(files),
        "number": page.verdict.low is not None,
        "expected": page.expected,
        "quantiles": [quantile(draws - 1) for draws in range(2, sum(one.draws for one in review) + 1)],
        "samples": [_sample(sample, place) for place, sample in enumerate(samples)],
        "review": [
            {
                **_sample(one.sample, len(samples) + place),
                "weight": one.weight,
                "expected": one.expected,
                "listed": one.listed,
                "draws": one.draws,
            }
            for place, one in enumerate(review)
        ],
    }
    return environment.get_template("audit.html.j2").render(
        page=page,
        number=number,
        files=files,
        ranges=ranges,
        version=__version__,
        data=data,
        samples_count=len(samples),
        pictures=[sample.picture for sample in pictures],
        script=Markup(script),
        script_digest=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        bars=_bars(page.rows),
        expected=all(row.expected is not None for row in page.rows),
        pairs=_pairs(page.matrix)[:SHOWN],
        largest=max((max(row, default=0) for row in page.matrix), default=0),
        most_classes=MOST_CLASSES,
        shown=SHOWN,
    )


def _sample(sample: Sample, picture: int) -> dict[str, Any]:
    """Return what the script knows of an image; its picture is the element with this number."""
    shown = sample.picture
    return {
        "id": sample.id,
        "given": sample.given,
        "suggested": sample.suggested,
        "wrong": round(sample.p_wrong, 4),
        "top": [[one, round(probability, 4)] for one, probability in sample.top],
        "reasons": sample.reasons,
        "copies": sample.copies,
        "picture": None if shown is None else picture,
        "size": None if shown is None else [shown.width, shown.height],
    }


def _bars(rows: Sequence[ClassRow]) -> list[_Bar]:
    shown = [row.listed if row.expected is None else row.expected for row in rows]
    return [_Bar(row, 100 * value / max(row.count, 1)) for row, value in zip(rows, shown, strict=True)]


def _pairs(matrix: Sequence[Sequence[int]]) -> list[tuple[int, int, int]]:
    """Return how often two classes are given and suggested, with both, the most frequent first."""
    found = [(count, i, j) for i, row in enumerate(matrix) for j, count in enumerate(row) if count]
    return sorted(found, key=lambda one: (-one[0], one[1:]))
