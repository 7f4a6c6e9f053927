"""A model as one file: what it predicts elsewhere, what it says of itself, and what cannot be exported."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import toy
from helpers import install_plugin, plugin_source
from numpy.typing import NDArray

import nlcore
from nlcore.runs.export import Exported, FromPixels, export_model
from nlcore.runs.export_formats import ENTRY, SUFFIXES, check_ending, check_installed

PLUGIN = plugin_source(
    nl_architectures={
        "branching": "test_export_networks:Branching",
        "sure": "test_export_networks:Sure",
        "flat": "helpers:LinearArchitecture",
        "unlike": "test_export_networks:Unlike",
    }
)

#: Networks of which one asks for a value, one draws anew each time, and one is sure of whatever has some contrast.
NETWORKS = """
from dataclasses import dataclass
import torch
from helpers import Net

class BranchingNet(Net):
    def forward(self, x):
        if x.mean() > 0:
            x = -x
        return super().forward(x)

class UnlikeNet(Net):
    def forward(self, x):
        return super().forward(x + torch.randn_like(x))

class SureNet(Net):
    def forward(self, x):
        first = 300 * (x.flatten(1).std(1, keepdim=True) - 0.1)
        return super().forward(x) * 1e-3 + torch.nn.functional.pad(first, (0, self.head.out_features - 1))

@dataclass(frozen=True)
class Sure:
    def build(self, num_classes, image_shape):
        return SureNet(num_classes, image_shape[0], 8, 0.1)

@dataclass(frozen=True)
class Branching:
    def build(self, num_classes, image_shape):
        return BranchingNet(num_classes, image_shape[0], 8, 0.1)

@dataclass(frozen=True)
class Unlike:
    def build(self, num_classes, image_shape):
        return UnlikeNet(num_classes, image_shape[0], 8, 0.1)
"""

Images = NDArray[np.uint8]
Trained = Callable[..., Path]


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Trained:
    """Return a function that trains a tiny network and returns its run."""
    toy.install(monkeypatch, tmp_path)
    (tmp_path / "site-packages" / "test_export_networks.py").write_text(NETWORKS)
    install_plugin(monkeypatch, tmp_path, "networks-plugin", PLUGIN)

    def train(**settings: Any) -> Path:
        result = nlcore.run(**{**toy.SETTINGS, "epochs": 1, "quiet": True, "runs_dir": tmp_path / "runs", **settings})
        return result.run_dir

    return train


def exported(run: Path, to: str) -> Exported:
    """Export a run into the working directory."""
    return export_model(nlcore.load(run), run, to, Path(f"model{SUFFIXES[to]}"))


def random_images(count: int, height: int = 8, width: int = 8) -> Images:
    return np.random.default_rng(7).integers(0, 256, (count, height, width, 1), np.uint8)


def read_program(path: Path) -> tuple[Callable[[Images], Any], dict[str, Any]]:
    inside = {ENTRY: ""}
    program = torch.export.load(path, extra_files=inside).module()
    return lambda images: program(torch.from_numpy(images)).detach().numpy(), json.loads(inside[ENTRY])


def read_script(path: Path) -> tuple[Callable[[Images], Any], dict[str, Any]]:
    inside = {ENTRY: ""}
    script = torch.jit.load(str(path), _extra_files=inside)  # type: ignore[no-untyped-call]
    return lambda images: script(torch.from_numpy(images)).detach().numpy(), json.loads(inside[ENTRY])


def read_onnx(path: Path) -> tuple[Callable[[Images], Any], dict[str, Any]]:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    about = session.get_modelmeta().custom_metadata_map
    for name in ("classes", "height", "width", "channels", "any_size", "mean", "std", "versions"):
        about[name] = json.loads(about[name])
    return lambda images: session.run(None, {"images": images})[0], about


READERS = {"torch_export": read_program, "torchscript": read_script, "onnx": read_onnx}


def needs(to: str) -> None:
    if to == "onnx":
        for package in ("onnx", "onnxscript", "onnxruntime"):
            pytest.importorskip(package, reason="pip install 'nlcore[onnx]' onnxruntime")


@pytest.mark.slow
@pytest.mark.parametrize("to", READERS)
@pytest.mark.parametrize("settings", [{}, {"strategy": "divide_mix", "strategy.warm_up": 1}], ids=["one", "two"])
def test_a_file_predicts_as_the_model_does(to: str, settings: dict[str, Any], trained: Trained) -> None:
    """Any number of images, of the model's size and of others, by one network or by two."""
    needs(to)
    run = trained(**settings)
    model, found = nlcore.load(run), exported(run, to)
    assert len(model.networks) == (2 if settings else 1)
    assert found.any_size == (to != "onnx")  # where adaptive pooling is written for one size
    assert found.difference <= 1e-4
    compute, about = READERS[to](found.path)
    for images in (random_images(1), random_images(5), *([random_images(3, 13, 9)] if found.any_size else [])):
        predicted = compute(images)
        assert predicted.dtype == np.float32
        np.testing.assert_allclose(predicted, model.predict(images), atol=1e-4)
    assert about["classes"] == ["class0", "class1", "class2", "class3"]
    assert (about["height"], about["width"], about["channels"], about["colours"]) == (8, 8, 1, "grey")
    assert (about["resize"], about["background"], about["any_size"]) == ("squash", "white", found.any_size)
    assert (about["mean"], about["std"]) == ([0.4], [0.25])
    assert about["versions"]["nlcore"] == nlcore.__version__


