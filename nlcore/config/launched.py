"""What a launcher that has started several processes of one command says of them."""

from __future__ import annotations

import os
from collections.abc import Sequence

from nlcore.config.recipe import Overrides
from nlcore.errors import UserError

_NAMES = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")


def launched() -> dict[str, int]:
    """Return as settings what ``torchrun`` has started; empty where it did not start this process."""
    values = [os.environ.get(name, "") for name in _NAMES]
    if not all(value.isdigit() for value in values):
        return {}
    _, count, _, here = map(int, values)
    return {"devices": here, "num_nodes": count // here} if count > 1 else {}


def with_launched(layers: Sequence[Overrides]) -> list[Overrides]:
    """
    Return layers of settings with what a launcher has started on top.

    Raises:
        UserError: they ask for something else.

    """
    found = launched()
    for layer in layers:
        for name, value in found.items():
            if str(layer.get(name, value)) != str(value):
                raise UserError(
                    f"{name} = {layer[name]}: torchrun has started {found['devices']} processes on each of "
                    f"{found['num_nodes']} machines. Leave {name} out."
                )
    return [*layers, *([found] if found else [])]


def refuse_launched(command: str) -> None:
    """
    Raise where several processes of a command have been started that does its own work once.

    Raises:
        UserError: a launcher has started this process.

    """
    if launched():
        raise UserError(
            f"torchrun has started several of {command}. Start it once; --devices goes to each of its runs."
        )


def on_several_machines(layers: Sequence[Overrides]) -> bool:
    """Tell whether others wait for this process to say what they are to do."""
    nodes = [layer["num_nodes"] for layer in layers if "num_nodes" in layer]
    return bool(launched()) or bool(nodes and str(nodes[-1]) != "1")
