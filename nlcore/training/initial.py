"""Networks that start from given weights: those of a run, or of a file."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from nlcore.errors import UserError


class InitialWeights:
    """
    Tensors by name that networks start from, as far as names and shapes agree.

    Names are those of a state_dict; in the weights of a run they are prefixed by network (``network1.head.weight``).
    """

    def __init__(self, path: Path, tensors: Mapping[str, Tensor], report: Callable[[str], None]) -> None:
        self._path = path
        self._tensors = tensors
        self._report = report

    @torch.no_grad()
    def start(self, network: nn.Module, name: str) -> None:
        """
        Copy what fits into a network, and say what keeps the weights that were drawn.

        Args:
            network: freshly drawn.
            name: in the weights of a run; where they have no such network, those of its first.

        Raises:
            UserError: nothing fits.

        """
        given = self._of(name)
        own = network.state_dict()
        fitting = [key for key, value in own.items() if key in given and given[key].shape == value.shape]
        if not fitting:
            raise UserError(
                f"init = {self._path}: none of its {len(given)} tensors ({_some(list(given))}) fits the network, whose "
                f"tensors are {_some(list(own))}. Choose the architecture that these weights are for."
            )
        for key in fitting:
            own[key].copy_(given[key])
        drawn = [key for key in own if key not in fitting]
        left = [key for key in given if key not in own and not key.endswith("num_batches_tracked")]
        said = f"{name} starts from {len(fitting)} of {len(own)} tensors of {self._path}"
        said += f"; drawn anew: {_some(drawn)}" * bool(drawn)
        self._report(f"{said}{f'; not used: {_some(left)}' * bool(left)}")

    def _of(self, name: str) -> Mapping[str, Tensor]:
        for prefix in (f"{name}.", "network1."):
            found = {key.removeprefix(prefix): value for key, value in self._tensors.items() if key.startswith(prefix)}
            if found:
                return found
        return self._tensors


def read_weights(path: Path, report: Callable[[str], None]) -> InitialWeights:
    """
    Return the weights in a file.

    Args:
        path: safetensors, or what ``torch.save`` wrote of a state_dict, alone or under ``state_dict`` or ``model``;
            nothing in it is executed.
        report: takes a line of text for the user.

    Raises:
        UserError: unreadable, or no tensors by name.

    """
    from safetensors.torch import load_file

    try:
        content: Any = load_file(path) if path.suffix == ".safetensors" else _torch_file(path)
    except Exception as error:  # of somebody else's file the two readers raise whatever comes
        if isinstance(error, pickle.UnpicklingError) and "global" in str(error).lower():
            raise UserError(
                f"init = {path}: refused: loading it could run code, as it holds more than tensors."
            ) from None
        raise UserError(f"init = {path}: cannot be read as weights: {_first_line(error)}") from None
    tensors = {str(key): value for key, value in content.items() if isinstance(value, Tensor)}
    if not tensors:
        raise UserError(f"init = {path}: holds no tensors by name.")
    return InitialWeights(path, tensors, report)


def _torch_file(path: Path) -> Mapping[Any, Any]:
    content = torch.load(path, map_location="cpu", weights_only=True)
    for key in ("state_dict", "model"):
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    if not isinstance(content, Mapping):
        raise ValueError(f"it is a {type(content).__name__}, not a state_dict")
    return content


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:200]
