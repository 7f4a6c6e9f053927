"""Presets that are a paper's setting: the published figure is listed, kept with the run and shown beside its own."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from helpers import install_plugin

import nlcore
from nlcore.config.published import Published, published

NAMES = ("ce-digits-sym50", "wrong-digits-sym50", "plain")
HOOKS = f"""
from nlcore import Component, hookimpl

NLCORE_API = 1

@hookimpl
def nl_presets():
    return [Component(name, f"papers:{{name}}.toml", "A setting.") for name in {NAMES!r}]
"""
RECIPE = 'dataset = "digits"\nepochs = 2\nthreads = "1"\ndevice = "cpu"\n[architecture]\nname = "resnet18"\nwidth = 4\n'
CITED = """
[published]
last = 0.579
best = 0.794
epochs = 200
network = "PreAct ResNet-18"
source = "A 2020, table 1"
"""


@pytest.fixture(autouse=True)
def papers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Install a plugin with presets, and return the folder of their files."""
    install_plugin(monkeypatch, tmp_path, "papers-plugin", HOOKS)
    monkeypatch.delitem(sys.modules, "papers", raising=False)  # of the test before
    package = tmp_path / "site-packages" / "papers"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "ce-digits-sym50.toml").write_text(RECIPE + CITED)
    (package / "wrong-digits-sym50.toml").write_text(RECIPE + CITED)
    (package / "plain.toml").write_text(RECIPE)
    return package


def test_the_figure_is_read() -> None:
    assert published("ce-digits-sym50") == Published("PreAct ResNet-18", 200, "A 2020, table 1", last=0.579, best=0.794)
    assert published("plain") is None


def test_presets_are_listed_by_pattern_with_their_figures(nl: Any) -> None:
    listed = nl("presets", "ce-digits*")
    assert listed.out.splitlines()[1].split("  ")[:2] == ["ce-digits-sym50", "57.90% (best 79.40%)"]
    assert len(listed.out.splitlines()) == 2
    wide = nl("presets", "ce-digits*", "--wide").out
    assert "PreAct ResNet-18" in wide
    assert "A 2020, table 1" in wide
    (row,) = nl("presets", "ce-digits*", "--json").json
    assert row["published"]["last"] == 0.579
    assert row["published"]["from_memory"] is False
    refused = nl("presets", "nothing*")
    assert refused.code == 2
    assert "There is no preset like 'nothing*'" in refused.err


def test_a_printed_preset_is_a_recipe_with_its_figure_left_alone(nl: Any) -> None:
    Path("mine.toml").write_text(nl("presets", "ce-digits-sym50").out)
    assert nl("run", "mine.toml", "--dry-run").code == 0


@pytest.mark.slow
def test_a_run_is_shown_beside_the_figure(nl: Any) -> None:
    done = nl("run", "--preset", "ce-digits-sym50", "--seed", "2", "--name", "mine")
    assert done.code == 0
    assert "ce-digits-sym50, published 57.90% (best 79.40%) (A 2020, table 1)\n" in done.err
    result = nlcore.Result.read(Path("runs/mine"))
    assert result.preset == {"name": "ce-digits-sym50", "unlike": []}
    last = result.test_accuracy["last"]
    assert last is not None
    table = nl("table").out
    assert "57.90%" in table
    assert f"{100 * (last - 0.579):+.2f}" in table
    assert "not as published" not in table


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "unlike"),
    [
        (("--epochs", "1"), ["epochs"]),
        (("--epochs", "2", "--threads", "1", "--runs-dir", "runs"), []),
        (("--scale", "0.5"), ["scale"]),
        (("--loss", "gce", "--lr", "0.05"), ["loss", "optimizer.lr"]),
    ],
)
def test_what_is_unlike_the_paper_is_said(nl: Any, words: tuple[str, ...], unlike: list[str]) -> None:
    assert nl("run", "--preset", "ce-digits-sym50", *words, "--name", "mine").code == 0
    assert sorted(nlcore.Result.read(Path("runs/mine")).preset["unlike"]) == sorted(unlike)
    assert ("not as published" in nl("table").out) == bool(unlike)


@pytest.mark.slow
def test_a_run_that_goes_on_is_still_the_preset_s(nl: Any) -> None:
    nl("run", "--preset", "ce-digits-sym50", "--name", "mine")
    assert nl("resume", "mine", "--epochs", "3").code == 0
    assert nlcore.Result.read(Path("runs/mine")).preset["name"] == "ce-digits-sym50"


@pytest.mark.slow
def test_a_preset_that_is_gone_hides_no_run(nl: Any, papers: Path) -> None:
    nl("run", "--preset", "ce-digits-sym50", "--name", "mine")
    (papers / "ce-digits-sym50.toml").unlink()
    assert nl("table").code == 0


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("published = 3\n" + RECIPE, "must be a table"),
        (RECIPE + '[published]\nlast = 94.4\nepochs = 2\nnetwork = "a"\nsource = "b"\n', "between 0 and 1, as 0.944"),
        (RECIPE + '[published]\nlast = 0.9\nepochs = 2\nnetwork = "a"\n', "lacks source"),
        (RECIPE + '[published]\nepochs = 2\nnetwork = "a"\nsource = "b"\n', "lacks last or best"),
        (RECIPE + '[published]\nlast = 0.9\nepoch = 2\nnetwork = "a"\nsource = "b"\n', "has no 'epoch'"),
        (RECIPE + '[published]\nlast = 0.9\nepochs = "2"\nnetwork = "a"\nsource = "b"\n', "must be int"),
    ],
)
def test_a_table_that_is_wrong_is_said(nl: Any, papers: Path, table: str, said: str) -> None:
    (papers / "wrong-digits-sym50.toml").write_text(table)
    refused = nl("presets", "wrong-digits-sym50")
    assert refused.code == 2
    assert said in refused.err


def test_a_preset_that_is_no_toml_hides_no_other_and_is_said_by_name(nl: Any, papers: Path) -> None:
    (papers / "wrong-digits-sym50.toml").write_text("epochs = = 2")
    listed = nl("presets", "*digits*")
    assert listed.code == 0
    assert "57.90%" in listed.out
    refused = nl("presets", "wrong-digits-sym50")
    assert refused.code == 2
    assert "wrong-digits-sym50 is not valid TOML" in refused.err


@pytest.mark.slow
def test_a_summary_whose_preset_is_none_is_said(nl: Any) -> None:
    nl("run", "--preset", "ce-digits-sym50", "--name", "mine")
    summary = Path("runs/mine/summary.json")
    wrongs: list[object] = [3, {"name": 3}, {"unlike": []}]
    for wrong in wrongs:
        summary.write_text(json.dumps({**json.loads(summary.read_text()), "preset": wrong}))
        shown = nl("table")
        assert shown.code == 0
        assert "is not what a run writes" in shown.err
