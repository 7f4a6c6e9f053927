"""``nl new-plugin``: what it refuses, what it says, and that each package it writes is built, installed and trained."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from helpers import install_plugin, plugin_source

from nlcore.cli.new_plugin import LONGEST, render

#: The kinds that have an example, and how each begins in lists.
SUMMARIES = {
    "dataset": "Coloured shapes, 16×16: squares, discs, diamonds and crosses, no download.",
    "noise": "Pair noise: a label is taken for the next class.",
    "architecture": "A small convolutional network: three layers and a linear head.",
    "loss": "Focal loss: cross-entropy in which samples that are fitted well count less.",
    "augmentation": "Random greyscale: an image loses its colours with some probability.",
    "optimizer": "Lion: steps of one size, in the sign of a running mean of gradients.",
    "tracker": "A table of the metrics, progress.csv, in the run's directory.",
    "strategy": "Small-loss selection: one network, trained on the samples it finds easiest.",
    "estimator": "Class means: the matrix is the mean prediction of the samples predicted alike.",
    "executor": "Processes of this machine, so many at a time, each for one run.",
    "detector": "Relative confidence: how unlikely a given label is, beside its class's labels on average.",
}
KINDS = tuple(SUMMARIES)


def name_of(kind: str) -> str:
    """Return the name of the component that these tests make of a kind."""
    return f"my_{kind}"


def tool(*words: str | Path, cwd: Path, **environment: str) -> str:
    """Run a module of this Python in a folder and return what it prints; it must succeed."""
    command = [sys.executable, "-m", *map(str, words)]
    done = subprocess.run(
        command, cwd=cwd, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_says_what_it_wrote_and_what_to_do_next(nl: Any, tmp_path: Path) -> None:
    done = nl("new-plugin", "loss", "my_loss")
    assert done.code == 0, done.err
    assert done.err == ""
    written = [line.removeprefix("wrote ") for line in done.out.splitlines() if line.startswith("wrote ")]
    files = [path for path in (tmp_path / "nlcore-my-loss").rglob("*") if path.is_file()]
    assert sorted(tmp_path / path for path in written) == sorted(files)
    assert len(files) == 6
    assert done.out.split("Next:\n")[1].splitlines() == [
        "  pip install -e ./nlcore-my-loss",
        "  nl check nlcore-my-loss",
        "  nl run --dataset digits --loss my_loss",
    ]


@pytest.mark.parametrize(
    ("kind", "command"),
    [
        ("dataset", "nl run --dataset mine"),
        ("noise", "nl run --dataset digits --noise mine"),
        ("architecture", "nl run --dataset digits --architecture mine"),
        ("strategy", "nl run --dataset digits --strategy mine"),
        ("augmentation", "nl run --dataset digits --augmentation mine"),
        ("optimizer", "nl run --dataset digits --optimizer mine"),
        ("tracker", "nl run --dataset digits --tracker mine"),
        ("estimator", "nl run --dataset digits --name tried\nnl estimate tried --estimator mine"),
        ("executor", "nl sweep --dataset digits --seed 1,2 --executor mine"),
        ("detector", "nl audit --dataset digits --detector mine"),
    ],
)
def test_the_last_commands_use_it(nl: Any, tmp_path: Path, kind: str, command: str) -> None:
    folder = tmp_path / "some where"
    done = nl("new-plugin", kind, "mine", "--directory", str(folder))
    commands = [f"pip install -e '{folder}'", "nl check nlcore-mine", *command.splitlines()]
    assert done.out.partition("\nNext:\n")[2].splitlines() == [f"  {line}" for line in commands]
    assert command in (folder / "README.md").read_text(encoding="utf-8")


def test_never_overwrites(nl: Any, tmp_path: Path) -> None:
    folder = tmp_path / "nlcore-mine"
    folder.mkdir()
    assert nl("new-plugin", "noise", "mine").code == 0  # an empty folder will do
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    done = nl("new-plugin", "loss", "mine")
    assert done.code == 2
    assert done.err == "Error: nlcore-mine exists already and is not an empty folder; nothing was written.\n"
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("path", "reason"), [("file", "exists already and is not an empty folder"), ("file/below", "cannot be written")]
)
def test_a_file_in_the_way(nl: Any, tmp_path: Path, path: str, reason: str) -> None:
    (tmp_path / "file").write_text("precious")
    done = nl("new-plugin", "loss", "mine", "--directory", path)
    assert done.code == 2
    assert f"Error: {path} {reason}" in done.err
    assert (tmp_path / "file").read_text() == "precious"


@pytest.mark.parametrize(
    "name",
    ["", "MyLoss", "my-loss", "my loss", "2fast", "_mine", "mine_", "my__loss", "ärger", "../up", "a" * 31, "a\n"],
)
def test_refuses_bad_names(nl: Any, tmp_path: Path, name: str) -> None:
    done = nl("new-plugin", "loss", name)
    assert done.code == 2
    assert f"{name!r} is no name for a component: it is made of a-z, 0-9 and single underscores" in done.err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "reason"), [("lambda", "is a word of Python"), ("builtins", "are the package 'nlcore_builtins'")]
)
def test_refuses_names_that_python_or_nlcore_has(nl: Any, tmp_path: Path, name: str, reason: str) -> None:
    done = nl("new-plugin", "loss", name)
    assert done.code == 2
    assert reason in done.err
    assert not list(tmp_path.iterdir())


def test_help_names_the_kinds(nl: Any) -> None:
    text = " ".join(nl("new-plugin", "--help").out.split())
    assert "KIND NAME" in text
    assert all(f" {kind}," in text or f" {kind}." in text for kind in KINDS)


def test_unknown_kind(nl: Any, tmp_path: Path) -> None:
    done = nl("new-plugin", "preset", "mine")
    assert done.code == 2
    assert all(kind in done.err for kind in KINDS)
    assert not list(tmp_path.iterdir())


def test_a_name_that_a_builtin_has(nl: Any, tmp_path: Path) -> None:
    done = nl("new-plugin", "loss", "gce")
    assert done.code == 0
    assert done.err == "Note: nlcore itself has a loss 'gce' too, so this one is called 'nlcore-gce/gce'.\n"
    assert done.out.endswith("  nl run --dataset digits --loss nlcore-gce/gce\n")
    readme = (tmp_path / "nlcore-gce" / "README.md").read_text(encoding="utf-8")
    assert "nl show nlcore-gce/gce\n" in readme
    assert nl("new-plugin", "noise", "gce", "--directory", "other").err == ""  # it is no noise model


def test_a_name_that_another_plugin_has(nl: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_plugin(monkeypatch, tmp_path, "theirs", plugin_source(nl_losses={"shared": "theirs:Loss"}))
    done = nl("new-plugin", "loss", "shared")
    assert done.err == "Note: theirs has a loss 'shared' too, so this one is called 'nlcore-shared/shared'.\n"


def test_a_class_never_takes_a_name_that_its_module_needs() -> None:
    for kind, name in [("loss", "tensor"), ("loss", "none"), ("loss", "f"), ("noise", "t"), ("dataset", "data")]:
        code = render(kind, name, f"nlcore-{name}", name)[f"nlcore_{name}/{name}.py"]
        assert f"class {name.capitalize()}{kind.capitalize()}:" in code


@pytest.mark.slow
@pytest.mark.parametrize("name", ["x", "a" * LONGEST])
def test_is_formatted_whatever_the_name_is(tmp_path: Path, name: str) -> None:
    for kind in KINDS:
        for path, text in render(kind, name, f"nlcore-{name}", name).items():
            target = tmp_path / kind / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
    check_style([tmp_path / kind for kind in KINDS])


def check_style(folders: Sequence[Path]) -> None:
    """Run ruff in each folder, with the package's own settings and with ruff's defaults."""
    for folder in folders:
        for command in (["check"], ["format", "--check"]):
            tool("ruff", *command, "--no-cache", cwd=folder)
            tool("ruff", *command, "--no-cache", "--isolated", cwd=folder)


@pytest.fixture(scope="module")
def projects(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Write a package of each kind with the command itself; return their folders."""
    home = tmp_path_factory.mktemp("projects")
    for kind in KINDS:
        tool("nlcore", "new-plugin", kind, name_of(kind), cwd=home)
    return {kind: home / f"nlcore-my-{kind}" for kind in KINDS}


