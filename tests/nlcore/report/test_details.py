"""What a report says of one run."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_runs import make_run

from nlcore.errors import UserError
from nlcore.report.details import Details, details
from nlcore.rundir.directory import RunDirectory
from nlcore.rundir.result import per_class
from nlcore.studies.read import read_runs


def of_classes(folder: Path, confusion: Any, **more: Any) -> Path:
    """Write a run with these counts [true, predicted], and return its directory."""
    names = [f"class {number}" for number in range(len(confusion))]
    counts = np.array(confusion, np.int64)
    path = make_run(folder, [0.5], result={"per_class": per_class(names, counts), **more})
    RunDirectory(path).write_confusion(names, counts)
    return path


def of(path: Path) -> Details:
    """Return the details of a run."""
    (run,) = read_runs(path).runs
    return details(run)


def add(path: Path, **fields: Any) -> None:
    """Add fields to ``environment.json``."""
    directory = RunDirectory(path)
    directory.write_json("environment.json", directory.read_json("environment.json") | fields)


def test_classes_and_their_confusion_matrix(tmp_path: Path) -> None:
    """Row 0: 3 of 4 right, 1 of 4 as class 1, which in tenths, with ties to even, is 8 and 2."""
    found = of(of_classes(tmp_path, [[3, 1, 0], [0, 0, 0], [5, 0, 5]]))
    assert found.predicted == ("class 0", "class 1", "class 2")
    assert [(row.name, row.count, row.accuracy) for row in found.classes] == [
        ("class 0", "4", "75.00"),
        ("class 1", "0", "–"),
        ("class 2", "10", "50.00"),
    ]
    assert found.classes[0].predicted == ((3, 8), (1, 2), (0, 0))
    assert found.classes[1].predicted == ((0, 0), (0, 0), (0, 0))
    assert found.about_classes == ""


def test_of_many_classes_the_least_accurate_are_shown_and_what_is_left_out_is_said(tmp_path: Path) -> None:
    right = np.arange(25)
    confusion = np.diag(right)
    confusion[:, 0] += 30 - right
    found = of(of_classes(tmp_path, confusion))
    # Class 0 is right in all 30 images, class k in k of 30.
    assert [row.name for row in found.classes] == [f"class {number}" for number in range(1, 21)]
    assert found.predicted == ()
    assert "20 least accurate of 25 classes" in found.about_classes
    assert "confusion.csv" in found.about_classes


def test_a_run_without_a_confusion_matrix_has_classes_alone(tmp_path: Path) -> None:
    path = of_classes(tmp_path, [[1, 0], [0, 1]])
    (path / "confusion.csv").unlink()
    found = of(path)
    assert (found.predicted, [row.accuracy for row in found.classes]) == ((), ["100.00", "100.00"])


@pytest.mark.parametrize("text", ["", "true,a\na,1\n", "true,class 0,class 1\nclass 0,1\nclass 1,2,3\n", "\x00"])
def test_a_damaged_confusion_matrix_is_refused(text: str, tmp_path: Path) -> None:
    path = of_classes(tmp_path, [[1, 0], [0, 1]])
    (path / "confusion.csv").write_text(text)
    with pytest.raises(UserError, match=r"confusion\.csv"):
        of(path)


def test_what_a_reader_must_know(tmp_path: Path) -> None:
    path = of_classes(
        tmp_path,
        [[1]],
        status="diverged",
        message="the loss is not finite",
        oracles=["noise rate"],
        preset={"name": "best", "unlike": ["epochs"]},
    )
    add(path, notes=["forget_rate: 0.45, estimated"])
    assert of(path).remarks == (
        "diverged: the loss is not finite",
        "oracle: the method was told noise rate, which nobody knows in practice",
        "preset best, but for epochs",
        "forget_rate: 0.45, estimated",
    )


def test_numbers_and_what_it_was_made_with(tmp_path: Path) -> None:
    path = make_run(tmp_path, [0.25, 0.5], result={"memorisation": {"memorised": 0.125}, "num_weights": 1234})
    add(path, device_name="CPU", packages={"torch": "2.10"})
    found = of(path)
    assert found.numbers["last: test accuracy of the last epoch, %"] == "50.00"
    assert found.numbers["memorised: wrong labels memorised, %"] == "12.50"
    assert found.numbers["weights of all networks"] == "1,234"
    assert not any(name.startswith("selected") for name in found.numbers)
    assert found.made_with == {"device": "CPU", "precision": "fp32", "torch": "2.10"}


def test_settings_are_the_file_and_the_command_takes_it(tmp_path: Path) -> None:
    path = make_run(tmp_path / "my runs", [0.5], loss="gce", loss__q=0.5, epochs=3)
    found = of(path)
    assert found.settings == (path / "config.toml").read_text()
    assert shlex.split(found.command) == ["nl", "run", str(path / "config.toml"), "--fresh"]


def test_plugin_files_are_loaded_by_the_command(tmp_path: Path) -> None:
    path = make_run(tmp_path, [0.5])
    add(path, plugin_files={"loss": "/a folder/mine.py"})
    assert of(path).command.startswith("nl --plugin '/a folder/mine.py' run ")


@pytest.mark.parametrize("wrong", [{"notes": 3}, {"plugin_files": []}, {"packages": "torch"}])
def test_an_environment_that_no_run_writes_is_refused(wrong: dict[str, Any], tmp_path: Path) -> None:
    path = make_run(tmp_path, [0.5])
    content = json.loads((path / "environment.json").read_text())
    (path / "environment.json").write_text(json.dumps(content | wrong))
    with pytest.raises(UserError, match="is not what a run writes"):
        of(path)
