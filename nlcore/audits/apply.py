"""
From what people decided to a table of labels: ``cleaned.csv``, with the columns path, label and id.

    nl run --dataset csv --dataset.train cleaned.csv          where each sample is a file of its own
    nl run ... --labels cleaned.csv --exclude decisions.csv   whatever the data are

Dropped samples are left out, relabelled ones have their new label; all others, also those that nobody looked at or was
sure of, have the given one. No image is touched.
"""

from __future__ import annotations

import csv
import hashlib
import io
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from nlcore.audits.decisions import Decision
from nlcore.errors import UserError, plural
from nlcore.rundir import durable


@dataclass(frozen=True)
class Audited:
    """
    A sample as an audit saw it.

    Attributes:
        id: its id, as text.
        given: the name of the class that it was given.
        path: its file, None where it has none of its own.
        sha256: of the file's bytes then, None where that was not noted.

    """

    id: str
    given: str
    path: Path | None = None
    sha256: str | None = None


def cleaned(samples: Sequence[Audited], decisions: Mapping[str, Decision], out: Path) -> tuple[str, Counter[str]]:
    """
    Return the table of labels, and how many samples were decided on in which way.

    Args:
        samples: all that were audited, in order.
        decisions: by id.
        out: the file that it will be written to: paths are relative to its folder where that is possible.

    Raises:
        UserError: a file is gone, one that was decided on has changed since, or nothing would be left.

    """
    _check_unchanged(samples, decisions)
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")  # what ends lines is what it quotes
    files = all(sample.path is not None for sample in samples)
    writer.writerow(["path", "label", "id"] if files else ["id", "label"])
    counts: Counter[str] = Counter()
    left = 0
    for sample in samples:
        decision = decisions.get(sample.id, Decision(sample.id, "not looked at"))
        counts[decision.decision] += 1
        if decision.decision == "drop":
            continue
        label = decision.label if decision.decision == "relabel" else sample.given
        left += 1
        if files:
            assert sample.path is not None
            writer.writerow([_from(out, sample.path), label, sample.id])
        else:
            writer.writerow([sample.id, label])
    if not left:
        raise UserError("These decisions drop every sample, so that nothing would be left.")
    return text.getvalue(), counts


def write(samples: Sequence[Audited], decisions: Mapping[str, Decision], out: Path) -> Counter[str]:
    """
    Write the table of labels; return how many samples were decided on in which way.

    Raises:
        UserError: as `cleaned`.
        RunError: the file cannot be written.

    """
    text, counts = cleaned(samples, decisions, out)
    durable.write(out, text.encode())
    return counts


def _check_unchanged(samples: Sequence[Audited], decisions: Mapping[str, Decision]) -> None:
    """Raise where a file of the table is gone, or one that was decided on is no longer what was looked at."""
    gone, changed = [], []
    for sample in samples:
        decision = decisions.get(sample.id)
        if sample.path is None:
            continue
        if not sample.path.is_file():
            if decision is None or decision.decision != "drop":
                gone.append(sample.id)
        elif decision is not None and sample.sha256 not in (None, _digest(sample.path)):
            changed.append(sample.id)
    if gone:
        raise UserError(
            f"{plural(len(gone), 'file')} can no longer be read: {_some(gone)}. Put them back, drop them in the "
            "decisions, or run the audit again."
        )
    if changed:
        raise UserError(
            f"{plural(len(changed), 'file')} that you decided on changed since the audit: {_some(changed)}. Take these "
            "rows out of the decisions, or run the audit again."
        )


def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from None


def _some(ids: Sequence[str]) -> str:
    return ", ".join(ids[:3]) + (", ..." if len(ids) > 3 else "")


def _from(out: Path, path: Path) -> str:
    """Return a path as it is found from the folder of `out`."""
    try:
        return Path(os.path.relpath(path.absolute(), out.absolute().parent)).as_posix()
    except ValueError:  # on another drive
        return path.absolute().as_posix()
