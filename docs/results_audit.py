"""
The tables of ``docs/audit.md``: how well wrong labels are found, and what cleaning changes.

``python docs/results_audit.py decide AUDITS`` takes the sure list of each audit for wrong without a look, and writes
labels that ``nl run --labels`` reads, ``given.csv`` and ``relabelled.csv``. ``python docs/results_audit.py collect
AUDITS RUNS`` puts finished audits, and runs that are called ``AUDIT-VARIANT-SEED``, into ``docs/results_audit.json``;
what has the same name takes the place of what was there.
"""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nlcore.audits.decisions import Decision, write_decisions
from nlcore.audits.result import Audit
from nlcore.rundir.result import Result

RESULTS = Path(__file__).with_name("results_audit.json")
VARIANTS = {"given": "as given", "dropped": "without the sure list", "relabelled": "the sure list relabelled"}

Row = Mapping[str, Any]


def ranking() -> None:
    """Write a row for each audit and detector."""
    import cog

    cog.outl(_ranking(_stored()["audits"]))


def interval() -> None:
    """Write how many labels are wrong, and what was said."""
    import cog

    cog.outl(_interval(_stored()["audits"]))


def cleaning() -> None:
    """Write the accuracy of models that were trained before and after cleaning."""
    import cog

    cog.outl(_cleaning(_stored()["runs"]))


def _stored() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(RESULTS.read_text(encoding="utf-8"))
    return found


def _ranking(audits: Sequence[Row]) -> str:
    titles = (
        "labels",
        "detector",
        "AUROC",
        "AP",
        "wrong of the first 100",
        "500",
        "2,000",
        "flags",
        "precision",
        "recall",
    )
    lines = [f"| {' | '.join(titles)} |", "|---" * len(titles) + "|"]
    for audit in audits:
        for one in audit["figures"]:
            depths = [f"{one['at'][depth]:.2f}" for depth in ("100", "500", "2000")]
            flags = [f"{one['flagged']:,}", f"{one['precision']:.2f}", f"{one['recall']:.2f}"]
            cells = [
                audit["name"],
                f"`{one['detector']}`",
                f"{one['auroc']:.3f}",
                f"**{one['average_precision']:.3f}**",
                *depths,
                *flags,
            ]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _interval(audits: Sequence[Row]) -> str:
    lines = ["| labels | wrong | said | network contradicts |", "|---|---|---|---|"]
    for audit in audits:
        low, high = audit["interval"]
        wrong = f"{audit['truly_wrong'] / audit['judged']:.1%}" if audit["truly_wrong"] else "a few"
        lines.append(f"| {audit['name']} | {wrong} | {low:.1%} to {high:.1%} | {audit['disagreement']:.1%} |")
    return "\n".join(lines)


def _cleaning(runs: Sequence[Row]) -> str:
    names = list(dict.fromkeys(run["audit"] for run in runs))
    lines = [f"| labels | {' | '.join(VARIANTS.values())} | seeds |", "|---" * (len(VARIANTS) + 2) + "|"]
    for name in names:
        cells = []
        for variant in VARIANTS:
            values = [run["last"] for run in runs if (run["audit"], run["variant"]) == (name, variant)]
            cells.append(_spread(values))
        seeds = sorted({run["seed"] for run in runs if run["audit"] == name})
        lines.append(f"| {name} | {' | '.join(cells)} | {', '.join(map(str, seeds))} |")
    return "\n".join(lines)


def _spread(values: Sequence[float]) -> str:
    if not values:
        return ""
    deviation = f" ± {100 * statistics.stdev(values):.2f}" if len(values) > 1 else ""
    return f"{100 * statistics.mean(values):.2f}{deviation}"


def decide(audits: Path) -> None:
    """Take the sure list of each audit for wrong, and write the labels that follow."""
    for place in sorted(path for path in audits.iterdir() if (path / "summary.json").is_file()):
        audit = Audit.read(place)
        sure = [Decision(one.id, "relabel", one.suggested) for one in audit.issues if one.flagged]
        for name, decisions in (("given", []), ("relabelled", sure)):
            write_decisions(place / "decisions.csv", audit.summary["id"], decisions)
            audit.apply(place / "decisions.csv", place / f"{name}.csv")


def collect(audits: Path, runs: Path) -> None:
    """Keep what the page's tables need."""
    kept = ("judged", "interval", "truly_wrong", "disagreement", "figures", "flagged", "seconds", "expected_precision")
    found = {one["name"]: one for one in _stored()["audits"]}
    for place in sorted(path for path in audits.iterdir() if (path / "summary.json").is_file()):
        summary = Audit.read(place).summary
        found[place.name] = {"name": place.name, **{key: summary.get(key) for key in kept}}
    trained = {(one["audit"], one["variant"], one["seed"]): one for one in _stored()["runs"]}
    for path in sorted(runs.iterdir()):
        result = Result.read(path)
        if result.status == "done":
            audit, variant, seed = path.name.rsplit("-", 2)
            row = {"audit": audit, "variant": variant, "seed": int(seed), "last": result.test_accuracy["last"]}
            trained[audit, variant, int(seed)] = row
    kept_runs = [trained[key] for key in sorted(trained)]
    stored = {"audits": [found[name] for name in sorted(found)], "runs": kept_runs}
    RESULTS.write_text(json.dumps(stored, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    {"decide": decide, "collect": collect}[sys.argv[1]](*map(Path, sys.argv[2:]))
