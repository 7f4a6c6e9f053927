"""A finished run that is asked for again is reported at once, and never one that was made from something else."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import toy
from helpers import install_plugin, squares

import nlcore
from nlcore.runs.recognise import recognised

#: A dataset that says which file it reads, and counts how often it is loaded.
SOURCE = """
from pathlib import Path
import numpy as np
from helpers import make_data, squares
from nlcore import Component, hookimpl, parameter
from dataclasses import dataclass

NLCORE_API = 1

@dataclass(frozen=True)
class Photos:
    file: str = parameter("images.npy", "where they lie", path=True)

    def load(self, source):
        with open("loaded", "a") as file:
            file.write("x")
        images = np.load(self.file)
        return make_data(images, squares(len(images))[1])

    def files(self, source):
        return [Path(self.file)]

@hookimpl
def nl_datasets():
    return [Component("photos", "photos_again:Photos", "Photos.")]
"""


@pytest.fixture(autouse=True)
def _photos(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    toy.install(monkeypatch, tmp_path)
    install_plugin(monkeypatch, tmp_path / "photos", "photos-again", SOURCE)
    np.save("images.npy", squares(64)[0])


def settings(**more: Any) -> dict[str, Any]:
    """Return a run of one epoch."""
    return {**toy.SETTINGS, "dataset": "photos", "dataset.file": "images.npy", "epochs": 1, **more}


def loaded() -> int:
    """Return how often data were loaded."""
    return len(Path("loaded").read_text())


def test_a_finished_run_is_reported_without_loading_data() -> None:
    first = nlcore.run(quiet=True, **settings())
    assert loaded() == 1
    assert nlcore.run(quiet=True, **settings()) == first
    assert loaded() == 1


def test_a_file_that_was_touched_is_compared_by_content() -> None:
    first = nlcore.run(quiet=True, **settings())
    os.utime("images.npy", (time.time() + 10, time.time() + 10))
    assert nlcore.run(quiet=True, **settings()) == first
    assert loaded() == 2
    nlcore.run(quiet=True, **settings())  # from now on it is recognised again
    assert loaded() == 2


def test_other_content_is_another_run() -> None:
    first = nlcore.run(quiet=True, **settings())
    np.save("images.npy", squares(64, seed=5)[0])
    assert nlcore.run(quiet=True, **settings()).run_dir != first.run_dir


def test_another_request_is_another_run() -> None:
    first = nlcore.run(quiet=True, **settings())
    assert recognised([settings()]) == first
    assert recognised([settings(seed=2)]) is None


@pytest.mark.slow
def test_a_file_of_the_same_relative_name_elsewhere_is_another_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = settings(runs_dir=str(tmp_path / "runs"))
    first = nlcore.run(quiet=True, **request)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    np.save("images.npy", squares(64, seed=5)[0])
    assert nlcore.run(quiet=True, **request).run_dir != first.run_dir


@pytest.mark.slow
def test_a_component_of_the_same_name_from_another_file_is_another_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two single files with a loss of one name each."""
    for name, factor in (("single_one", 1), ("single_two", 2)):
        (tmp_path / f"{name}.py").write_text(
            "from torch.nn import functional as F\nfrom nlcore import Component, hookimpl\nNLCORE_API = 1\n"
            "class Mine:\n    def __call__(self, logits, targets, index=None):\n"
            f"        return {factor} * F.cross_entropy(logits, targets, reduction='none')\n"
            f"@hookimpl\ndef nl_losses():\n    return [Component('mine', '{name}:Mine', 'Mine.')]\n"
        )
    program = f"import nlcore; print(nlcore.run(quiet=True, **{settings(loss='mine')!r}).run_dir)"
    found = []
    for name in ("single_one", "single_two"):
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        environment["NL_PLUGIN_PATH"] = str(tmp_path / f"{name}.py")
        done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        found.append(done.stdout)
    assert found[0] != found[1]
