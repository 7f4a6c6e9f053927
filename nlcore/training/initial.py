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
    Published weights have the names of the library that they come from, which the network knows (``own_name``), or of
    another one; then the order and the shapes say which is which, if all agree but the head.
    """

    setting = "init"

    def __init__(self, path: Path, tensors: Mapping[str, Tensor], report: Callable[[str], None]) -> None:
        self.drawn: list[str] = []  # tensors of networks that were started and keep what was drawn
        self._path = path
        self._tensors = tensors
        self._report = report

    @torch.no_grad()
    def start(self, network: nn.Module, name: str) -> None:
        """
        Copy what fits into a network, and say what keeps the weights that were drawn.

        Args:
            network: freshly drawn.
            name: in the weights of a run; where they have no such network, it takes those of the first, all but the
                head: two networks that start alike and see the same batches are one network for ever.

        Raises:
            UserError: nothing fits, or they are not the network's where they must be.

        """
        weights, shared = self._of(name)
        given, own = _but_counters(weights), _but_counters(network.state_dict())
        names, how = _counterparts(network, own, given)
        fitting = {key: found for key, found in names.items() if given[found].shape == own[key].shape}
        twin = [key for key in fitting if shared and key.startswith("head.")]
        fitting = {key: found for key, found in fitting.items() if key not in twin}
        drawn = [key for key in own if key not in fitting]
        left = [key for key in given if key not in names.values()]
        if not fitting:
            raise UserError(
                f"{self.setting} = {self._path}: none of its {len(given)} tensors ({some(list(given))}) fits {name}, "
                f"whose tensors are {some(list(own))}. Choose the architecture that these weights are for."
            )
        unlike = [key for key in drawn if key in names and key not in twin]
        self._check(network, [key for key in drawn if key not in names], unlike, left)
        for key, found in fitting.items():
            own[key].copy_(given[found])
        self.drawn += drawn
        said = f"{name} starts from {len(fitting)} of {len(own)} tensors of {self._path}{how}"
        said += f"; drawn anew: {some(drawn)}" * bool(drawn)
        said += ", so that it differs from network1" * bool(twin)
        self._report(f"{said}{f'; not used: {some(left)}' * bool(left)}")

    def _of(self, name: str) -> tuple[Mapping[str, Tensor], bool]:
        """Return the weights that a network starts from, and whether another one starts from them, too."""
        for prefix in (f"{name}.", "network1."):
            found = {key.removeprefix(prefix): value for key, value in self._tensors.items() if key.startswith(prefix)}
            if found:
                return found, prefix != f"{name}."
        return self._tensors, name != "network1"

    def _check(self, network: nn.Module, lacking: list[str], unlike: list[str], left: list[str]) -> None:
        """Accept whatever fits: any part of a network may start from any part of another."""


def _counterparts(
    network: nn.Module, own: Mapping[str, Tensor], given: Mapping[str, Tensor]
) -> tuple[dict[str, str], str]:
    """Return for each tensor of a network its name among the given ones, and in words how, where not by their names."""
    by_name = {key: key for key in own if key in given}
    own_name: Callable[[str], str | None] = getattr(network, "own_name", str)
    published = {key: found for found in given if (key := own_name(found)) in own and key is not None}
    found = max(by_name, published, key=len)
    in_order = {} if any(not key.startswith("head.") for key in found) else _in_order(own, given)
    return (in_order, ", by their order, as the names are others") if in_order else (found, "")


def _in_order(own: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> dict[str, str]:
    """Pair tensors one by one where as many are given and all have the same shapes but those of the head."""
    pairs = dict(zip(own, given, strict=True)) if len(own) == len(given) else {}
    body = [key for key in pairs if not key.startswith("head.")]
    same = bool(body) and all(own[key].shape == given[pairs[key]].shape for key in body)
    return pairs if same else {}


def read_weights(
    path: Path, report: Callable[[str], None], kind: type[InitialWeights] = InitialWeights
) -> InitialWeights:
    """
    Return the weights in a file.

    Args:
        path: safetensors, or what ``torch.save`` wrote of a state_dict, alone or under ``state_dict`` or ``model``;
            nothing in it is executed.
        report: takes a line of text for the user.
        kind: what they are for.

    Raises:
        UserError: unreadable, no tensors by name, or numbers among them that are not finite.

    """
    from safetensors.torch import load_file

    try:
        content: Any = load_file(path) if path.suffix == ".safetensors" else _torch_file(path)
    except Exception as error:  # of somebody else's file the two readers raise whatever comes
        if isinstance(error, pickle.UnpicklingError) and "global" in str(error).lower():
            raise UserError(
                f"{kind.setting} = {path}: refused: loading it could run code, as it holds more than tensors."
            ) from None
        raise UserError(f"{kind.setting} = {path}: cannot be read as weights: {_why(error)}") from None
    tensors = {str(key): value for key, value in content.items() if isinstance(value, Tensor)}
    if not tensors:
        raise UserError(f"{kind.setting} = {path}: holds no tensors by name.")
    broken = [key for key, value in tensors.items() if not _is_finite(value)]
    if broken:  # nothing would be learnt from them
        raise UserError(
            f"{kind.setting} = {path}: holds NaN or infinite values in {some(broken)}. Fetch it again, or give the "
            "weights of a training that did not diverge."
        )
    return kind(path, tensors, report)


def _torch_file(path: Path) -> Mapping[Any, Any]:
    content = torch.load(path, map_location="cpu", weights_only=True)
    for key in ("state_dict", "model"):
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    if not isinstance(content, Mapping):
        raise _OtherContentError(f"it holds a {type(content).__name__}, not a state_dict.")
    return content


def _is_finite(tensor: Tensor) -> bool:
    if not tensor.is_floating_point() or tensor.layout != torch.strided:
        return True
    return bool(tensor.double().isfinite().all())  # of 8 bits themselves torch does not tell


def _but_counters(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Leave out what counts the batches of batch normalisation: nothing reads it, and older files do not have it."""
    return {key: value for key, value in tensors.items() if not key.endswith("num_batches_tracked")}


def some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _why(error: Exception) -> str:
    """Return in words why a file is not read; most of what the readers say of damaged ones tells a user nothing."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}."
    if isinstance(error, _OtherContentError):
        return str(error)
    return "it is damaged or something else. Give a .safetensors file, or a state_dict as torch saves it."


class _OtherContentError(Exception):
    """A file that holds something else."""
