"""The files of a run, and where they may be put."""

from __future__ import annotations

import csv
import json
import os
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers import SomeWrong, make_data, prepared, squares
from safetensors import safe_open
from torch import nn

import nlcore
from nlcore.rundir.directory import RunDirectory
from nlcore.rundir.model_file import ModelFile


@pytest.fixture
def directory(tmp_path: Path) -> RunDirectory:
    """Return a directory that is there."""
    directory = RunDirectory(tmp_path / "run")
    directory.create()
    return directory


# ------------------------------------------------------------------------------------------------------------ places


def test_a_new_place_is_fine_and_is_not_made_by_looking(tmp_path: Path) -> None:
    RunDirectory(tmp_path / "runs" / "deep" / "one").check_place()
    assert list(tmp_path.iterdir()) == []


def test_a_relative_place_is_fine(tmp_path: Path) -> None:
    RunDirectory(Path("runs/one")).check_place()
    RunDirectory(Path("one")).check_place()
    assert list(tmp_path.iterdir()) == []


def test_an_empty_directory_is_fine(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    RunDirectory(tmp_path / "one").check_place()


@pytest.mark.parametrize("name", ["file", "file/one", "file/deep/one"])
def test_no_run_can_be_put_into_a_file(name: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(nlcore.UserError, match=r"file is a file.*--runs-dir"):
        RunDirectory(tmp_path / name).check_place()


def test_a_directory_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter1.tex").touch()
    with pytest.raises(nlcore.UserError, match=r"thesis holds files.*--name"):
        RunDirectory(tmp_path / "thesis").check_place()


def test_a_place_that_may_not_be_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "locked").mkdir()
    real = os.access
    locked = tmp_path / "locked"
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != locked and real(path, mode))
    with pytest.raises(nlcore.UserError, match=r"no permission to write to .*locked"):
        RunDirectory(locked / "deep" / "one").check_place()
    RunDirectory(tmp_path / "open" / "one").check_place()


def test_hidden_files_are_no_reason_to_leave_a_directory_alone(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / ".lock").touch()
    RunDirectory(tmp_path / "one").check_place()


def test_an_unused_directory_is_this_one_or_has_the_first_free_number(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path / "one")
    assert directory.unused() == directory
    (tmp_path / "one").mkdir()
    (tmp_path / "one-2").touch()
    assert directory.unused() == RunDirectory(tmp_path / "one-3")


def test_a_directory_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(nlcore.UserError, match="cannot be made"):
        RunDirectory(tmp_path / "file" / "one").create()


def test_a_run_exists_once_it_has_a_summary(directory: RunDirectory) -> None:
    before = directory.exists
    directory.write_json("summary.json", {"status": "running"})
    assert (before, directory.exists) == (False, True)
    assert directory.summary() == {"status": "running"}


# ------------------------------------------------------------------------------------------------------------- files


def test_json_is_replaced_in_one_piece(directory: RunDirectory) -> None:
    directory.write_json("summary.json", {"status": "running"})
    with pytest.raises(ValueError, match="JSON"):
        directory.write_json("summary.json", {"seconds": float("nan")})  # no JSON elsewhere
    assert directory.summary() == {"status": "running"}
    directory.write_json("summary.json", {"status": "done", "name": "π"})
    assert directory.summary() == {"status": "done", "name": "π"}
    assert [path.name for path in directory.path.iterdir()] == ["summary.json"]


def test_the_configuration_is_toml(directory: RunDirectory) -> None:
    config = {"epochs": 3, "ema": "none", "lr": 0.1, "loss": {"name": "gce", "q": 0.7}}
    directory.write_config(config)
    assert tomllib.loads((directory.path / "config.toml").read_text()) == config


def test_metrics_are_read_back(directory: RunDirectory) -> None:
    assert directory.metrics() == []
    rows: list[dict[str, Any]] = [{"epoch": 1, "memorised": None}, {"epoch": 2, "memorised": 0.25}]
    for row in rows:
        directory.append_metrics(row)
    assert directory.metrics() == rows
    assert [json.loads(line) for line in (directory.path / "metrics.jsonl").read_text().splitlines()] == rows


def test_metrics_are_written_anew(directory: RunDirectory) -> None:
    for epoch in (1, 2, 3):
        directory.append_metrics({"epoch": epoch})
    directory.write_metrics([{"epoch": 1}])
    assert directory.metrics() == [{"epoch": 1}]
    directory.append_metrics({"epoch": 2})
    assert directory.metrics() == [{"epoch": 1}, {"epoch": 2}]


def test_a_line_that_was_torn_off_does_not_count(directory: RunDirectory) -> None:
    directory.append_metrics({"epoch": 1})
    with (directory.path / "metrics.jsonl").open("a") as file:
        file.write('{"epoch": 2, "test_acc')
    assert directory.metrics() == [{"epoch": 1}]


