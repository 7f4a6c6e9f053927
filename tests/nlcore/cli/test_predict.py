"""``nl predict``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
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


def test_bad_files_are_all_named(nl: Any, tiny: tuple[str, ...], tmp_path: Path) -> None:
    run_dir = nl("run", *tiny, "--json").json["run_dir"]
    for name in ("one.png", "two.png"):
        (tmp_path / name).write_text("no image")
    refused = nl("predict", run_dir, "one.png", "two.png")
    assert refused.code == 2
    assert "one.png" in refused.err
    assert "two.png" in refused.err
    assert nl("predict", run_dir, "three.png").code == 2
    assert nl("predict", "nowhere", "one.png").code == 2
