"""Networks that start from the weights of a run, or of a file: ``--init``."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision
from fuzzing import FUZZ, refused_or_read
from helpers import TINY
from hypothesis import given
from hypothesis import strategies as st
from made_weights import published_tensors, torchvision_net
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

import nlcore
from nlcore.config.experiment import resolve
from nlcore.runs.terminal import Terminal
from nlcore.testing.same import equal
from nlcore.training.build import build, load_data
from nlcore.training.initial import InitialWeights, read_weights
from nlcore.training.pretrained import PretrainedWeights


def started(**changes: Any) -> tuple[dict[str, dict[str, Tensor]], list[str]]:
    """Return the networks' tensors before the first step of a run, and what was said."""
    said: list[str] = []
    experiment = resolve({**TINY, **changes})
    trainer = build(experiment, load_data(experiment, Terminal(quiet=True).line), report=said.append)
    return {name: dict(one.state_dict()) for name, one in trainer.ctx.networks.items()}, said


def network_of(file: Path, name: str = "network1") -> dict[str, Tensor]:
    return {key.removeprefix(f"{name}."): value for key, value in load_file(file).items() if key.startswith(name)}


@pytest.fixture
def first() -> nlcore.Result:
    """Return a run."""
    return nlcore.run(**TINY, name="first", seed=5)


@pytest.mark.slow
@pytest.mark.parametrize("given", ["first", "runs/first", "runs/first/weights.safetensors", Path("runs/first")])
def test_a_run_starts_from_another_by_name_folder_or_file(first: nlcore.Result, given: Any) -> None:
    networks, said = started(init=given)
    assert equal(networks["network1"], network_of(first.run_dir / "weights.safetensors"))
    count, file = len(networks["network1"]), first.run_dir.absolute() / "weights.safetensors"
    assert said == [f"network1 starts from {count} of {count} tensors of {file}"]


@pytest.mark.slow
def test_each_network_takes_its_own_of_a_run_and_all_but_the_head_where_there_is_but_one(first: nlcore.Result) -> None:
    networks, said = started(init="first", strategy="co_teaching")
    drawn, _ = started(strategy="co_teaching")
    weights = network_of(first.run_dir / "weights.safetensors")
    assert equal(networks["network1"], weights)
    for key, value in networks["network2"].items():
        assert equal(value, (drawn["network2"] if key.startswith("head.") else weights)[key])
    assert said[1].endswith("drawn anew: head.weight, head.bias, so that it differs from network1")
    two = nlcore.run(**TINY, name="two", strategy="co_teaching")
    networks, _ = started(init="two", strategy="co_teaching")
    for name in ("network1", "network2"):
        assert equal(networks[name], network_of(two.run_dir / "weights.safetensors", name))


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["co_teaching", "jocor", "co_teaching_plus", "decoupling"])
@pytest.mark.parametrize("published", [False, True])
def test_two_networks_from_one_do_not_stay_the_same(
    first: nlcore.Result, strategy: str, published: bool, tmp_path: Path
) -> None:
    file = first.run_dir / "weights.safetensors"
    if published:  # a file of one network, by its own names
        save_file(network_of(file), tmp_path / "weights.safetensors")
        file = tmp_path / "weights.safetensors"
    pair = load_file(nlcore.run(**TINY, init=file, strategy=strategy).run_dir / "weights.safetensors")
    for key, value in pair.items():
        if key.startswith("network1.") and key.endswith("weight"):
            assert not torch.equal(value, pair[key.replace("network1.", "network2.")]), key


