"""What trackers share; above all that a package which is missing is said before any work is done."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from helpers import TINY
from nlcore_builtins.installed import require
from nlcore_builtins.trackers.shown import note, noted

import nlcore

PACKAGES = [
    ("tensorboard", "tensorboard"),
    ("wandb", "wandb"),
    ("mlflow", "mlflow"),
    ("mlflow", "sqlalchemy"),
    ("mlflow", "alembic"),
]


@pytest.mark.parametrize(("tracker", "package"), PACKAGES)
def test_a_missing_package_is_said_before_any_work(
    tracker: str, package: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for _, other in PACKAGES:
        monkeypatch.setitem(sys.modules, other, sys)  # there, as far as anyone can see
    monkeypatch.setitem(sys.modules, package, None)
    expected = rf"tracker {tracker}: the package {package} is not installed.*pip install 'nlcore\[{tracker}\]'"
    with pytest.raises(nlcore.NotInstalledError, match=expected):
        nlcore.run(tracker=tracker, **TINY)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_no_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "no_such_package").mkdir()
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(nlcore.NotInstalledError):
        require("tracker", "mine", "no_such_package")


def test_a_note_is_read_back(tmp_path: Path) -> None:
    assert noted(tmp_path / "mine.json") == {}
    note(tmp_path / "mine.json", {"id": "1"})
    note(tmp_path / "mine.json", {"id": "2"})
    assert noted(tmp_path / "mine.json") == {"id": "2"}
    assert [path.name for path in tmp_path.iterdir()] == ["mine.json"]
