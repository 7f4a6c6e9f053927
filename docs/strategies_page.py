"""
The table of strategies in ``docs/strategies.md``, made from the components themselves.

What a strategy costs is counted: on the conformance suite's tiny problem, with every image that goes through a network
in its last phase, a forward and backward pass counting 1 and a forward pass alone 1/3, over the number of samples.
"""

from __future__ import annotations

import os
from typing import Any

import cog
import torch

from nlcore.config.experiment import refusal
from nlcore.host.registry import Entry, registry
from nlcore.testing.tiny_run import TinyRun

EPOCHS = 4


def table() -> None:
    """Write a row for each built-in strategy."""
    os.environ["NL_PLUGINS"] = "nlcore"
    torch.set_num_threads(1)
    known = registry()
    losses = [known.create("loss", entry.name) for entry in known.of_kind("loss")]
    lines = [
        "| strategy | paper | networks | views | cost | losses | opinions | captured |",
        "|---|---|---|---|---|---|---|---|",
    ]
    lines += [f"| {' | '.join(_row(entry, losses))} |" for entry in known.of_kind("strategy")]
    cog.outl("\n".join(lines))


def _row(entry: Entry, losses: list[Any]) -> list[str]:
    cls = registry().load(entry)
    params = next(iter(getattr(cls, "checked_with", ({},))))
    taken = [loss for loss in losses if not refusal(loss, cls(**params))]
    run = TinyRun(cls(**params), EPOCHS)
    networks = len(run.ctx.networks)
    cost, views = _cost(run)
    opinions = [word for name, word in _OPINIONS if hasattr(cls, name)]
    return [
        f"`{entry.name}`",
        f"[paper]({paper})" if (paper := entry.component.paper).startswith("http") else paper,
        str(networks) + (f" and {len(run.ctx.teachers)} averages" if run.ctx.teachers else ""),
        ", ".join(views),
        f"{cost:.1f}",
        "all"
        if len(taken) == len(losses)
        else "cross_entropy"
        if len(taken) == 1
        else f"{len(taken)} of {len(losses)}",
        ", ".join(opinions),
        "yes" if getattr(cls, "capturable", False) else "no",
    ]


_OPINIONS = (("clean_probability", "which are right"), ("suggested_labels", "which label"))


def _cost(run: TinyRun) -> tuple[float, list[str]]:
    """Return what the last of some epochs costs, in epochs of cross-entropy, and the names of its views."""
    passes: list[float] = []

    def count(module: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        passes.append(len(inputs[0]) * (1.0 if torch.is_grad_enabled() else 1 / 3))

    for network in [*run.ctx.networks.values(), *run.ctx.teachers.values()]:
        network.module.conv.register_forward_pre_hook(count)  # type: ignore[union-attr,operator]
    for epoch in range(1, EPOCHS + 1):
        passes.clear()
        run.train_epoch(epoch)
    total = sum(passes)
    strategy: Any = run.strategy
    asked = list(strategy.passes(EPOCHS)) if hasattr(strategy, "passes") else []
    names = [name for one in asked for each in (one, one.paired) if each for name in each.view_names]
    return total / run.ctx.num_samples, sorted(set(names)) or ["weak"]
