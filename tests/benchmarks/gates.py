"""
What each method must reach on CIFAR-10 in about ten minutes of a fast GPU: ``python tests/benchmarks/gates.py --help``.

50 % symmetric noise on all 50,000 images, batches of 128, schedules shortened by one factor; cross-entropy comes first,
as some gates are held against it. The gates are proposals: they are to be set, once, to what was measured less three
standard deviations.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

Figures = Mapping[str, float]
COMMON: Mapping[str, Any] = {
    "dataset": "cifar10",
    "dataset.per_class": -1,
    "noise": "symmetric",
    "noise.rate": 0.5,
    "architecture": "preact_resnet18",
    "lr_schedule": "cosine",
    "cuda_graphs": True,
}
ADAM = {"optimizer": "adam", "lr": 1e-3}
SLOW = {"lr": 0.02}
STRONG = {"strong": "crop_flip+autoaugment_cifar10+cutout"}


@dataclass(frozen=True)
class Gate:
    """
    One gate.

    Attributes:
        settings: of the run, above the common ones.
        text: what is asked for.
        passed: whether it is met, by the run's figures and cross-entropy's.

    """

    settings: Mapping[str, Any]
    text: str
    passed: Callable[[Figures, Figures], bool]


def _last(at_least: float, settings: Mapping[str, Any]) -> Gate:
    return Gate(settings, f"last ≥ {at_least:.0%}", lambda own, ce: own["last"] >= at_least)


GATES: Mapping[str, Gate] = {
    "cross_entropy": Gate(
        {"epochs": 100, "lr": 0.1},
        "last ≤ best − 10 points and memorised ≥ 40 %, else the setting tests nothing",
        lambda own, ce: own["last"] <= own["best"] - 0.10 and own["memorised"] >= 0.40,
    ),
    "divide_mix": Gate(
        {"epochs": 36, "strategy": "divide_mix", "strategy.warm_up": 6, "strategy.ramp": 4, **SLOW},
        "last ≥ 89 % and AUC ≥ 0.97",
        lambda own, ce: own["last"] >= 0.89 and own["auc"] >= 0.97,
    ),
    "augdesc": Gate(
        {"epochs": 30, "strategy": "divide_mix", "strategy.views": "strong", "strategy.warm_up": 6, **SLOW, **STRONG},
        "last ≥ 89 %",
        lambda own, ce: own["last"] >= 0.89,
    ),
    "elr_plus": _last(0.88, {"epochs": 90, "strategy": "elr_plus", "strategy.ema_ramp": 46, **SLOW}),
    "sop_plus": _last(0.88, {"epochs": 120, "strategy": "two_views", "loss": "sop", **SLOW, **STRONG}),
    "pes_semi": _last(0.88, {"epochs": 90, "strategy": "pes_semi", "strategy.first": 6, "strategy.second": 2, **SLOW}),
    "ssr": _last(0.90, {"epochs": 100, "strategy": "ssr", **SLOW, **STRONG}),
    "unicon": _last(0.86, {"epochs": 25, "strategy": "unicon", "strategy.warm_up": 4, **SLOW, **STRONG}),
    "promix": _last(0.88, {"epochs": 25, "strategy": "promix", "strategy.warm_up": 3, "lr": 0.05, **STRONG}),
    "disc": _last(0.86, {"epochs": 60, "strategy": "disc", "strategy.warm_up": 6, **STRONG}),
    "dynamic_bootstrap": Gate(
        {"epochs": 120, "strategy": "dynamic_bootstrap", "lr": 0.1},
        "last ≥ 85 % and memorised ≤ 5 %",
        lambda own, ce: own["last"] >= 0.85 and own["memorised"] <= 0.05,
    ),
    **{
        name: Gate(
            {"epochs": 100, "strategy": name, **ADAM},
            "last ≥ cross-entropy's + 10 points",
            lambda own, ce: own["last"] >= ce["last"] + 0.10,
        )
        for name in ("co_teaching", "co_teaching_plus", "jocor")
    },
    "sam": Gate(
        {"epochs": 100, "optimizer": "sam", "lr": 0.1},
        "last ≥ cross-entropy's + 5 points",
        lambda own, ce: own["last"] >= ce["last"] + 0.05,
    ),
    "ncr": Gate(
        {"epochs": 100, "strategy": "ncr", "lr": 0.1},
        "last ≥ cross-entropy's + 5 points",
        lambda own, ce: own["last"] >= ce["last"] + 0.05,
    ),
}


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(list(GATES)))
@click.option("--data-dir", type=click.Path(path_type=Path), help="folder of CIFAR-10")
@click.option(
    "--runs-dir", default="gates", show_default=True, help="folder of the runs; what is done is not done again"
)
@click.option("--device", default="cuda", show_default=True)
@click.option("--out", type=click.Path(path_type=Path), help="write the figures there as JSON")
def main(names: tuple[str, ...], data_dir: Path | None, runs_dir: str, device: str, out: Path | None) -> None:
    """Train what is named, or all, and say which gates are met; cross-entropy is always trained."""
    import nlcore

    more = {"runs_dir": runs_dir, "device": device, **({"data_dir": str(data_dir)} if data_dir else {})}
    found: dict[str, dict[str, float]] = {}
    for name in dict.fromkeys(["cross_entropy", *(names or GATES)]):
        result = nlcore.run(quiet=True, **{**COMMON, **GATES[name].settings, **more})
        found[name] = {
            "last": result.test_accuracy["last"] or 0.0,
            "best": result.test_accuracy["best_oracle"] or 0.0,
            "memorised": result.memorisation.get("memorised") or 0.0,
            "auc": result.metrics[-1]["selection_auc"] or 0.0,
            "seconds": result.seconds or 0.0,
        }
        met = GATES[name].passed(found[name], found["cross_entropy"])
        shown = ", ".join(f"{key} {value:.4g}" for key, value in found[name].items())
        click.echo(f"{'met    ' if met else 'NOT MET'}  {name}: {GATES[name].text}; {shown}")
        if out:
            out.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).parents[1])
    os.environ["NL_PLUGINS"] = "nlcore"
    main()