@pytest.mark.slow
def test_without_onnxruntime_the_file_is_compared_by_onnx(trained: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    needs("onnx")
    found = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "onnxruntime" else found(name))
    done = exported(trained(), "onnx")
    assert done.checked_with == "onnx's reference evaluator"
    assert done.difference <= 1e-4


@pytest.mark.slow
def test_a_layer_on_pixels_takes_no_other_size(trained: Trained) -> None:
    run = trained(architecture="flat")
    found = exported(run, "torch_export")
    assert not found.any_size
    compute, about = read_program(found.path)
    assert not about["any_size"]
    images = random_images(4)
    np.testing.assert_allclose(compute(images), nlcore.load(run).predict(images), atol=1e-6)
    with pytest.raises((RuntimeError, AssertionError)):
        compute(random_images(4, 16, 4))  # as many pixels, otherwise arranged


@pytest.mark.slow
@pytest.mark.parametrize("to", READERS)
def test_a_network_that_decides_in_python_is_refused_with_its_line(to: str, trained: Trained) -> None:
    needs(to)
    run = trained(architecture="branching")
    with pytest.raises(nlcore.UserError, match="cannot be exported") as caught:
        exported(run, to)
    assert "test_export_networks.py, line 8: if x.mean() > 0:" in str(caught.value)
    assert "torch.where" in str(caught.value)
    assert not list(Path().glob("*model*"))


@pytest.mark.slow
def test_a_file_that_predicts_something_else_is_not_kept(trained: Trained) -> None:
    run = trained(architecture="unlike")
    Path("model.pt2").write_bytes(b"an older one")
    with pytest.raises(nlcore.RunError, match="differ by up to"):
        exported(run, "torch_export")
    assert [path.name for path in Path().glob("*model*")] == ["model.pt2"]
    assert Path("model.pt2").read_bytes() == b"an older one"


@pytest.mark.slow
def test_another_normalisation_is_seen_where_a_network_is_sure_of_noise(
    trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = trained(architecture="sure")
    assert nlcore.load(run).predict(random_images(5))[:, 0].min() == 1
    make = FromPixels.__init__

    def halved(self: FromPixels, *given: Any) -> None:
        make(self, *given)
        self.scale.mul_(0.5)

    assert exported(run, "torch_export").difference < 1e-4
    Path("model.pt2").unlink()
    monkeypatch.setattr(FromPixels, "__init__", halved)
    with pytest.raises(nlcore.RunError, match="differ by up to"):
        exported(run, "torch_export")
    assert not Path("model.pt2").exists()


@pytest.mark.slow
@pytest.mark.parametrize("to", ["torch_export", "torchscript"])
def test_a_file_of_torch_asks_for_no_gradients(to: str, trained: Trained) -> None:
    run = trained()
    model = nlcore.load(run)
    asking = [tensor.requires_grad for network in model.networks.values() for tensor in network.parameters()]
    images = torch.from_numpy(random_images(2))
    path = export_model(model, run, to, Path(f"model{SUFFIXES[to]}")).path
    read: Any = torch.export.load(path).module() if to == "torch_export" else torch.jit.load(str(path))  # type: ignore[no-untyped-call]
    assert read(images).numpy().shape == (2, len(model.classes))
    assert asking == [tensor.requires_grad for network in model.networks.values() for tensor in network.parameters()]


@pytest.mark.parametrize(("to", "name"), [("torchscript", "a.onnx"), ("onnx", "a.pt2"), ("torch_export", "a.PT")])
def test_a_name_that_is_another_format_s_is_refused(to: str, name: str, tmp_path: Path) -> None:
    with pytest.raises(nlcore.UserError, match=rf"call it a\{SUFFIXES[to]}, or give --to"):
        check_ending(to, tmp_path / name)
    check_ending(to, tmp_path / "a.model")


def test_what_is_missing_for_onnx_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(nlcore.UserError, match=r"pip install 'nlcore\[onnx\]'"):
        check_installed("onnx")
    check_installed("torchscript")
