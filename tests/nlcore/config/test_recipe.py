"""Recipes: how they are written, and what is said of one that is wrong."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from fuzzing import FUZZ, refused_or_read
from hypothesis import given
from hypothesis import strategies as some

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


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_a_recipe_may_be_saved_by_any_editor(encoding: str, tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_bytes('epochs = 3\r\nname = "café"\r\n'.encode(encoding))
    assert read_recipe(tmp_path / "recipe.toml") == {"epochs": 3, "name": "café"}


def test_paths_are_relative_to_the_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever stands elsewhere means the same files; the command line's own paths go by where one stands."""
    (tmp_path / "there").mkdir()
    (tmp_path / "here").mkdir()
    (tmp_path / "there" / "recipe.toml").write_text(
        'data_dir = "data"\nruns_dir = "/runs"\nlabels = "new.csv"\n'
        '[dataset]\nname = "image_folder"\nfolder = "../photos"\nmean = "none"\n'
        '[loss]\nname = "forward_correction"\ntransition = "known"\n'
    )
    monkeypatch.chdir(tmp_path / "here")
    experiment = resolve(read_recipe(Path("../there/recipe.toml")), {"dataset.test_folder": "tests"})
    assert Path(str(experiment["dataset"].params["folder"])).resolve() == tmp_path / "photos"
    assert experiment["dataset"].params["test_folder"] == str(tmp_path / "here" / "tests")
    assert experiment["dataset"].params["mean"] is None
    assert Path(str(experiment["noise"].params["file"])).resolve() == tmp_path / "there" / "new.csv"
    assert experiment["loss"].params["transition"] == "known"
    assert experiment.data_dir.resolve() == tmp_path / "there" / "data"
    assert experiment.storage.runs_dir == "/runs"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("epochs = 3\nlr = = 2\n", "line 2"),
        ("epochs = 3\nepochs = 4\n", "line 2"),
        ("batch_size = 3\nbatch-size = 4\n", "batch_size is given twice, once with - and once with _"),
        ("epoch = 3\n", "Did you mean 'epochs'"),
        ("class-balanced = true\n", 'Did you mean sampling = "balanced"\\?'),
        ("[los]\nname = 'gce'\n", r"no table \[los\]\. Did you mean 'loss'.*\[dataset\], \[noise\]"),
        ("epochs = " + "[" * 10_000 + "\n", "nested too deeply"),
        ("epochs = " + "9" * 10_000 + "\n", "not valid TOML"),
        ("[schedule]\nlr = 3\n", r"no table \[schedule\]"),
        ("[grid]\nloss = ['gce', 'mae']\n", "is for studies: nl sweep FILE"),
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
    with pytest.raises(nlcore.UserError, match="is a folder; a recipe is a file"):
        read_recipe(tmp_path)
    (tmp_path / "latin.toml").write_bytes('name = "café"\n'.encode("latin-1"))
    with pytest.raises(nlcore.UserError, match=r"latin\.toml is not text in UTF-8 or UTF-16\. Save it as UTF-8"):
        read_recipe(tmp_path / "latin.toml")


KEYS = some.one_of(
    some.sampled_from(["epochs", "lr", "name", "threads", "data_dir", "labels", "preset", "loss", "dataset", "epoch"]),
    some.sampled_from(["dataset.folder", "loss.q", "noise.rate", "noise.file", "loss.transition", "los.q"]),
)
VALUES = some.one_of(
    some.sampled_from(
        ["[[[", "{}", "[1, 'a']", "1979-05-27", "nan", "-inf", "1e999", "true", "'gce'", "'csv'", "{q=1}"]
    ),
    some.integers().map(str),
    some.text(max_size=8).map(repr),
)


@pytest.mark.slow
@FUZZ
@given(lines=some.lists(some.tuples(KEYS, VALUES), max_size=4))
def test_any_lines_are_a_recipe_or_are_refused(lines: list[tuple[str, str]], tmp_path: Path) -> None:
    text = "\n".join(f"{key} = {value}" for key, value in lines)
    (tmp_path / "recipe.toml").write_text(text, encoding="utf-8", errors="surrogatepass")
    with refused_or_read(tmp_path):
        experiment = resolve(read_recipe(tmp_path / "recipe.toml"))
        assert resolve(experiment_layer(experiment.config())).config() == experiment.config()


@pytest.mark.slow
@FUZZ
@given(content=some.binary(max_size=40))
def test_any_bytes_are_a_recipe_or_are_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_bytes(content)
    with refused_or_read(tmp_path):
        read_recipe(tmp_path / "recipe.toml")


def experiment_layer(config: dict[str, object]) -> dict[str, object]:
    """Return a complete recipe as a layer of flat names."""
    layer: dict[str, object] = {}
    for key, value in config.items():
        if isinstance(value, dict):
            layer |= {key if part == "name" else f"{key}.{part}": inner for part, inner in value.items()}
        else:
            layer[key] = value
    return layer
