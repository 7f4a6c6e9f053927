"""Recipes: how they are written, and what is said of one that is wrong."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

import nlcore
from nlcore.config.experiment import resolve
from nlcore.config.recipe import read_recipe


@pytest.fixture
def recipe(tmp_path: Path) -> Callable[[str], Path]:
    """Return a function that writes a recipe."""

    def write(text: str) -> Path:
        path = tmp_path / "recipe.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.mark.parametrize(
    "text",
    [
        'batch_size = 64\nlr_schedule = "cosine"\n[loss]\nname = "elr"\nlam = 2\n[dataset]\nper_class = 10\n',
        'batch-size = 64\nlr-schedule = "cosine"\ndataset = {per-class = 10}\nloss = {name = "elr", lam = 2}\n',
        'batch-size = 64\nlr_schedule = "cosine"\ndataset.per-class = 10\nloss.name = "elr"\nloss.lam = 2.0\n',
    ],
)
def test_recipes_have_hyphens_or_underscores(text: str, recipe: Callable[[str], Path]) -> None:
    layer = read_recipe(recipe(text))
    assert layer == {
        "batch_size": 64,
        "lr_schedule": "cosine",
        "loss": "elr",
        "loss.lam": 2,
        "dataset.per_class": 10,
    }
    assert resolve(layer)["loss"].params == {"beta": 0.7, "lam": 2.0}


def test_a_component_without_parameters_may_be_a_line(recipe: Callable[[str], Path]) -> None:
    assert resolve(read_recipe(recipe('loss = "gce"')))["loss"].name == "gce"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("epochs = 3\nlr = = 2\n", "line 2"),
        ("epochs = 3\nepochs = 4\n", "line 2"),
        ("batch_size = 3\nbatch-size = 4\n", "batch_size is given twice, once with - and once with _"),
        ("epoch = 3\n", "Did you mean 'epochs'"),
        ("[los]\nname = 'gce'\n", r"no table \[los\]\. Did you mean 'loss'.*\[dataset\], \[noise\]"),
        ("[schedule]\nlr = 3\n", r"no table \[schedule\]"),
    ],
)
def test_a_recipe_that_is_wrong_is_named(text: str, said: str, recipe: Callable[[str], Path]) -> None:
    path = recipe(text)
    with pytest.raises(nlcore.UserError) as caught:
        read_recipe(path)
    assert str(path) in str(caught.value)
    assert re.search(said, str(caught.value)), str(caught.value)


def test_a_recipe_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(nlcore.UserError, match=r"There is no recipe .*missing\.toml"):
        read_recipe(tmp_path / "missing.toml")
    with pytest.raises(nlcore.UserError, match="cannot be read"):
        read_recipe(tmp_path)
    (tmp_path / "latin.toml").write_bytes('name = "café"\n'.encode("latin-1"))
    with pytest.raises(nlcore.UserError, match=r"latin\.toml cannot be read"):
        read_recipe(tmp_path / "latin.toml")
