"""docs/tutorial.md, followed to the letter: its blocks are what ``nl new-plugin`` writes, and its edits make a loss."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import nlcore
from nlcore.checks import run_checks
from nlcore.cli.main import cli
from nlcore.host.registry import registry

PAGE = Path(__file__).parents[2] / "docs" / "tutorial.md"
BLOCKS = re.findall(r"```(console|python)\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
GENERATED, LOSS, TEST, HOOKS = (text for language, text in BLOCKS if language == "python")
CONSOLE = "".join(text for language, text in BLOCKS if language == "console")
COMMANDS = [line.removeprefix("$ ") for line in CONSOLE.splitlines() if line.startswith("$ ")]

MODULE = Path("nlcore_brier/brier.py")
TESTS = Path("tests/test_brier.py")
HOOK_MODULE = Path("nlcore_brier/__init__.py")


def nl(command: str) -> str:
    """Run one of the page's commands and return what it prints."""
    assert command in COMMANDS
    result = CliRunner().invoke(cli, command.split()[1:], prog_name="nl", catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """Write the package as the page says."""
    command, said = next(text for _, text in BLOCKS if "new-plugin" in text).split("\n", 1)
    assert nl(command.removeprefix("$ ")) == said
    return tmp_path / "nlcore-brier"


@pytest.fixture
def edited(written: Path) -> Path:
    """Edit the package as the page says."""
    (written / MODULE).write_text(LOSS, encoding="utf-8")
    before, marker, _ = (written / TESTS).read_text(encoding="utf-8").partition("def test_formula()")
    assert marker
    (written / TESTS).write_text(before + TEST, encoding="utf-8")
    hooks, edits = re.subn(r" +summary=.*\n +paper=.*\n", HOOKS, (written / HOOK_MODULE).read_text(encoding="utf-8"))
    assert edits == 1
    (written / HOOK_MODULE).write_text(hooks, encoding="utf-8")
    return written


@pytest.fixture
def installed(edited: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Do what ``pip install -e`` does: put the folder on the path, with the package's name and entry point."""
    info = edited / "nlcore_brier-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: nlcore-brier\nVersion: 0.1.0\n")
    (info / "entry_points.txt").write_text("[nlcore]\nbrier = nlcore_brier\n")
    monkeypatch.syspath_prepend(edited)
    monkeypatch.setenv("NL_PLUGINS", "nlcore-brier")
    yield
    for name in [name for name in sys.modules if name.startswith("nlcore_brier")]:
        del sys.modules[name]  # another test has another folder


def test_the_first_block_is_what_is_written(written: Path) -> None:
    assert (written / MODULE).read_text(encoding="utf-8") == GENERATED


def test_the_package_is_clean_after_the_edits(edited: Path) -> None:
    for command in (["check"], ["format", "--check"]):
        words = [sys.executable, "-m", "ruff", *command, "--no-cache", "."]
        done = subprocess.run(words, cwd=edited, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout


@pytest.mark.usefixtures("installed")
def test_the_edited_loss_is_what_the_page_says() -> None:
    import torch

    p = torch.tensor([[0.9, 0.1], [0.2, 0.8], [0.5, 0.5]], dtype=torch.float64)
    labels = torch.tensor([0, 0, 1])
    for power in (1, 1.5, 2):
        loss = nlcore.create("loss", "brier", power=power)
        rest = np.array([0.1, 0.8, 0.5])  # of two classes both are as far from the label
        np.testing.assert_allclose(loss(p.log(), labels), 2 * rest**power, rtol=1e-12)
    space: dict[str, Any] = {"torch": torch, "Brier": type(nlcore.create("loss", "brier"))}
    exec(TEST, space)
    space["test_formula"]()


@pytest.mark.usefixtures("installed")
def test_the_edited_loss_keeps_every_rule() -> None:
    outcomes = run_checks([registry().find("loss", "brier")])
    assert [outcome.reason for outcome in outcomes if outcome.status == "failed"] == []
    shown = CONSOLE.partition("nl check")[2]
    (count,) = re.findall(r"^(\d+) checks run", shown, re.MULTILINE)
    assert int(count) == sum(outcome.status == "passed" for outcome in outcomes)
    for outcome in outcomes:
        if outcome.check in shown:
            assert re.search(rf"^{outcome.check} +passed +{re.escape(outcome.rule)}$", shown, re.MULTILINE)


@pytest.mark.usefixtures("installed")
def test_the_check_notices_the_line_that_the_page_leaves_out_for_a_try(edited: Path) -> None:
    lines = LOSS.splitlines(keepends=True)
    broken = [line for line in lines if "promote_types" not in line]
    assert len(broken) == len(lines) - 1
    (edited / MODULE).write_text("".join(broken), encoding="utf-8")
    outcomes = run_checks([registry().find("loss", "brier")])
    (failed,) = [outcome for outcome in outcomes if outcome.status == "failed"]
    assert "promote_types" in failed.reason


@pytest.mark.slow
@pytest.mark.usefixtures("installed")
def test_the_edited_loss_is_listed_shown_and_trained() -> None:
    assert re.search(r"brier +Brier score: .+ nlcore-brier 0\.1\.0", nl("nl list-plugins --kind loss"))
    page, _, _ = nl("nl show brier").partition("source:")
    assert page in CONSOLE
    words = "nl run --dataset digits --loss brier --loss.power 1.5"
    assert words in COMMANDS  # and not with nl(): twenty epochs are too many for a test
    tiny = "--strategy mixup --architecture.width 4 --epochs 1 --threads 1 --precision fp32 --quiet"
    result = CliRunner().invoke(cli, [*words.split()[1:], *tiny.split()], catch_exceptions=False)
    assert result.exit_code == 0, result.output


@pytest.mark.slow
@pytest.mark.usefixtures("installed")
def test_the_table_has_the_columns_that_the_page_shows() -> None:
    shown = CONSOLE[CONSOLE.index("$ nl table") :].splitlines()[1:8]
    trained = [command for command in COMMANDS if command.startswith("nl run --dataset digits")]
    assert len(trained) == 3
    for command in trained:
        CliRunner().invoke(cli, [*command.split()[1:], "--epochs", "1", "--quiet"], prog_name="nl")
    printed = nl("nl table").splitlines()
    titles = next(line for line in printed if line.startswith("run "))
    assert titles.split() == shown[3].split()
    assert len(printed) - printed.index(titles) == len(shown) - shown.index(shown[3]) == 4
    words = " ".join(printed[: printed.index("")]).replace("epochs 1", "epochs 20").split()
    assert words == " ".join(shown[:2]).split()