@pytest.mark.slow
def test_what_does_not_fit_is_drawn_as_without_and_said(first: nlcore.Result, tmp_path: Path) -> None:
    weights = network_of(first.run_dir / "weights.safetensors")
    head = [key for key in weights if key.startswith("head")]
    weights["head.weight"], weights["extra"] = torch.zeros(7, 3), torch.zeros(1)
    save_file(weights, tmp_path / "other.safetensors")
    networks, said = started(init="other.safetensors")
    drawn, _ = started()
    for key, value in networks["network1"].items():
        assert equal(value, drawn["network1"][key] if key == "head.weight" else weights[key])
    count = len(networks["network1"])
    assert "head.weight" in head
    taken = f"network1 starts from {count - 1} of {count} tensors of {tmp_path}/other.safetensors"
    assert said == [f"{taken}; drawn anew: head.weight; not used: extra"]


@pytest.mark.slow
@pytest.mark.parametrize("wrapped", [None, "state_dict", "model"])
def test_a_file_of_torch_is_read(first: nlcore.Result, tmp_path: Path, wrapped: str | None) -> None:
    weights = network_of(first.run_dir / "weights.safetensors")
    torch.save({wrapped: weights, "epoch": 3} if wrapped else weights, tmp_path / "weights.pth")
    networks, _ = started(init="weights.pth")
    assert equal(networks["network1"], weights)


class Evil:
    """Runs code when it is unpickled."""

    def __reduce__(self) -> Any:
        """Make a folder."""
        return os.mkdir, ("executed",)


def test_a_file_that_could_run_code_is_refused(tmp_path: Path) -> None:
    torch.save({"weight": Evil()}, tmp_path / "evil.pt")
    with pytest.raises(nlcore.UserError, match="could run code"):
        nlcore.run(**TINY, init="evil.pt")
    assert not (tmp_path / "executed").exists()


def test_a_published_file_gives_all_but_the_head(tmp_path: Path) -> None:
    """The features are those of the library's own model with the same tensors."""
    given = published_tensors("shufflenet_v2_x0_5")
    torch.save(given, tmp_path / "weights.pth")
    said: list[str] = []
    network = torchvision_net("shufflenet_v2_x0_5")
    read_weights(tmp_path / "weights.pth", said.append).start(network, "network1")
    count = sum("num_batches_tracked" not in key for key in given)
    start = f"network1 starts from {count - 2} of {count} tensors of {tmp_path}/weights.pth"
    assert said == [f"{start}; drawn anew: head.weight, head.bias"]
    assert not network.head.weight.any()
    theirs = torchvision.models.get_model("shufflenet_v2_x0_5", weights=None)
    theirs.load_state_dict(given)
    theirs.fc = nn.Identity()
    x = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(network.eval().features(x), theirs.eval()(x))


def test_a_head_for_as_many_classes_is_taken() -> None:
    network = torchvision_net("shufflenet_v2_x0_5")
    given = published_tensors("shufflenet_v2_x0_5", classes=5)
    InitialWeights(Path("weights"), given, print).start(network, "network1")
    assert torch.equal(network.head.weight, given["fc.weight"])


def test_names_of_yet_another_library_are_paired_by_their_order() -> None:
    given = published_tensors("shufflenet_v2_x0_5")
    others = {f"{number}.{key.rpartition('.')[2]}": value for number, (key, value) in enumerate(given.items())}
    said: list[str] = []
    one, two = torchvision_net("shufflenet_v2_x0_5"), torchvision_net("shufflenet_v2_x0_5")
    InitialWeights(Path("weights"), others, said.append).start(one, "network1")
    InitialWeights(Path("weights"), given, print).start(two, "network1")
    assert equal(one.state_dict(), two.state_dict())
    assert "of weights, by their order, as the names are others; drawn anew: head.weight, head.bias" in said[0]
    alike = {key.replace(f"{len(others) - 2}.", "head."): value for key, value in others.items()}
    InitialWeights(Path("weights"), alike, said.append).start(one, "network1")  # the head's name alone agrees
    assert "by their order" in said[-1]
    shuffled = dict(sorted(others.items(), key=lambda pair: tuple(pair[1].shape)))  # other shapes in a row
    with pytest.raises(nlcore.UserError, match=r"init = weights: none of its .* fits network1, whose"):
        InitialWeights(Path("weights"), shuffled, print).start(one, "network1")


