"""
The tables over losses in ``docs/results.md``, made from finished runs.

``nl table RUNS --json | python docs/results_page.py`` puts these runs into ``docs/results.json``, from which the page
takes them; one of the same loss, options, noise and seed takes the place of an earlier one.
"""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).with_name("results.json")
KEPT: tuple[str, ...] = (
    "loss",
    "noise",
    "noise_rate",
    "options",
    "seed",
    "epochs",
    "status",
    "test_accuracy",
    "memorisation",
    "oracles",
)
KEPT += ("seconds", "peak_memory", "labels_sha256")

#: What a table's columns are called, by noise.
NOISE = {
    "symmetric": "50 % symmetric noise",
    "asymmetric": "40 % asymmetric noise",
    "cifar10n": "CIFAR-10N, worse labels",
}

Runs = Sequence[Mapping[str, Any]]


def table(noise: str, least: int = 1) -> None:
    """Write a row for each loss that has at least so many runs under this noise, the best first."""
    import cog

    if RESULTS.exists():
        cog.outl(markdown(json.loads(RESULTS.read_text(encoding="utf-8")), noise, least))


def by_noise() -> None:
    """Write a row for each loss with several runs under every noise: mean ± standard deviation of the last epoch."""
    import cog

    cog.outl(by_noise_markdown(json.loads(RESULTS.read_text(encoding="utf-8"))))


def by_noise_markdown(runs: Runs) -> str:
    """Return the table in percent, the best under symmetric noise first."""
    found = {
        name: [[run for run in runs if (run["loss"], run["noise"]) == (name, noise)] for noise in NOISE]
        for name in dict.fromkeys(run["loss"] for run in runs)
    }
    rows = {
        name: [_values(one, "last") for one in parts]
        for name, parts in found.items()
        if all(len(one) > 1 for one in parts)
    }
    lines = [f"| loss | {' | '.join(NOISE.values())} |", "|---" * (1 + len(NOISE)) + "|"]
    for name in sorted(rows, key=lambda name: -statistics.mean(rows[name][0])):
        lines.append(f"| `{name}` | {' | '.join(map(_spread, rows[name]))} |")
    return "\n".join(lines)


def markdown(runs: Runs, noise: str, least: int) -> str:
    """Return the table in percent, seconds and GB."""
    by_loss: dict[str, list[Mapping[str, Any]]] = {}
    for run in runs:
        if run["noise"] == noise:
            by_loss.setdefault(run["loss"], []).append(run)
    rows = [(name, found) for name, found in by_loss.items() if len(found) >= least]
    rows.sort(key=lambda row: -statistics.mean(_values(row[1], "last")))
    lines = [
        "| loss | last epoch | mean of the last 10 | best of all (oracle) | wrong labels memorised | seeds | s | GB |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, found in rows:
        own = [f"{key.removeprefix('loss.')} {value}" for key, value in found[0]["options"].items()]
        cells = [
            f"`{name}`" + (f" ({', '.join(own)})" if own else ""),
            f"**{_spread(_values(found, 'last'))}**",
            _spread(_values(found, "mean_last_10")),
            _spread(_values(found, "best_oracle")),
            _spread([run["memorisation"]["memorised"] for run in found]),
            ", ".join(str(run["seed"]) for run in sorted(found, key=lambda run: run["seed"])),
            f"{statistics.median(run['seconds'] for run in found):.0f}",
            f"{max(run['peak_memory'] for run in found):.2f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _values(runs: Runs, name: str) -> list[float]:
    return [run["test_accuracy"][name] or 0.0 for run in runs]


def _spread(values: Sequence[float]) -> str:
    mean = f"{100 * statistics.mean(values):.2f}"
    return f"{mean} ± {100 * statistics.stdev(values):.2f}" if len(values) > 1 else mean


if __name__ == "__main__":
    found = [{key: run[key] for key in KEPT} for run in json.load(sys.stdin)]
    for run in found:  # without where files lie
        run["options"] = {key: value for key, value in run["options"].items() if key.startswith("loss.")}
    earlier = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else []
    runs = {repr([run[key] for key in ("noise", "loss", "options", "seed")]): run for run in earlier + found}
    lines = [json.dumps(runs[key]) for key in sorted(runs)]
    RESULTS.write_text("[\n" + ",\n".join(lines) + "\n]\n", encoding="utf-8")
