"""
The table of strategies in ``docs/strategies.md``, made from the components themselves.

What a strategy costs is counted: on the conformance suite's tiny problem, with every image that goes through a network
in its last phase, a forward and backward pass counting 1 and a forward pass alone 1/3, over the number of samples. What
it keeps of each image is counted there, too: of its tensors those that have an entry for each sample, or K.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
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
        "| strategy | paper | networks | views | rate | cost | bytes an image | losses | opinions | captured |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    lines += [f"| {' | '.join(_row(entry, losses))} |" for entry in known.of_kind("strategy")]
    cog.outl("\n".join(lines))


def _row(entry: Entry, losses: list[Any]) -> list[str]:
    known = registry()
    cls = known.load(entry)
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
        ", ".join(f"`{name}`" for name, item in known.signature(entry)[1].items() if "auto" in item.keywords),
        f"{cost:.1f}",
        _memory(run),
        "all"
        if len(taken) == len(losses)
        else "cross_entropy"
        if len(taken) == 1
        else f"{len(taken)} of {len(losses)}",
        ", ".join(opinions),
        "yes" if getattr(cls, "capturable", False) else "no",
    ]


_OPINIONS = (("clean_probability", "which are right"), ("suggested_labels", "which label"))


def _memory(run: TinyRun) -> str:
    """Return how many bytes of each image are kept beside networks and losses: ``24 + 8 K``."""
    N, K = run.ctx.num_samples, run.ctx.num_classes
    fixed = of_class = 0
    for tensor in _tensors(vars(run.strategy)):
        if tensor.numel() % (N * K) == 0 and K in tensor.shape:
            of_class += tensor.numel() // (N * K) * tensor.element_size()
        elif N in tensor.shape:
            fixed += tensor.numel() // N * tensor.element_size()
    return " + ".join([str(fixed)] * bool(fixed) + [f"{of_class} K"] * bool(of_class)) or "0"


def _tensors(value: Any) -> Iterator[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, dict | list | tuple):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _tensors(one)


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
