"""``nl run --init``: from the command line, and what is refused."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers import TINY
from safetensors.torch import save_file

import nlcore


@pytest.fixture
def first() -> nlcore.Result:
    """Return a run."""
    return nlcore.run(**TINY, name="first", seed=5)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("nowhere", "no run and no file of weights"),
        ("empty", "has no weights.safetensors"),
        ("x" * 300, "too long"),
        ("text.pt", "cannot be read as weights: it is damaged or something else. Give a .safetensors file"),
        ("text.safetensors", "cannot be read as weights: it is damaged or something else. Give a .safetensors file"),
        ("cut.safetensors", "cannot be read as weights: it is damaged or something else. Give a .safetensors file"),
        ("cut.pt", "cannot be read as weights: it is damaged or something else. Give a .safetensors file"),
        ("list.pt", "it holds a list, not a state_dict"),
        ("numbers.pt", "no tensors by name"),
        ("other.pt", "none of its 1 tensors (somewhere.else) fits network1, whose"),
    ],
)
def test_what_is_no_file_of_weights_is_said_before_anything_is_written(
    given: str, said: str, nl: Any, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    for name in ("text.pt", "text.safetensors"):
        (tmp_path / name).write_text("no weights")
    torch.save([1], tmp_path / "list.pt")
    torch.save({"a": 1}, tmp_path / "numbers.pt")
    torch.save({"somewhere.else": torch.zeros(3)}, tmp_path / "other.pt")
    save_file({"weight": torch.zeros(1000)}, tmp_path / "whole.safetensors")
    for ending, whole in (("pt", "other.pt"), ("safetensors", "whole.safetensors")):
        content = (tmp_path / whole).read_bytes()
        (tmp_path / f"cut.{ending}").write_bytes(content[: len(content) // 2])
    refused = nl("run", "--dataset", "digits", "--init", given)
    assert refused.code == 2
    assert said in refused.err.replace("\n", " ")
    if "network1" not in said:  # what fits a network is known with the network
        before_any_image = nl("run", "--dataset", "image_folder", "--dataset.folder", "gone", "--init", given)
        assert before_any_image.err == refused.err
    assert not (tmp_path / "runs").exists()


@pytest.mark.slow
def test_a_run_goes_on_and_predicts_where_the_weights_have_gone(first: nlcore.Result, nl: Any, tmp_path: Path) -> None:
    shutil.copy(first.run_dir / "weights.safetensors", tmp_path / "one.safetensors")
    run = nlcore.run(**TINY, init="one.safetensors", name="second")
    (tmp_path / "one.safetensors").rename(tmp_path / "moved.safetensors")
    images = nlcore.dataset("digits").test.images
    assert nlcore.load(run.run_dir)(images[:3]).shape == (3, 10)  # type: ignore[index]
    gone = nl("resume", "second", "--epochs", "2")
    assert gone.code == 2
    assert "no file of weights" in gone.err
    assert nl("resume", "second", "--epochs", "2", "--init", "moved.safetensors").code == 0
    other = nl("resume", "second", "--epochs", "3", "--init", "first")  # the same content
    assert other.code == 0


@pytest.mark.slow
def test_a_path_in_a_recipe_is_relative_to_it(first: nlcore.Result, nl: Any, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    shutil.copy(first.run_dir / "weights.safetensors", tmp_path / "sub" / "w.safetensors")
    (tmp_path / "sub" / "recipe.toml").write_text('init = "w.safetensors"\ndataset = "digits"\n')
    plan = nl("run", "sub/recipe.toml", "--architecture.width", "4", "--dry-run", "--threads", "1")
    assert plan.code == 0
    assert f"starting from {tmp_path}/sub/w.safetensors" in plan.out


@pytest.mark.slow
def test_networks_that_start_from_bodies_of_their_own_cannot_be_frozen(nl: Any, tiny: tuple[str, ...]) -> None:
    """Of a run with two networks each takes its own; the features of one would not be those of the other."""
    two = ("--strategy", "co_teaching", "--strategy.forget_rate", "0.2")
    assert nl("run", *tiny, *two, "--name", "two", "--quiet").code == 0
    refused = nl("run", *tiny, *two, "--init", "two", "--freeze", "all", "--name", "frozen")
    assert refused.code == 2
    said = " ".join(refused.err.split())
    assert "freeze: the body of network2 starts from other weights than that of network1" in said
    assert "--init of a run with one network" in said
    assert "--freeze 0" in said
    assert not Path("runs/frozen").exists()
