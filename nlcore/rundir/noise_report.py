"""
``noise.json``: what was declared of the noise of a run and what came of it, in a form that people can read, too.

The evaluator's side of a run: true labels are in it, so nothing that trains may read it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nlcore.data.run_data import RunData

SHOWN = 20  # up to so many classes are written out, in a picture or a table


def describe(data: RunData, noise: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return the noise of a run as JSON values; null where the truth is unknown or nothing is declared.

    Args:
        data: of the run.
        noise: the model with its parameters, and the noise seed.

    """
    declared, confusion = data.declared, data.truth.confusion
    matrix = None if declared is None or declared.transition is None else declared.transition.tolist()
    return {
        **noise,
        "classes": list(data.classes),
        "samples": len(data.train) + (len(data.validation) if data.validation else 0),
        "num_open_set": data.truth.num_open_set,
        "declared_rate": None if declared is None else declared.rate,
        "declared_transition": matrix,
        "rate": data.truth.noise_rate,
        "counts": None if confusion is None else confusion.tolist(),
        "labels_sha256": data.labels_sha256,
    }


def as_text(record: Mapping[str, Any]) -> str:
    """Return the record as JSON, one line for each entry and for each row of a matrix."""
    lines = []
    for key, value in record.items():
        text = json.dumps(value, allow_nan=False)
        if isinstance(value, list) and value and isinstance(value[0], list):
            text = "[\n    " + ",\n    ".join(json.dumps(row, allow_nan=False) for row in value) + "\n  ]"
        lines.append(f"  {json.dumps(key)}: {text}")
    return "{\n" + ",\n".join(lines) + "\n}\n"