@pytest.fixture(scope="module")
def site(projects: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build wheels of all of them and install them; return the folder that they are in."""
    home = tmp_path_factory.mktemp("wheels")
    tool("pip", "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", home, *projects.values(), cwd=home)
    wheels = sorted(home.glob("*.whl"))
    assert len(wheels) == len(KINDS)
    tool("pip", "install", "--no-deps", "--no-index", "--target", home / "site", *wheels, cwd=home)
    return home / "site"


@pytest.mark.slow
def test_every_package_is_clean(projects: dict[str, Path]) -> None:
    check_style(list(projects.values()))
    # A cache that outlives the test, as torch alone takes mypy half a minute.
    cache = Path(tempfile.gettempdir()) / "nlcore-new-plugin-mypy"
    sources = [project / part for kind, project in projects.items() for part in (f"nlcore_my_{kind}", "tests")]
    options = ("--strict", "--config-file", os.devnull, "--cache-dir", cache)
    tool("mypy", *options, *sources, cwd=projects["loss"].parent)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_every_package_is_listed_used_and_passes_its_own_tests(
    kind: str, projects: dict[str, Path], site: Path, tmp_path: Path, tiny: tuple[str, ...]
) -> None:
    name, distribution = name_of(kind), f"nlcore-my-{kind}"
    environment = {"PYTHONPATH": str(site), "NL_PLUGINS": distribution}
    rows = json.loads(tool("nlcore", "list-plugins", "--kind", kind, "--json", cwd=tmp_path, **environment))
    (row,) = [row for row in rows if row["distribution"] == distribution]
    assert (row["name"], row["version"], row["summary"]) == (name, "0.1.0", SUMMARIES[kind])

    asked = ("run", *tiny) if kind == "estimator" else ("run", *tiny, f"--{kind}", name)
    if kind == "executor":
        asked = ("sweep", *tiny, "--seed", "1,2", "--executor", name)
    if kind == "detector":
        asked = ("audit", *tiny, "--folds", "2", "--detector", name)
    printed = tool("nlcore", *asked, "--json", "--quiet", cwd=tmp_path, **environment)
    made = json.loads(printed.splitlines()[-1])
    if kind == "detector":
        assert made["detectors"] == [name]
    else:
        assert [run["status"] for run in made.get("runs", [made])] == ["done"] * (2 if kind == "executor" else 1)
    if kind == "estimator":
        estimate = ("estimate", made["run_dir"], "--estimator", name, "--folds", "2", "--epochs", "1", "--json")
        (found,) = json.loads(tool("nlcore", *estimate, cwd=tmp_path, **environment))["estimates"]
        assert (found["name"], 0 < found["rate"] < 1) == (name, True)

    tests = tmp_path / "tests"  # away from the sources: what is tested is what was installed
    (projects[kind] / "tests").rename(tests)
    try:
        printed = tool("pytest", "-q", "-p", "no:cacheprovider", "tests", cwd=tmp_path, **environment)
        assert "passed" in printed
        assert not any(word in printed for word in ("xfailed", "warning"))
    finally:
        tests.rename(projects[kind] / "tests")
