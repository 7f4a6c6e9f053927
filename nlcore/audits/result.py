"""A finished audit, read from its directory: for Python and for the terminal."""

from __future__ import annotations

import csv
import os
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlcore.audits.apply import write
from nlcore.audits.decisions import read_decisions
from nlcore.audits.directory import AuditDirectory
from nlcore.audits.place import is_own
from nlcore.errors import UserError, plural
from nlcore.rundir.notebook import html_table, pandas_package
from nlcore.rundir.place import is_one_of

if TYPE_CHECKING:
    import pandas

SHOWN = 10  # rows of the list in a notebook
PRETRAINED = "--architecture torchvision --architecture.pretrained true"


@dataclass(frozen=True)
class Issue:
    """
    A sample of an audit, as a row of ``issues.csv``.

    Attributes:
        rank: 1 for the most suspicious; None where the label could not be judged.
        id: the sample's, as text.
        path: its file; empty where it has none of its own.
        given, suggested: names of classes; nothing is suggested where the label could not be judged.
        p_wrong: the probability that the given label is wrong, 0..1; None where it could not be judged.
        flagged: whether it is one of the surely wrong.
        scores: of each detector, the larger the more suspicious.
        duplicates: the number of its group of copies and near copies; 0 where it is in none.

    """

    rank: int | None
    id: str
    path: str
    given: str
    suggested: str
    p_wrong: float | None
    flagged: bool
    scores: Mapping[str, float]
    duplicates: int


#: The columns of ``issues.csv`` but for the scores, which are called ``score_DETECTOR``.
COLUMNS = ("rank", "id", "path", "given", "suggested", "p_wrong", "flagged", "duplicates")