@pytest.mark.parametrize("ending", ["pth", "safetensors"])
@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
def test_a_file_that_was_cut_off_is_refused(ending: str, share: float, tmp_path: Path) -> None:
    file = tmp_path / f"weights.{ending}"
    tensors = {"head.weight": torch.zeros(100, 30)}
    save_file(tensors, file) if ending == "safetensors" else torch.save(tensors, file)
    file.write_bytes(file.read_bytes()[: int(share * file.stat().st_size)])
    with pytest.raises(nlcore.UserError, match=rf"init = .*weights\.{ending}: cannot be read as weights"):
        read_weights(file, print)


@pytest.mark.parametrize("ending", ["pth", "safetensors"])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.float64, torch.float8_e5m2])
def test_weights_that_are_not_finite_are_refused(dtype: torch.dtype, value: float, ending: str, tmp_path: Path) -> None:
    file = tmp_path / f"weights.{ending}"
    tensors = {"head.weight": torch.zeros(2, 3), "layers.0.weight": torch.tensor([1.0, value]).to(dtype)}
    save_file(tensors, file) if ending == "safetensors" else torch.save(tensors, file)
    for kind, setting in ((InitialWeights, "init"), (PretrainedWeights, r"architecture\.pretrained")):
        with pytest.raises(
            nlcore.UserError, match=rf"{setting} = .*: holds NaN or infinite values in layers\.0\.weight\."
        ):
            read_weights(file, print, kind)


@pytest.mark.parametrize("dtype", [torch.float8_e4m3fn, torch.float16, torch.float64, torch.int64])
def test_finite_weights_of_any_type_are_read(dtype: torch.dtype, tmp_path: Path) -> None:
    save_file({"head.weight": torch.full((2, 3), 64).to(dtype)}, tmp_path / "weights.safetensors")
    read_weights(tmp_path / "weights.safetensors", print)


@FUZZ
@given(content=st.binary(max_size=200), ending=st.sampled_from([".pt", ".pth", ".safetensors", ""]))
def test_whatever_is_in_a_file_it_is_read_or_refused(content: bytes, ending: str, tmp_path: Path) -> None:
    file = tmp_path / f"fuzzed{ending}"
    file.write_bytes(content)
    with refused_or_read(tmp_path):
        read_weights(file, print)


@pytest.mark.slow
def test_a_run_is_known_by_the_content_of_the_weights(first: nlcore.Result, tmp_path: Path) -> None:
    shutil.copy(first.run_dir / "weights.safetensors", tmp_path / "one.safetensors")
    shutil.copy(first.run_dir / "weights.safetensors", tmp_path / "two.safetensors")
    one, two = (nlcore.run(**TINY, init=f"{name}.safetensors") for name in ("one", "two"))
    assert one.run_dir == two.run_dir
    stored = json.loads((one.run_dir / "environment.json").read_text())
    assert "init" in stored["fingerprint"]["files_sha256"]
    assert any("starts from" in note for note in stored["notes"])
    save_file({"head.weight": torch.zeros(10, 32)}, tmp_path / "two.safetensors")
    assert nlcore.run(**TINY, init="two.safetensors").run_dir != one.run_dir


@pytest.mark.slow
def test_parts_drawn_anew_are_drawn_not_started_again(first: nlcore.Result) -> None:
    experiment = resolve({**TINY, "init": "first"})
    ctx = build(experiment, load_data(experiment, print)).ctx
    network = ctx.networks["network1"]
    before = network.head.weight.detach().clone()  # type: ignore[union-attr,operator]
    ctx.reset(network, network.head)  # type: ignore[arg-type]
    assert not torch.equal(network.head.weight, before)  # type: ignore[union-attr,arg-type]
    assert isinstance(ctx.network(spare=True), nn.Module)
