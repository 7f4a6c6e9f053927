"""
What people decided on labels: ``decisions.csv``, as the page of an audit saves it and anyone may write it.

    audit,id,decision,label
    2f1c9a,cat/1.jpg,relabel,dog
    2f1c9a,cat/7.jpg,keep,

A decision is ``keep``, ``relabel`` (with the label that it should have), ``drop`` or ``unsure``.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from nlcore.data.tables import read_table
from nlcore.errors import UserError, did_you_mean

COLUMNS = ("audit", "id", "decision", "label")
DECISIONS = ("keep", "relabel", "drop", "unsure")


@dataclass(frozen=True)
class Decision:
    """
    What was decided on the label of a sample.

    Attributes:
        id: the sample's, as text.
        decision: one of `DECISIONS`.
        label: the name of the class that it should have, where it is relabelled; else empty.

    """

    id: str
    decision: str
    label: str = ""


def read_decisions(path: Path, audit: str, ids: Collection[str], classes: Sequence[str]) -> dict[str, Decision]:
    """
    Return what was decided, by the sample's id.

    Args:
        path: the file: CSV, with the columns in any order and more of them.
        audit: the id of the audit that it must be of.
        ids: those of all samples, as text; a set is fast.
        classes: the names of the classes.

    Raises:
        UserError: a file that is none or of another audit, an id that is unknown or decided on in two ways, an unknown
            decision or class.

    """
    found: dict[str, tuple[str, Decision]] = {}
    for where, row in read_table(path, COLUMNS, "Save the decisions on the audit's page, and give that file."):
        theirs, id_, decision, label = (row[column] for column in COLUMNS)
        if theirs != audit:
            raise UserError(
                f"{path}, {where}: this is of the audit {theirs!r}, not of {audit!r}. Give the decisions that were "
                "saved on the page of this audit."
            )
        if id_ not in ids:
            near = did_you_mean(id_, ids) if len(ids) <= 10_000 else ""
            raise UserError(f"{path}, {where}: the data have no sample with the id {id_!r}.{near}")
        if decision not in DECISIONS:
            raise UserError(
                f"{path}, {where}: a decision is {', '.join(DECISIONS)}, not {decision!r:.80}."
                f"{did_you_mean(decision, DECISIONS)}"
            )
        if decision == "relabel" and label not in classes:
            shown = ", ".join(classes[:10]) + (", ..." if len(classes) > 10 else "")
            raise UserError(
                f"{path}, {where}: there is no class {label!r}.{did_you_mean(label, classes)} Classes: {shown}."
            )
        if decision != "relabel" and label:
            raise UserError(
                f"{path}, {where}: {decision} takes no label, and there is {label!r}. Write relabel, or leave it empty."
            )
        before = found.setdefault(id_, (where, Decision(id_, decision, label)))
        if before[1] != Decision(id_, decision, label):
            raise UserError(
                f"{path}: {id_!r} is decided on in two ways, in {before[0]} ({_said(before[1])}) and in {where} "
                f"({_said(Decision(id_, decision, label))}). Remove one."
            )
    return {id_: decision for id_, (_, decision) in found.items()}


def write_decisions(path: Path, audit: str, decisions: Iterable[Decision]) -> None:
    """Write what was decided in an audit, in the order given."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")  # what ends lines is what it quotes
    writer.writerow(COLUMNS)
    writer.writerows((audit, one.id, one.decision, one.label) for one in decisions)
    path.write_text(text.getvalue(), encoding="utf-8", newline="")


def _said(decision: Decision) -> str:
    return f"{decision.decision} {decision.label}".strip()
