"""README.md, followed to the letter: its commands, its picture, its figures and its links."""

from __future__ import annotations

import json
import re
import shlex
import statistics
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

import nlcore
from nlcore.cli.main import cli

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_it_fits_on_a_screen() -> None:
    assert len(README.splitlines()) <= 70


def test_its_links_lead_somewhere() -> None:
    links = re.findall(r"\]\(([^)#]+)", README)
    assert len(links) >= 10
    assert [link for link in links if not (ROOT / link).exists()] == []


@pytest.mark.slow
def test_its_run_learns_then_memorises_and_draws_the_picture(tmp_path: Path) -> None:
    """The picture is drawn by the command beside it: the same one, where networks learn the same to a few percent."""
    (command,) = re.findall(r"^\$ nl (.*)", README, re.MULTILINE)
    done = CliRunner().invoke(cli, [*shlex.split(command), "--json", "--quiet"], prog_name="nl", catch_exceptions=False)
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["noise_rate"] == pytest.approx(0.45, abs=0.05)  # a redrawn label is the true one in a case of ten
    # Ten classes: without learning it would be 0.1.
    assert result["test_accuracy"]["best_oracle"] > 0.7
    assert result["test_accuracy"]["last"] < result["test_accuracy"]["best_oracle"] - 0.1
    assert result["memorisation"]["memorised"] > 0.9
    pictures = []
    for file in (Path(result["run_dir"]) / "curves.png", ROOT / "docs" / "memorising.png"):
        with Image.open(file) as picture:
            pictures.append(np.asarray(picture.convert("L"), dtype=float))
    assert pictures[0].shape == pictures[1].shape
    assert np.abs(pictures[0] - pictures[1]).mean() < 10  # of 255; most of it is white


def test_its_figures_are_those_of_the_runs_on_file() -> None:
    runs = json.loads((ROOT / "docs" / "results.json").read_text(encoding="utf-8"))
    rows = re.findall(r"^\| `(\w+)` \| (.*) \|$", README, re.MULTILINE)
    assert len(rows) >= 8
    for loss, cells in rows:
        for noise, cell in zip(("symmetric", "asymmetric", "cifar10n"), cells.split(" | "), strict=True):
            last = [100 * run["test_accuracy"]["last"] for run in runs if (run["loss"], run["noise"]) == (loss, noise)]
            assert len(last) == 3  # seeds, as the text says
            assert cell == f"{statistics.mean(last):.2f} ± {statistics.stdev(last):.2f}"


def test_it_cites_the_version_that_is_released() -> None:
    assert f"version = {{{nlcore.__version__}}}" in README
