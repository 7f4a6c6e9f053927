"""
Labels of several annotators from a CSV, and the table of labels that follows from them.

    id,label_anna,label_ben,label_3          a column for each annotator; empty where one has not labelled the sample
    id,annotator,label                       or a row for each label

Labels are names of classes, or their numbers where no name is one.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nlcore.audits.annotators import Consensus, Votes, read_votes
from nlcore.data.tables import read_table
from nlcore.errors import UserError, did_you_mean

PREFIX = "label_"
_ADVICE = f"Give a CSV with the columns id, annotator and label, or id and a column {PREFIX}NAME for each annotator."


@dataclass(frozen=True, eq=False)
class Annotations:
    """
    Who said what, with names.

    Attributes:
        ids: of the samples, as text, in the order in which they come first.
        annotators: their names.
        classes: the names of the classes.
        votes: by their places in these.

    """

    ids: tuple[str, ...]
    annotators: tuple[str, ...]
    classes: tuple[str, ...]
    votes: Votes


def read_annotations(path: Path, classes: Sequence[str] = ()) -> Annotations:
    """
    Return the labels of a file.

    Args:
        path: the file.
        classes: the names of the classes, where they are known; else they are the labels, sorted.

    Raises:
        UserError: no such file, columns that are missing, an unknown class, two labels of one annotator for one sample,
            or fewer than two classes.

    """
    said = _read(path)
    if not said:
        raise UserError(f"{path} holds no labels. {_ADVICE}")
    names = tuple(classes) or _sorted({label for *_, label in said})
    known = {name: number for number, name in enumerate(names)}
    if len(names) < 2:
        raise UserError(f"{path}: all labels are {names[0]!r}; there is nothing to decide between.")
    ids = {sample: number for number, sample in enumerate(dict.fromkeys(sample for _, sample, *_ in said))}
    people = {name: number for number, name in enumerate(_sorted({who for _, _, who, _ in said}))}
    before: dict[tuple[str, str], str] = {}
    for where, sample, who, _ in said:
        if (sample, who) in before:
            raise UserError(f"{path}, {where}: {who} has labelled {sample!r} already, in {before[sample, who]}.")
        before[sample, who] = where
    numbers = [_number(path, where, label, known) for where, _, _, label in said]
    votes = read_votes(
        [ids[sample] for _, sample, *_ in said],
        [people[who] for _, _, who, _ in said],
        numbers,
        (len(ids), len(people), len(names)),
    )
    return Annotations(tuple(ids), tuple(people), names, votes)


def table_of(annotations: Annotations, found: Consensus) -> str:
    """Return a CSV with a row for each sample: label, how likely it is, how many said so, and how urgent another is."""
    votes = annotations.votes
    count = np.bincount(votes.sample, minlength=len(annotations.ids))
    agree = np.bincount(votes.sample, votes.label == found.labels[votes.sample], minlength=len(annotations.ids))
    urgency = np.empty(len(annotations.ids), np.int64)
    urgency[found.worth_another] = np.arange(1, len(annotations.ids) + 1)
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")  # what ends lines is what it quotes
    writer.writerow(["id", "label", "probability", "agree", "labels", "worth_another"])
    for place, sample in enumerate(annotations.ids):
        label = found.labels[place]
        sure = f"{found.probabilities[place, label]:.6f}"
        numbers = (int(agree[place]), int(count[place]), int(urgency[place]))
        writer.writerow([sample, annotations.classes[label], sure, *numbers])
    return text.getvalue()


def _read(path: Path) -> list[tuple[str, str, str, str]]:
    """Return place, id, annotator and label of each label."""
    rows = read_table(path, ["id"], _ADVICE, ["annotator", "label"])
    columns = [*rows[0][1]] if rows else []
    wide = [name for name in columns if name.casefold().startswith(PREFIX)]
    if wide:
        said = [(where, row["id"], name[len(PREFIX) :], row[name].strip()) for where, row in rows for name in wide]
    else:
        missing = [name for name in ("annotator", "label") if rows and name not in columns]
        if missing:
            raise UserError(f"{path} has no column {' and no column '.join(missing)}. {_ADVICE}")
        said = [(where, row["id"], row["annotator"].strip(), row["label"].strip()) for where, row in rows]
    for where, sample, who, label in said:
        if label and not (sample.strip() and who):
            raise UserError(f"{path}, {where}: a label without {'an id' if who else 'an annotator'}.")
    return [one for one in said if one[-1]]


def _number(path: Path, where: str, label: str, known: Mapping[str, int]) -> int:
    if label in known:
        return known[label]
    by_number = not any(name.isdecimal() for name in known)  # else a number is a name
    if by_number and label.isdecimal() and len(label) < 10 and int(label) < len(known):
        return int(label)
    shown = ", ".join([*known][:10]) + (", ..." if len(known) > 10 else "")
    raise UserError(f"{path}, {where}: there is no class {label!r}.{did_you_mean(label, known)} Classes: {shown}.")


def _sorted(names: set[str]) -> tuple[str, ...]:
    """Return names in order: as numbers where all are, else as text."""
    numbers = all(name.isdecimal() and len(name) < 10 for name in names)
    return tuple(sorted(names, key=lambda name: (int(name) if numbers else 0, name)))
