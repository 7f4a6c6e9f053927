"""
The formats of an exported model: how each is written from a graph, and read back to compute with.

A description of the model lies in each: in ONNX as the model's metadata, in files of torch as an extra file of JSON.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.export import ExportedProgram

from nlcore.errors import UserError

Images: TypeAlias = NDArray[np.uint8]
Probabilities: TypeAlias = NDArray[np.float32]

#: What the files of each format are called.
SUFFIXES = {"onnx": ".onnx", "torch_export": ".pt2", "torchscript": ".pt"}

#: The description within a file of torch.
ENTRY = "nlcore.json"


def check_installed(to: str) -> None:
    """
    Check that the packages which a format is written with are there.

    Raises:
        UserError: one is missing.

    """
    needed = ("onnx", "onnxscript") if to == "onnx" else ()
    missing = [name for name in needed if importlib.util.find_spec(name) is None]
    if missing:
        raise UserError(f"ONNX needs {' and '.join(missing)}: pip install 'nlcore[onnx]'")


def check_ending(to: str, path: Path) -> None:
    """
    Check that a file is not named as those of another format are.

    Raises:
        UserError: it is.

    """
    other = next((name for name, suffix in SUFFIXES.items() if suffix == path.suffix.lower() and name != to), None)
    if other is not None:
        raise UserError(
            f"{path.name} is the name of a file for {other}, and --to is {to}: call it {path.stem}{SUFFIXES[to]}, or "
            f"give --to {other}."
        )


def _write_onnx(program: ExportedProgram, whole: nn.Module, images: Tensor, described: str, path: Path) -> None:
    written = torch.onnx.export(
        program, dynamo=True, verbose=False, input_names=["images"], output_names=["probabilities"]
    )
    assert written is not None
    about = json.loads(described)
    for name, value in {**about, "nlcore": about["versions"]["nlcore"]}.items():
        written.model.metadata_props[name] = value if isinstance(value, str) else json.dumps(value)
    written.save(str(path), external_data=False)


def _write_program(program: ExportedProgram, whole: nn.Module, images: Tensor, described: str, path: Path) -> None:
    torch.export.save(program, path, extra_files={ENTRY: described})


def _write_script(program: ExportedProgram, whole: nn.Module, images: Tensor, described: str, path: Path) -> None:
    traced: Any = torch.jit.trace(  # type: ignore[no-untyped-call]
        whole, (images,), check_trace=False
    )  # no branch is lost: there is a graph
    torch.jit.save(traced, str(path), _extra_files={ENTRY: described})


def _read_onnx(path: Path) -> tuple[Callable[[Images], Probabilities], str]:
    if importlib.util.find_spec("onnxruntime") is None:
        from onnx.reference import ReferenceEvaluator

        reference = ReferenceEvaluator(str(path))
        return lambda images: np.asarray(reference.run(None, {"images": images})[0]), "onnx's reference evaluator"
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what fails is raised
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return lambda images: np.asarray(session.run(None, {"images": images})[0]), "onnxruntime"


def _read_program(path: Path) -> tuple[Callable[[Images], Probabilities], str]:
    program = torch.export.load(path).module()
    return lambda images: _as_array(program(torch.from_numpy(images))), "torch.export"


def _read_script(path: Path) -> tuple[Callable[[Images], Probabilities], str]:
    script = torch.jit.load(str(path))  # type: ignore[no-untyped-call]
    return lambda images: _as_array(script(torch.from_numpy(images))), "torch.jit"


def _as_array(found: Tensor) -> Probabilities:
    array: Probabilities = found.numpy()
    return array


WRITERS = {"onnx": _write_onnx, "torch_export": _write_program, "torchscript": _write_script}
READERS = {"onnx": _read_onnx, "torch_export": _read_program, "torchscript": _read_script}
