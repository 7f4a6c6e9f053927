"""``selection.csv``: what a method thinks of each training label, where it has an opinion."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING

from nlcore.rundir import durable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nlcore.contracts import Labels
    from nlcore.data.run_data import RunData

NAME = "selection.csv"


def write_selection(
    directory: Path, data: RunData, probability: NDArray[np.float64] | None, suggested: Labels | None
) -> None:
    """
    Write a row for each training sample: id, given label, how likely it is right, and the label held for right.

    Args:
        directory: of the run.
        data: of the run.
        probability: (N,), 0..1, or None.
        suggested: int64 (N,), or None. Without either there is no file.

    """
    if probability is None and suggested is None:
        return
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("id", "label", "clean_probability", "suggested_label"))
    for number, (sample, label) in enumerate(zip(data.train.ids.tolist(), data.train.labels.tolist(), strict=True)):
        share = "" if probability is None else f"{probability[number]:.6f}"
        better = "" if suggested is None else data.classes[int(suggested[number])]
        writer.writerow((sample, data.classes[label], share, better))
    durable.write(directory / NAME, text.getvalue().encode())