def test_labels_are_written_with_what_is_known_of_them(directory: RunDirectory) -> None:
    images, labels = squares(40)
    data = prepared(make_data(images, labels), SomeWrong(), validation=0.25)
    directory.write_labels(data, {"model": {"name": "some_wrong"}, "noise_seed": 1})
    with np.load(directory.path / "labels.npz", allow_pickle=False) as file:
        assert {"ids", "given", "true", "validation", "classes", "transition", "noise", "sha256"} <= set(file)
        assert sorted(file["ids"]) == list(range(40))
        order = np.argsort(file["ids"])
        assert np.array_equal(file["true"][order], labels)
        expected = SomeWrong().corrupt(labels, 4, np.random.default_rng(1))
        assert np.array_equal(file["given"][order], expected)
        assert data.validation is not None
        assert set(file["ids"][file["validation"]]) == set(data.validation.ids)
        assert 0 < file["validation"].sum() < 40
        assert list(file["classes"]) == ["class0", "class1", "class2", "class3"]
        assert file["given"].dtype == file["true"].dtype == np.int64
        shares = [[np.mean(expected[labels == i] == j) for j in range(4)] for i in range(4)]
        np.testing.assert_allclose(file["transition"], shares)
        assert json.loads(str(file["noise"]))["noise_seed"] == 1
        assert str(file["sha256"]) == data.labels_sha256


def test_labels_whose_truth_is_unknown(directory: RunDirectory) -> None:
    images, labels = squares(12)
    directory.write_labels(prepared(make_data(images, labels, truth_known=False)), {})
    with np.load(directory.path / "labels.npz", allow_pickle=False) as file:
        assert len(file["true"]) == 0
        assert np.array_equal(file["given"], labels)
        assert not file["validation"].any()


def test_weights_are_contiguous_and_named_by_network(directory: RunDirectory) -> None:
    first = nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3)).to(memory_format=torch.channels_last)
    one, other = nn.Linear(4, 4), nn.Linear(4, 4)
    other.weight = one.weight  # shared tensors
    second = nn.Sequential(one, other)
    assert not first.state_dict()["0.weight"].is_contiguous()
    directory.write_weights({"network1": first, "network2": second})
    with safe_open(directory.path / "weights.safetensors", framework="pt") as file:
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118  (no iterable)
    expected = {f"network1.{key}": value for key, value in first.state_dict().items()}
    expected |= {f"network2.{key}": value for key, value in second.state_dict().items()}
    assert set(tensors) == set(expected)
    for key, value in expected.items():
        assert tensors[key].is_contiguous()
        assert tensors[key].dtype == value.dtype
        assert torch.equal(tensors[key], value)
    before = (directory.path / "weights.safetensors").read_bytes()
    directory.write_weights({"network1": first, "network2": second})
    assert (directory.path / "weights.safetensors").read_bytes() == before


def test_the_confusion_matrix_has_a_row_for_each_true_class(directory: RunDirectory) -> None:
    directory.write_confusion(("cat", "dog, wild"), np.array([[5, 1], [0, 3]]))
    with (directory.path / "confusion.csv").open(newline="") as file:
        assert list(csv.reader(file)) == [["true", "cat", "dog, wild"], ["cat", "5", "1"], ["dog, wild", "0", "3"]]


def test_the_confusion_matrix_is_read_back(directory: RunDirectory) -> None:
    assert directory.confusion() is None
    directory.write_confusion(("cat", 'dog, "wild"\n'), np.array([[5, 1], [0, 3]]))
    assert directory.confusion() == (("cat", 'dog, "wild"\n'), [[5, 1], [0, 3]])


@pytest.mark.parametrize(
    "text", [b"", b"true,a,b\na,1,2\n", b"true,a\na,1,2\n", b"true,a\na,x\n", b"\xff", b"true,a\n\n"]
)
def test_a_confusion_matrix_that_no_run_writes(text: bytes, directory: RunDirectory) -> None:
    (directory.path / "confusion.csv").write_bytes(text)
    with pytest.raises(nlcore.UserError, match=r"confusion\.csv"):
        directory.confusion()


MODEL = ModelFile(
    classes=("a", "b"),
    image_shape=(1, 8, 8),
    mean=(0.4,),
    std=(0.25,),
    num_samples=12,
    declared={"rate": 0.3, "transition": None},
    recipe={"loss": {"name": "gce", "q": 0.7}},
    plugin_files={},
    versions={"loss": "1.0"},
)


def test_what_a_model_needs_is_read_back(directory: RunDirectory) -> None:
    MODEL.write(directory.path)
    assert ModelFile.read(directory.path / "model.json") == MODEL


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"format": 99}, "another version of nlcore"),
        ({"mean": [0.1, 0.2]}, "not what a run writes"),
        ({"classes": []}, "not what a run writes"),
        ({"image_shape": [1, 0, 8]}, "not what a run writes"),
        ({"colour": "blue"}, "not what a run writes"),
    ],
)
def test_a_model_file_of_something_else(change: dict[str, Any], said: str, directory: RunDirectory) -> None:
    MODEL.write(directory.path)
    path = directory.path / "model.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(nlcore.UserError, match=said):
        ModelFile.read(path)


def test_a_folder_without_a_model_file(tmp_path: Path) -> None:
    with pytest.raises(nlcore.UserError, match=r"holds no trained model: model\.json is missing"):
        ModelFile.read(tmp_path / "model.json")
