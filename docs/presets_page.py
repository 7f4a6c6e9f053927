"""
What the presets reach, for ``docs/performance.md``: a table and a picture, made from finished runs.

``python docs/presets_page.py '`quick`=runs/A,runs/B' ResNet-18=runs/C`` reads the runs and writes ``docs/presets.json``
and ``docs/presets.png``; names that are not given keep theirs. The page takes its table from the former.
"""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).with_name("presets.json")
PICTURE = RESULTS.with_suffix(".png")
COURSE_BEST = 0.7735


def table() -> None:
    """Write a row for each preset and what stands beside it; nothing where no results have been published."""
    import cog

    if RESULTS.exists():
        cog.outl(markdown(json.loads(RESULTS.read_text(encoding="utf-8"))))


def markdown(results: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """Return the table."""
    lines = [
        "| run | last epoch | mean of the last 10 | wrong labels memorised | seeds | minutes | on |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, runs in results.items():
        last = [run["accuracy"][-1] for run in runs]
        late = [statistics.mean(run["accuracy"][-10:]) for run in runs]
        minutes = [run["minutes"][-1] for run in runs]
        cells = [
            name,
            f"**{_spread(last)}**: {', '.join(f'{value:.2%}' for value in last)}",
            _spread(late),
            _spread([run["memorised"] for run in runs]),
            ", ".join(str(run["seed"]) for run in runs),
            f"{min(minutes):.1f} to {max(minutes):.1f}" if len(runs) > 1 else f"{minutes[0]:.1f}",
            "; ".join(dict.fromkeys(run["on"] for run in runs)),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def read(run: Path) -> dict[str, Any]:
    """Return what the page needs of a finished run."""
    summary = json.loads((run / "summary.json").read_text(encoding="utf-8"))
    about = json.loads((run / "environment.json").read_text(encoding="utf-8"))
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    if summary["status"] != "done":
        raise SystemExit(f"{run} is {summary['status']}")
    seconds = 0.0
    minutes = []
    for row in rows:
        seconds += row["seconds_train"] + row["seconds_evaluation"]
        minutes.append(round(seconds / 60, 3))
    threads = about["threads"]
    return {
        "seed": about["identity"]["config"]["seed"],
        "accuracy": [row["test_accuracy"] for row in rows],
        "memorised": rows[-1]["memorised"],
        "minutes": minutes,
        "on": f"{threads} CPU thread{'s' * (threads > 1)}, {about['precision']}",
    }


def draw(results: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    """Draw accuracy over time, one line a run."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    for number, (name, runs) in enumerate(results.items()):
        for run in runs:
            label = f"{name.strip('`')} ({run['on']})" if run is runs[0] else None
            axes.plot(run["minutes"], [100 * value for value in run["accuracy"]], color=f"C{number}", label=label)
    axes.axhline(100 * COURSE_BEST, color="grey", linestyle="--", label=f"the course's best, {COURSE_BEST:.2%}")
    axes.set(xlabel="minutes of training and evaluation", ylabel="test accuracy, %", xscale="log")
    axes.grid(alpha=0.3)
    figure.legend(loc="outside lower center")
    figure.savefig(PICTURE, dpi=120)


def _spread(values: Sequence[float]) -> str:
    if len(values) == 1:
        return f"{values[0]:.2%}"
    return f"{100 * statistics.mean(values):.2f} ± {100 * statistics.stdev(values):.2f} %"


if __name__ == "__main__":
    named = [word.partition("=") for word in sys.argv[1:]]
    found = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    found |= {name: [read(Path(run)) for run in runs.split(",")] for name, _, runs in named}
    RESULTS.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    draw(found)
