"""``nl predict``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image


def test_classifies_files_and_folders(nl: Any, tiny: tuple[str, ...], tmp_path: Path) -> None:
    run_dir = nl("run", *tiny, "--json").json["run_dir"]
    folder = tmp_path / "images"
    folder.mkdir()
    (folder / "notes.txt").write_text("no image")
    for name in ("a.png", "b.png"):
        Image.fromarray(np.zeros((20, 30, 3), np.uint8)).save(folder / name)
    done = nl("predict", run_dir, str(folder), str(folder / "a.png"))
    assert done.code == 0
    rows = [line.split("\t") for line in done.out.splitlines()]
    assert [Path(row[0]).name for row in rows] == ["a.png", "b.png", "a.png"]
    assert rows[0][1] in "0123456789"
    as_json = [json.loads(line) for line in nl("predict", run_dir, str(folder), "--json").out.splitlines()]
    assert abs(sum(as_json[0]["probabilities"].values()) - 1) < 1e-4
    assert as_json[0]["class"] == max(as_json[0]["probabilities"], key=as_json[0]["probabilities"].get)


@pytest.mark.slow
def test_an_unreadable_file_costs_no_other_its_result(nl: Any, tiny: tuple[str, ...], tmp_path: Path) -> None:
    run_dir = nl("run", *tiny, "--json").json["run_dir"]
    for name in ("one.png", "three.png"):
        Image.fromarray(np.zeros((8, 8), np.uint8)).save(name)
    Path("two.png").write_text("no image")
    done = nl("predict", run_dir, "one.png", "two.png", "three.png")
    assert done.code == 1
    assert [line.split("\t")[0] for line in done.out.splitlines()] == ["one.png", "three.png"]
    assert "two.png cannot be read as an image" in done.err
    assert "1 of 3 files could not be read." in done.err
    skipped = nl("predict", run_dir, "one.png", "two.png", "three.png", "--skip-unreadable")
    assert (skipped.code, skipped.out, skipped.err) == (0, done.out, done.err)
    assert nl("predict", run_dir, "missing.png").code == 2
    assert nl("predict", "nowhere", "one.png").code == 2


@pytest.mark.slow
def test_a_folder_stands_for_all_that_is_in_it(nl: Any, tiny: tuple[str, ...], tmp_path: Path) -> None:
    """Subfolders, too; but not what macOS puts beside each file on a disk of another system."""
    nl("run", *tiny, "--name", "mine")
    for name in ("b.png", "a/2.JPG", "a/deep/1.png", ".hidden/3.png"):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.zeros((8, 8), np.uint8)).save(path)
    (tmp_path / "photos" / "._b.png").write_bytes(b"\0\5\x16\7")
    (tmp_path / "photos" / "notes.txt").write_text("no image")
    done = nl("predict", "mine", "photos")
    assert (done.code, done.err) == (0, "")
    named = [line.split("\t")[0] for line in done.out.splitlines()]
    assert named == ["photos/a/2.JPG", "photos/a/deep/1.png", "photos/b.png"]
    (tmp_path / "empty").mkdir()
    refused = nl("predict", "mine", "empty")
    assert refused.code == 2
    assert "There are no images in the folder empty" in refused.err
