"""
The tables over strategies in ``docs/results.md``, made from finished runs.

``python docs/results_strategies.py RUNS`` puts a folder's finished runs into ``docs/results_strategies.json``, from
which the page takes them; one of the same method, noise and seed takes the place of an earlier one.
"""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nlcore.rundir.result import Result

RESULTS = Path(__file__).with_name("results_strategies.json")
BASELINE = "cross_entropy"

Row = Mapping[str, Any]


def table(noise: str) -> None:
    """Write a row for each method under this noise, the best mean of the last ten epochs first."""
    import cog

    if RESULTS.exists():
        cog.outl(markdown(json.loads(RESULTS.read_text(encoding="utf-8")), noise))


def markdown(runs: Sequence[Row], noise: str) -> str:
    """Return the table in percent; differences are to cross-entropy with the same seed, on the same labels."""
    by_method: dict[str, dict[int, Row]] = {}
    for run in runs:
        if run["noise"] == noise:
            by_method.setdefault(run["method"], {})[run["seed"]] = run
    baseline = by_method.get(BASELINE, {})
    titles = ("method", "last epoch", "mean of the last 10", "above cross-entropy", "AUC", "suggested labels right")
    titles += ("memorised", "seeds")
    lines = [f"| {' | '.join(titles)} |", "|---" * len(titles) + "|"]
    order = sorted(by_method, key=lambda name: -statistics.mean(_of(by_method[name].values(), "mean_last_10")))
    for name in order:
        found = by_method[name]
        pairs = [
            run["mean_last_10"] - baseline[seed]["mean_last_10"] for seed, run in found.items() if seed in baseline
        ]
        rows = list(found.values())
        cells = [
            _name(rows[0]),
            _spread(_of(rows, "last")),
            f"**{_spread(_of(rows, 'mean_last_10'))}**",
            "" if name == BASELINE else _spread(pairs, "+"),
            _auc(_of(rows, "selection_auc")),
            _spread(_of(rows, "correction_accuracy")),
            _spread(_of(rows, "memorised")),
            ", ".join(map(str, sorted(found))),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def read(folder: Path) -> list[dict[str, Any]]:
    """Return what the page needs of a folder's finished runs."""
    rows = []
    for path in sorted(folder.iterdir()):
        result = Result.read(path)
        if result.status != "done":
            continue
        used, last = result.components, result.metrics[-1]
        own = {key: value for key, value in result.options.items() if key.startswith("strategy.")}
        rows.append(
            {
                "method": _method(used),
                "loss": used["loss"],
                "strategy": used["strategy"],
                "options": own,
                "noise": used["noise"],
                "seed": result.seed,
                "labels_sha256": result.labels_sha256,
                "noise_rate": result.noise_rate,
                "last": result.test_accuracy["last"],
                "mean_last_10": result.test_accuracy["mean_last_10"],
                "memorised": result.memorisation["memorised"],
                "selection_auc": last.get("selection_auc"),
                "correction_accuracy": last.get("correction_accuracy"),
            }
        )
    return rows


def _method(used: Mapping[str, str]) -> str:
    if used["strategy"] == "standard":
        return used["loss"]
    return used["strategy"] if used["loss"] == BASELINE else f"{used['strategy']}+{used['loss']}"


def _name(run: Row) -> str:
    """Return a method's name, with its settings that differ from the usual ones."""
    own = ", ".join(f"{key.removeprefix('strategy.')} {value}" for key, value in run["options"].items())
    name = " with ".join(f"`{part}`" for part in run["method"].split("+"))
    return f"{name} ({own})" if own else name


def _of(runs: Any, key: str) -> list[float]:
    return [run[key] for run in runs if run[key] is not None]


def _spread(values: Sequence[float], sign: str = "") -> str:
    if not values:
        return ""
    mean = f"{100 * statistics.mean(values):{sign}.2f}"
    return f"{mean} ± {100 * statistics.stdev(values):.2f}" if len(values) > 1 else mean


def _auc(values: Sequence[float]) -> str:
    return f"{statistics.mean(values):.3f}" if values else ""


if __name__ == "__main__":
    earlier = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else []
    runs = {(run["noise"], run["method"], run["seed"]): run for run in [*earlier, *read(Path(sys.argv[1]))]}
    lines = ",\n".join(json.dumps(runs[key]) for key in sorted(runs))
    RESULTS.write_text(f"[\n{lines}\n]\n", encoding="utf-8")
