"""docs/index.md, followed to the letter but for smaller networks, fewer epochs and fewer runs."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from nlcore.cli.main import cli

DOCS = Path(__file__).parents[2] / "docs"
TINY = "--architecture.width 4 --epochs 1 --threads 1"


def commands(door: str) -> list[str]:
    """Return the commands of the section whose title begins so, without their comments."""
    (section,) = re.findall(rf"^## {door}.*?(?=^## )", (DOCS / "index.md").read_text(encoding="utf-8"), re.M | re.S)
    return [shlex.join(shlex.split(line[2:], comments=True)) for line in re.findall(r"^\$ .*", section, re.M)]


def nl(command: str, more: str = "") -> str:
    """Run a command, with more options, and return what it prints."""
    result = CliRunner().invoke(cli, shlex.split(f"{command} {more}")[1:], prog_name="nl", catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.mark.slow
def test_the_course(tmp_path: Path) -> None:
    samples, first, second, table = commands("The course")
    nl(samples)
    with Image.open(tmp_path / "noisy.png") as picture:
        assert min(picture.size) > 100
    nl(first, TINY)
    nl(second, TINY)
    shown = nl(table)
    assert all(len(re.findall(rf"^\S+ +{loss} .*%$", shown, re.M)) == 1 for loss in ("cross_entropy", "soft_bootstrap"))


@pytest.mark.slow
def test_the_benchmark(tmp_path: Path) -> None:
    sweep, table, report = commands("Benchmark")
    nl(sweep, f"{TINY} --loss cross_entropy,gce --seed 1-2")
    shown = nl(table)
    for word in ("gce", "cross_entropy", "0.2", "0.5"):
        assert word in shown
    nl(report)
    assert "</html>" in (tmp_path / "report.html").read_text(encoding="utf-8")


@pytest.mark.slow
def test_my_images(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for number, name in enumerate(("dark", "light")):
        folder = tmp_path / "photos" / name
        folder.mkdir(parents=True)
        for one in range(24):
            Image.fromarray(rng.integers(120 * number, 120 * number + 100, (16, 16, 3), np.uint8)).save(
                folder / f"{one}.png"
            )
    audit, run = commands("My images")
    small = f"{TINY} --dataset.size 16 --batch-size 8"
    nl(audit, f"{small} --folds 2")
    assert (tmp_path / "audits" / "photos" / "report.html").is_file()
    nl(run, small)
    assert list((tmp_path / "runs").iterdir())


def test_the_plugin_is_the_tutorials() -> None:
    tutorial = re.findall(r"^\$ (.*)", (DOCS / "tutorial.md").read_text(encoding="utf-8"), re.M)
    found = commands("Write a plugin")
    assert len(found) == 3
    assert set(found) <= set(tutorial)