@dataclass(frozen=True, repr=False)
class Audit:
    """
    A finished audit.

    Attributes:
        audit_dir: where its files are.
        summary: the content of ``summary.json``.

    """

    audit_dir: Path
    summary: Mapping[str, Any]

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Audit:
        """
        Return the audit of a directory.

        Raises:
            UserError: there is none, or it is not finished.

        """
        directory = AuditDirectory(Path(path))
        summary = directory.read_json("summary.json")
        if (
            summary is None
            or not {"id", "classes", "interval"} <= summary.keys()
            or not directory.read_json("audit.json")
        ):
            begun = (directory.path / "audit.json").is_file()
            said = "is not finished: run 'nl audit' with the same words again" if begun else "holds no audit"
            raise UserError(f"{directory.path} {said}.")
        return cls(directory.path, summary)

    @property
    def interval(self) -> tuple[float, float] | None:
        """The share of wrong labels, at least and at most, 0..1; None where no number can be given."""
        found = self.summary["interval"]
        return None if found is None else (found[0], found[1])

    @property
    def rate(self) -> float | None:
        """The middle of `interval`, for where one number is needed."""
        found = self.interval
        return None if found is None else sum(found) / 2

    @property
    def report(self) -> Path:
        """The page to go through."""
        return self.audit_dir / "report.html"

    @property
    def issues(self) -> list[Issue]:
        """All samples, the most suspicious first."""
        with (self.audit_dir / "issues.csv").open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        return [
            Issue(
                rank=int(row["rank"]) if row["rank"] else None,
                id=row["id"],
                path=row["path"],
                given=row["given"],
                suggested=row["suggested"],
                p_wrong=float(row["p_wrong"]) if row["p_wrong"] else None,
                flagged=row["flagged"] == "1",
                scores={key.removeprefix("score_"): float(row[key]) for key in row if key[:6] == "score_" and row[key]},
                duplicates=int(row["duplicates"]),
            )
            for row in rows
        ]

    def frame(self) -> pandas.DataFrame:
        """
        Return the samples as a DataFrame, a column for each of ``issues.csv``; `issues` is a list of the same rows.

        Raises:
            UserError: pandas is not installed.

        """
        text, file = dict.fromkeys(("id", "path", "given", "suggested"), str), self.audit_dir / "issues.csv"
        with file.open(encoding="utf-8", newline="") as lines:
            header = next(csv.reader(lines))
        empty = {name: [""] for name in header if name not in text}  # a label may be called "nan", a number is none
        found: pandas.DataFrame = pandas_package().read_csv(file, dtype=text, keep_default_na=False, na_values=empty)
        return found

    def apply(self, decisions: str | os.PathLike[str], out: str | os.PathLike[str] = "cleaned.csv") -> Counter[str]:
        """
        Write the table of labels that decisions lead to; return how many samples were decided on in which way.

        Args:
            decisions: the file that the page saves.
            out: the table; see `nlcore.audits.apply`.

        Raises:
            UserError: decisions of another audit, on samples that are not there, or on files that have changed since; a
                file that is gone; or `out` is an image that was audited, the decisions, or a file of the audit.

        """
        directory = AuditDirectory(self.audit_dir)
        if is_own(self.audit_dir, Path(out)):
            raise UserError(f"{out} is one of the audit's own files. Name another file.")
        samples = directory.read_samples()
        known = {sample.id for sample in samples}
        if is_one_of(Path(out), [Path(decisions), *(sample.path for sample in samples if sample.path is not None)]):
            raise UserError(f"{out} is read: it is an image or the decisions. Name another file.")
        made = read_decisions(Path(decisions), self.summary["id"], known, self.summary["classes"])
        return write(samples, made, Path(out))

    def lines(self) -> list[str]:
        """Return the audit in words, for the terminal."""
        found = self.summary
        total, count = found["samples"], found["flagged"]
        of_data = f" of {found['data']}" if "data" in found else ""  # not in an audit of an earlier version
        said = [f"{self.audit_dir}: {total:,} labels{of_data} audited", verdict_in_words(found)]
        said += found["warnings"]
        if found["interval"] is None:
            said.append(f"the {found['listed']:,} most suspicious are on the page, all are ranked in issues.csv")
        else:
            said.append(f"{count:,} labels are more likely wrong than right: they are flagged in issues.csv")
        shares = [f"{share:.0%} of the first {int(depth):,}" for depth, share in found["expected_precision"].items()]
        if shares:
            said.append(f"expected to be wrong: {', '.join(shares)}")
        said.append(f"look through them: {self.report}")
        said.append(f"then: nl audit apply {shlex.quote(str(self.audit_dir))} decisions.csv -o cleaned.csv")
        if found["interval"] is None and (self.audit_dir / "folds").is_dir():  # its own networks have predicted
            other = " and another --name" if "--name" in found["command"] else ""
            said.append(f"for a number start from weights: add {PRETRAINED}{other}")
        return said

    def __repr__(self) -> str:
        """Return where it is and how many labels are wrong."""
        return f"Audit({str(self.audit_dir)!r}: {verdict_in_words(self.summary)})"

    def _repr_html_(self) -> str:
        """Return the verdict and the head of the list for notebooks."""
        rows = [
            (str(one.rank), one.id, one.given, one.suggested, "" if one.p_wrong is None else f"{one.p_wrong:.2f}")
            for one in self.issues[:SHOWN]
        ]
        return html_table(verdict_in_words(self.summary), ("", "id", "given", "suggested", "P(wrong)"), rows)


def verdict_in_words(summary: Mapping[str, Any]) -> str:
    """Return how many labels are wrong, in a sentence, and how many more are not judged."""
    unjudged = summary["samples"] - summary["judged"]
    more = f"; {plural(unjudged, 'more is', 'more are')} not judged" if unjudged else ""
    if summary["interval"] is None:
        apart = f" {plural(unjudged, 'label is', 'labels are')} not judged." if unjudged else ""
        return f"How many labels are wrong cannot be said. {summary['reason']}{apart}"
    low, high = summary["at_least"], summary["at_most"]
    shares = " to ".join(f"{100 * count / max(1, summary['judged']):.1f}" for count in (low, high))  # as on the page
    return f"at least {low:,}, at most {high:,} of {summary['judged']:,} labels are wrong ({shares} %){more}"


def table_of_figures(figures: Sequence[Mapping[str, Any]]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return titles and rows of what detectors reach where the truth is known."""
    titles = ("detector", "average precision", "AUROC", "flagged", "precision", "recall", "suggestion right")
    rows = [
        (
            one["detector"],
            f"{one['average_precision']:.3f}",
            "" if one["auroc"] is None else f"{one['auroc']:.3f}",
            f"{one['flagged']:,}",
            *("" if one[name] is None else f"{one[name]:.2f}" for name in ("precision", "recall", "suggestion")),
        )
        for one in figures
    ]
    return titles, rows
