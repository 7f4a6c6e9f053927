"""
What each method must reach on CIFAR-10 in about ten minutes of a fast GPU: ``python tests/benchmarks/gates.py --help``.

All 50,000 images. A method with a protocol is that protocol, with all that counts epochs shortened by one factor; only
warm-ups stay longer where a gate says so, as one epoch is none. What a gate is held against is trained before it. The
gates are proposals: they are to be set, once, to what was measured less three standard deviations.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

Figures = Mapping[str, float]
#: What a method without a protocol is trained with, under symmetric noise.
COMMON: Mapping[str, Any] = {
    "dataset": "cifar10",
    "dataset.per_class": -1,
    "noise": "symmetric",
    "noise.rate": 0.5,
    "architecture": "preact_resnet18",
    "lr_schedule": "cosine",
    "epochs": 100,
    "lr": 0.1,
}
ASYMMETRIC = {"noise": "asymmetric", "noise.rate": 0.4}
GJS_VIEWS = {"augmentation": "crop_flip+randaugment+cutout", "augmentation.n": 1, "augmentation.m": 3}  # the authors'
ADAM = {"optimizer": "adam", "lr": 1e-3}


@dataclass(frozen=True)
class Gate:
    """
    One gate.

    Attributes:
        settings: of the run.
        text: what is asked for.
        passed: whether it is met, by the run's figures and by those of what it is held against, by name.
        against: what must be trained before it.

    """

    settings: Mapping[str, Any]
    text: str
    passed: Callable[[Figures, Mapping[str, Figures]], bool]
    against: tuple[str, ...] = ()


def short(preset: str, of: int, epochs: int, warm_up: int | None = None) -> dict[str, Any]:
    """Return a protocol of so many epochs, shortened to fewer; `warm_up` is what is left of it where that is given."""
    scale = epochs / of
    longer = {} if warm_up is None else {"strategy.warm_up": round(warm_up / scale)}
    return {"preset": preset, "scale": scale, **longer}


def _last(at_least: float, settings: Mapping[str, Any]) -> Gate:
    return Gate(settings, f"last ≥ {at_least:.0%}", lambda own, others: own["last"] >= at_least)


def _above(name: str, points: int, settings: Mapping[str, Any]) -> Gate:
    return Gate(
        settings,
        f"last ≥ that of {name} + {points} points",
        lambda own, others: own["last"] >= others[name]["last"] + points / 100,
        (name,),
    )


def _robust(settings: Mapping[str, Any]) -> Gate:
    return Gate(
        settings,
        "best ≥ that of cross_entropy + 1 point, last ≥ its last + 5 points",
        lambda own, others: (
            own["best"] >= others["cross_entropy"]["best"] + 0.01
            and own["last"] >= others["cross_entropy"]["last"] + 0.05
        ),
        ("cross_entropy",),
    )


def _pair(settings: Mapping[str, Any]) -> Gate:
    return Gate(
        settings,
        "last ≥ that of cross_entropy + 10 points, and no more than 2 below that of co_teaching",
        lambda own, others: (
            own["last"] >= others["cross_entropy"]["last"] + 0.10
            and own["last"] >= others["co_teaching"]["last"] - 0.02
        ),
        ("cross_entropy", "co_teaching"),
    )


def _asymmetric(settings: Mapping[str, Any]) -> Gate:
    return Gate(
        settings,
        "last ≥ 85 % and not below that of cross_entropy-asym40",
        lambda own, others: own["last"] >= max(0.85, others["cross_entropy-asym40"]["last"]),
        ("cross_entropy-asym40",),
    )


GATES: Mapping[str, Gate] = {
    "cross_entropy": Gate(
        COMMON,
        "last ≤ best − 10 points and memorised ≥ 40 %, else the setting tests nothing",
        lambda own, others: own["last"] <= own["best"] - 0.10 and own["memorised"] >= 0.40,
    ),
    "divide_mix": Gate(
        short("divide_mix-cifar10-sym50", 300, 36, warm_up=6),
        "last ≥ 89 % and AUC ≥ 0.97",
        lambda own, others: own["last"] >= 0.89 and own["auc"] >= 0.97,
    ),
    "augdesc": _above("divide_mix", 0, short("augdesc-cifar10-sym50", 300, 30, warm_up=6)),
    "elr_plus": _last(0.88, short("elr_plus-cifar10-sym50", 200, 90)),
    "sop_plus": _last(0.88, short("sop_plus-cifar10-sym50", 300, 120)),
    "pes_semi": _last(0.88, short("pes_semi-cifar10-sym50", 305, 90)),
    "ssr": _last(0.90, {**short("ssr_plus-cifar10-sym50", 300, 100), "strategy.lambda_fc": 0.0}),
    "unicon": _last(0.86, short("unicon-cifar10-sym50", 350, 25, warm_up=4)),
    "promix": _last(0.88, short("promix-cifar10-sym50", 600, 25, warm_up=3)),
    "disc": _last(0.86, short("disc-cifar10-sym50", 200, 60)),
    "mixup": _above("cross_entropy", 0, {**COMMON, "strategy": "mixup", "epochs": 120}),
    "dynamic_bootstrap": Gate(
        {**COMMON, "epochs": 120, "strategy": "dynamic_bootstrap"},
        "last ≥ 85 % and ≥ that of mixup + 3 points, memorised ≤ 5 %",
        lambda own, others: own["last"] >= max(0.85, others["mixup"]["last"] + 0.03) and own["memorised"] <= 0.05,
        ("mixup",),
    ),
    "co_teaching": _above("cross_entropy", 10, {**COMMON, "strategy": "co_teaching", **ADAM}),
    "co_teaching_plus": _pair({**short("co_teaching_plus-cifar10-sym50", 300, 100), **ADAM}),
    "jocor": _pair({**COMMON, "strategy": "jocor", **ADAM}),
    "sam": _robust({**COMMON, "optimizer": "sam"}),
    "ncr": _robust({**COMMON, "strategy": "ncr"}),
    "gjs": _robust({**COMMON, "loss": "gjs", **GJS_VIEWS}),
    "cross_entropy-asym40": Gate(
        {**COMMON, **ASYMMETRIC}, "last ≤ best − 2 points", lambda own, others: own["last"] <= own["best"] - 0.02
    ),
    "divide_mix-asym40": _asymmetric(short("divide_mix-cifar10-asym40", 300, 36, warm_up=6)),
    "elr_plus-asym40": _asymmetric(short("elr_plus-cifar10-asym40", 200, 90)),
    "sop_plus-asym40": _asymmetric(short("sop_plus-cifar10-asym40", 300, 120)),
    "ssr-asym40": _asymmetric({**short("ssr_plus-cifar10-asym40", 300, 100), "strategy.lambda_fc": 0.0}),
}


def with_what_they_need(names: tuple[str, ...]) -> Iterator[str]:
    """Yield gates, each after those that it is held against, none twice."""
    wanted: dict[str, None] = {}

    def add(name: str) -> None:
        for other in GATES[name].against:
            add(other)
        wanted[name] = None

    for name in names or GATES:
        add(name)
    yield from wanted


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(list(GATES)))
@click.option("--data-dir", type=click.Path(path_type=Path), help="folder of CIFAR-10")
@click.option(
    "--runs-dir", default="gates", show_default=True, help="folder of the runs; what is done is not done again"
)
@click.option("--device", default="cuda", show_default=True)
@click.option("--out", type=click.Path(path_type=Path), help="write the figures there as JSON")
def main(names: tuple[str, ...], data_dir: Path | None, runs_dir: str, device: str, out: Path | None) -> None:
    """Train what is named, or all, and what it is held against, and say which gates are met."""
    import nlcore

    more = {"runs_dir": runs_dir, "device": device, **({"data_dir": str(data_dir)} if data_dir else {})}
    found: dict[str, dict[str, float]] = {}
    for name in with_what_they_need(names):
        result = nlcore.run(quiet=True, cuda_graphs=True, **{**GATES[name].settings, **more})
        found[name] = {
            "last": result.test_accuracy["last"] or 0.0,
            "best": result.test_accuracy["best_oracle"] or 0.0,
            "memorised": result.memorisation.get("memorised") or 0.0,
            "auc": result.metrics[-1]["selection_auc"] or 0.0,
            "seconds": result.seconds or 0.0,
        }
        met = GATES[name].passed(found[name], found)
        shown = ", ".join(f"{key} {value:.4g}" for key, value in found[name].items())
        click.echo(f"{'met    ' if met else 'NOT MET'}  {name}: {GATES[name].text}; {shown}")
        if out:
            out.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).parents[1])
    os.environ["NL_PLUGINS"] = "nlcore"
    main()
