"""``nl samples``: a picture, and no training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PIL import Image


def test_a_sheet_is_written_and_drawn_again_in_the_same_way(nl: Any) -> None:
    done = nl("samples", "--dataset", "digits", "--noise.rate", "0.5", "-o", "sheet.png")
    assert (done.code, done.out) == (0, "written to sheet.png\n")
    with Image.open("sheet.png") as picture:
        assert picture.format == "PNG"
    before = Path("sheet.png").read_bytes()
    assert nl("samples", "--dataset", "digits", "--noise.rate", "0.5", "--out", "sheet.png").code == 0
    assert Path("sheet.png").read_bytes() == before
    assert nl("samples", "--dataset", "digits", "--noise-seed", "2").code == 0
    assert Path("samples.png").read_bytes() != before
    assert sorted(path.name for path in Path.cwd().iterdir()) == ["samples.png", "sheet.png"]


@pytest.mark.slow
def test_the_labels_may_come_from_a_file(nl: Any) -> None:
    """The same labels and the same seed give the same sheet."""
    noise = ("--noise.rate", "0.2")
    assert nl("noise", "--dataset", "digits", *noise, "--out", "here").code == 0
    assert nl("samples", "--dataset", "digits", *noise, "-o", "drawn.png").code == 0
    assert nl("samples", "--dataset", "digits", "--labels", "here/labels.csv", "-o", "read.png").code == 0
    assert Path("read.png").read_bytes() == Path("drawn.png").read_bytes()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("-o", "sheet.jpg"), "ends in .png"),
        (("-o", "nowhere/sheet.png"), "there is no folder nowhere"),
        (("-o", "folder.png"), "this is a folder"),
        (("-o", "."), "a picture's name ends in .png; for instance ./FILE.png"),
        (("-o", f"{'a' * 300}.png"), "too long"),
        (("--noise.rate", "2"), "noise.rate = 2"),
        (("--dataset", "digit"), "digits"),
        (("--epochs", "3"), "--epochs"),
    ],
)
def test_bad_input_is_found_before_anything_is_loaded(words: tuple[str, ...], said: str, nl: Any) -> None:
    Path("folder.png").mkdir()
    done = nl("samples", "--dataset", "digits", *words)
    assert done.code == 2
    assert said in done.err
    assert [path.name for path in Path.cwd().iterdir()] == ["folder.png"]


def test_help_shows_what_holds(nl: Any) -> None:
    done = nl("samples", "--noise", "symmetric", "--noise.dialect", "apl", "--help")
    assert done.code == 0
    for words in ("-o, --out FILE", "[samples.png]", "--noise-seed INTEGER", "[exact_per_class]"):
        assert words in done.out
    assert "--json" not in done.out
