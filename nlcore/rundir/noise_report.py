"""
``noise.json``: what was declared of the noise of a run and what came of it, in a form that people can read, too.

The evaluator's side of a run: true labels are in it, so nothing that trains may read it.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nlcore.contracts import NoiseInfo
    from nlcore.data.prepare import TrainingData

SHOWN = 20  # up to so many classes are written out, in a picture or a table


def describe(data: TrainingData, noise: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return the noise of a run as JSON values; null where the truth is unknown or nothing is declared.

    Args:
        data: of the run.
        noise: the model with its parameters, and the noise seed.

    """
    declared, realised = data.declared, data.realised
    matrix = None if declared is None or declared.transition is None else declared.transition.tolist()
    return {
        **noise,
        "classes": list(data.classes),
        "samples": len(data.train) + (len(data.validation) if data.validation else 0),
        "of_no_class": data.of_no_class,
        "declared_rate": None if declared is None else declared.rate,
        "declared_transition": matrix,
        "rate": data.noise_rate,
        "counts": None if realised is None else realised.tolist(),
        "labels_sha256": data.labels_sha256,
    }


def declared_in(record: Mapping[str, Any]) -> NoiseInfo | None:
    """Return what was declared, from a run's ``noise.json``."""
    import numpy as np

    from nlcore.contracts import NoiseInfo

    rate, matrix = record["declared_rate"], record["declared_transition"]
    return None if rate is None else NoiseInfo(rate, None if matrix is None else np.array(matrix))


def as_text(record: Mapping[str, Any]) -> str:
    """Return the record as JSON, one line for each entry and for each row of a matrix."""
    lines = []
    for key, value in record.items():
        text = json.dumps(value, allow_nan=False)
        if isinstance(value, list) and value and isinstance(value[0], list):
            text = "[\n    " + ",\n    ".join(json.dumps(row, allow_nan=False) for row in value) + "\n  ]"
        lines.append(f"  {json.dumps(key)}: {text}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def draw_heat_map(transition: NDArray[np.float64], classes: Sequence[str], title: str) -> bytes:
    """Return the shares of true class i given as j, (K, K), as a PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    K = len(classes)
    figure = Figure(figsize=(7, 6), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    image = axes.imshow(transition, cmap="Blues", vmin=0, vmax=1)
    figure.colorbar(image, ax=axes, label="share of the true class")
    axes.set_title(title, fontsize=10)
    axes.set_xlabel("given")
    axes.set_ylabel("true")
    if K <= SHOWN:
        axes.set_xticks(range(K), classes, rotation=45, ha="right", rotation_mode="anchor")
        axes.set_yticks(range(K), classes)
        for i in range(K):
            for j in range(K):
                share = transition[i, j]
                if share > 0:
                    colour = "white" if share > 0.5 else "black"
                    axes.text(j, i, f"{100 * share:.1f}", ha="center", va="center", fontsize=7, color=colour)
    png = io.BytesIO()
    figure.savefig(png, format="png", dpi=150)
    return png.getvalue()
