"""From an audit's numbers and images to what its page shows."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nlcore.audits.data_checks import Checks
from nlcore.audits.label_issues import LabelIssues
from nlcore.audits.predictions import log_softmax
from nlcore.audits.review import draw_review
from nlcore.audits.samples import Samples
from nlcore.audits.scoring import Scores, depths
from nlcore.audits.thumbnails import Thumbnail, file_thumbnail, thumbnail
from nlcore.data.image_files import Background, UnreadableError
from nlcore.report.audit.content import ClassRow, Page, Reviewed, Sample, Verdict

#: As many are shown as are flagged, or as can be wrong, but no more than MOST of the latter; FEWEST where nobody knows.
MOST, FEWEST = 2_000, 200
TOP = 5
REVIEWED = 100

SURE, DOUBTED = "probably wrong", "doubtful"
CONTRADICTED = "contradicted by the networks"  # where nobody can say how likely that means a wrong label
_REASONS = {
    "contradicting": "same pixels, another label",
    "near_contradicting": "near duplicate, another label",
    "repeated": "same pixels, same label",
    "near_repeated": "near duplicate, same label",
    "one_colour": "one colour only",
    "odd_size": "odd size",
    "far": "far from all others",
}
#: Those that are a matter for a decision, whatever the label: what is shown though it is not suspicious.
_TO_DECIDE = tuple(_REASONS[kind] for kind in ("contradicting", "near_contradicting", "one_colour", "far", "odd_size"))


@dataclass(frozen=True)
class Named:
    """How an audit is called: its id, what its page is titled, and the commands that make it and take its decisions."""

    audit: str
    title: str
    command: str
    apply: str


def listed(issues: LabelIssues) -> NDArray[np.int64]:
    """Return the positions of the suspicious samples that a page shows, int64 (n,), the most suspicious first."""
    count = len(issues.score)
    likely = min(FEWEST, count) if issues.interval is None else min(MOST, round(issues.interval[1] * count))
    among = issues.flagged.copy()  # a detector may flag otherwise than it ranks
    among[issues.order[: max(likely, int(among.sum()))]] = True
    return issues.order[among[issues.order]]


def verdict(issues: LabelIssues, unjudged: int) -> Verdict:
    """Return how many labels are wrong, of those that are judged; `unjudged` others are not."""
    total = len(issues.score)
    if issues.interval is None:
        return Verdict(total, None, None, issues.reason, unjudged=unjudged)
    low, high = math.floor(issues.interval[0] * total), math.ceil(issues.interval[1] * total)
    return Verdict(total, low, high, "", expected_precision(issues), unjudged)


def expected_precision(issues: LabelIssues) -> tuple[tuple[int, float], ...]:
    """Return the share of wrong labels that is expected at each depth of the list."""
    most = max(100, len(listed(issues)))
    shares = ((depth, issues.expected_precision(depth)) for depth in depths(len(issues.score)) if depth <= most)
    return tuple((depth, share) for depth, share in shares if share is not None)


def make_page(
    named: Named,
    samples: Samples,
    scores: Scores,
    views: Sequence[NDArray[np.float32]],
    checks: Checks,
    background: Background,
    progress: Callable[[int, int, str], None],
    seed: int,
) -> Page:
    """
    Return what a page shows.

    Args:
        named: what it is called.
        samples: N.
        scores: of those that are judged; the page shows the first detector's.
        views: log probabilities of all samples, (N, K) each.
        checks: what is certain without a model.
        background: what lies behind transparent parts of images.
        progress: is told how many thumbnails are made.
        seed: draws the review.

    """
    judged, issues = np.flatnonzero(scores.judged), scores.issues[0]
    reasons = _certain(samples, checks)
    copies = _copies(checks)
    sure = CONTRADICTED if issues.interval is None else SURE
    chosen = listed(issues)
    of_list = set(chosen.tolist())
    more = _to_decide(reasons, judged.tolist(), of_list)
    shown = np.concatenate([chosen, np.array(more[:MOST], np.int64)])
    review = draw_review(issues, REVIEWED, seed)
    combined = np.exp(log_softmax(np.mean([view[judged] for view in views], axis=0, dtype=np.float64)))
    pictures: dict[int, Thumbnail | None] = {}
    wanted = dict.fromkeys([*shown.tolist(), *review.samples.tolist()])
    for number, place in enumerate(wanted):
        progress(number, len(wanted), "pictures made smaller")
        pictures[place] = _picture(samples, int(judged[place]), background)
    progress(1, 1, "")

    def sample(place: int) -> Sample:
        at = int(judged[place])
        said = (sure,) if issues.flagged[place] else (DOUBTED,) if place in of_list else ()
        best = np.argsort(-combined[place], kind="stable")[:TOP].tolist()
        return Sample(
            id=samples.ids[at],
            given=int(samples.given[at]),
            suggested=int(issues.suggested[place]),
            p_wrong=float(issues.p_wrong[place]),
            top=tuple((one, float(combined[place, one])) for one in best),
            reasons=(*said, *reasons.get(at, ())),
            picture=pictures[place],
            copies=copies.get(samples.ids[at], ""),
        )

    K = samples.num_classes
    given = samples.given[judged]
    matrix = np.zeros((K, K), np.int64)
    np.add.at(matrix, (given[shown], issues.suggested[shown]), 1)
    counts, expected = np.bincount(given, minlength=K), np.bincount(given, issues.p_wrong, minlength=K)
    of_class = matrix.sum(1)
    rows = [
        ClassRow(name, int(counts[k]), int(of_class[k]), None if issues.interval is None else float(expected[k]))
        for k, name in enumerate(samples.classes)
    ]
    drawn = zip(
        *(column.tolist() for column in (review.samples, review.term, review.expected, review.draws)), strict=True
    )
    return Page(
        audit=named.audit,
        title=named.title,
        command=named.command,
        apply=named.apply,
        classes=samples.classes,
        verdict=verdict(issues, len(samples) - len(judged)),
        findings=checks.findings,
        rows=rows,
        matrix=matrix.tolist(),
        samples=[sample(place) for place in shown.tolist()],
        review=[Reviewed(sample(place), term, P, place in of_list, draws) for place, term, P, draws in drawn],
        expected=review.mean,
    )


def _certain(samples: Samples, checks: Checks) -> dict[int, tuple[str, ...]]:
    """Return what is certain of samples, by position."""
    places = {sample: place for place, sample in enumerate(samples.ids)}
    found: dict[int, tuple[str, ...]] = {}
    for finding in checks.findings:
        if finding.kind in _REASONS:
            for sample in (sample for group in finding.groups for sample in group if sample in places):
                found[places[sample]] = (*found.get(places[sample], ()), _REASONS[finding.kind])
    return found


def _to_decide(reasons: Mapping[int, Sequence[str]], judged: Sequence[int], listed: Collection[int]) -> list[int]:
    """Return the places, among those judged, of samples that are not listed and yet a matter for a decision."""
    found = []
    for place, at in enumerate(judged):
        ranks = [_TO_DECIDE.index(why) for why in reasons.get(at, ()) if why in _TO_DECIDE]
        if ranks and place not in listed:
            found.append((min(ranks), place))
    return [place for _, place in sorted(found)]


def _copies(checks: Checks) -> dict[str, str]:
    """Return the groups of copies in words, with their labels, by the sample."""
    groups = (
        (sample, line)
        for finding in checks.findings
        if finding.kind in ("contradicting", "near_contradicting", "repeated", "near_repeated")
        for group, line in zip(finding.groups, finding.lines, strict=True)
        for sample in group
    )
    return dict(groups)


def _picture(samples: Samples, place: int, background: Background) -> Thumbnail | None:
    if samples.paths is None:
        return thumbnail(samples.images.fetch(np.array([place]))[0])
    try:
        return file_thumbnail(samples.paths[place], background)
    except UnreadableError:
        return None
