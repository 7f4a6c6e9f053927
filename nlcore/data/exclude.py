"""
Which samples a run leaves out: those that a file names.

    one id a line, in any text file; or a CSV with a column ``id``, of which

        decision    of rows that have one, those with ``drop`` are meant: decisions.csv of an audit's page
        flagged     of rows that have one, those with 1 are meant: issues.csv of an audit
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlcore.contracts import Labels
from nlcore.data.tables import parse_table, table_text
from nlcore.errors import UserError

_ADVICE = "Give a file of ids, one a line or in a column 'id', or the folder of an audit."
_MEANT = {"decision": ("drop",), "flagged": ("1", "true", "yes")}


def excluded(path: Path, ids: NDArray[Any], others: NDArray[Any]) -> tuple[Labels, list[str]]:
    """
    Return the positions of the samples to leave out, sorted, and what is to be told.

    Args:
        path: the file.
        ids: (N,), those of the samples.
        others: those of the test samples, which stay where they are.

    Raises:
        UserError: no such file, or none of its ids is one of the data's.

    """
    named = dict.fromkeys(_read(path))
    known = {str(sample): position for position, sample in enumerate(ids.tolist())}
    found = np.array(sorted(known[name] for name in named if name in known), dtype=np.int64)
    elsewhere = {str(sample) for sample in others.tolist()}
    tested = sum(name not in known and name in elsewhere for name in named)
    strange = [name for name in named if name not in known and name not in elsewhere]
    if named and len(strange) == len(named):
        raise UserError(
            f"exclude = {path}: none of its {len(named):,} ids is one of the data's: is it for another dataset? Its "
            f"first is {strange[0]!r:.200}, the data's first is {str(ids[0])!r}."
        )
    notes = [f"{path}: {len(found):,} of {len(ids):,} training images are left out"]
    if tested:
        notes.append(f"{path}: {tested:,} of its ids are test images, which are tested on all the same")
    if strange:
        notes.append(f"{path}: {len(strange):,} of its ids are none of the data's, such as {strange[0]!r:.200}")
    return found, notes


def _read(path: Path) -> Sequence[str]:
    """Return the ids that a file means."""
    text = table_text(path, _ADVICE)
    lines = text.splitlines()
    titles = [title.strip().strip('"').casefold() for title in (lines[0] if lines else "").replace(";", ",").split(",")]
    if "id" not in titles:
        return [line.strip() for line in lines if line.strip()]
    meant = next((column for column in _MEANT if column in titles), None)
    rows = [row for _, row in parse_table(path, text, ["id", *([meant] if meant else [])])]
    if meant:
        rows = [row for row in rows if row[meant].strip().casefold() in _MEANT[meant]]
    return [row["id"] for row in rows]
