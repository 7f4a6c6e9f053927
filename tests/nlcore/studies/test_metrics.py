"""The numbers of runs by name, and how runs are read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from made_runs import make_run

from nlcore.errors import ParameterError, UserError
from nlcore.studies.metrics import at_the_end, by_epoch, metric_of_epochs, metric_of_runs
from nlcore.studies.read import read_runs


def test_numbers_of_the_summary_and_of_the_last_epoch(tmp_path: Path) -> None:
    more = {"memorisation": {"memorised": 0.3}, "seconds": 12.5}
    columns = {"memorised": [0.1, 0.2], "selection_auc": [0.7, 0.8], "mine": [1.0, 2.0]}
    make_run(tmp_path, [0.5, 0.4], columns=columns, result=more)
    runs = read_runs(tmp_path).runs
    found = {
        name: at_the_end(runs[0], metric_of_runs(name, runs))
        for name in ("last", "mean_last_10", "best_oracle", "selected", "memorised", "seconds", "selection_auc", "mine")
    }
    assert found == {
        "last": 0.4,
        "mean_last_10": 0.45,
        "best_oracle": 0.5,
        "selected": None,
        "memorised": 0.3,
        "seconds": 12.5,
        "selection_auc": 0.8,
        "mine": 2.0,
    }


def test_numbers_of_a_class(tmp_path: Path) -> None:
    cat = {"name": "cat", "count": 4, "accuracy": 0.25, "recall": 0.25, "precision": None}
    classes = [cat, {**cat, "name": "x.y", "recall": 0.5}]
    make_run(tmp_path, [0.5], result={"per_class": classes})
    runs = read_runs(tmp_path).runs
    named = ("recall.cat", "precision.cat", "recall.x.y")
    assert [at_the_end(runs[0], metric_of_runs(name, runs)) for name in named] == [0.25, None, 0.5]
    with pytest.raises(ParameterError, match=r"no class kat\. Did you mean 'cat'\? They have cat, x\.y\."):
        metric_of_runs("recall.kat", runs)


def test_a_diverged_run_ended_with_its_last_epoch(tmp_path: Path) -> None:
    make_run(tmp_path, [0.5, 0.4], columns={"memorised": [0.1, 0.2]}, result={"status": "diverged"})
    runs = read_runs(tmp_path).runs
    assert at_the_end(runs[0], metric_of_runs("memorised", runs)) == 0.2


def test_columns_by_epoch(tmp_path: Path) -> None:
    make_run(tmp_path, [0.5, 0.4], columns={"train_loss": [1.5, None]})
    runs = read_runs(tmp_path).runs
    assert by_epoch(runs[0], metric_of_epochs("train_loss", runs)) == [1.5, None]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("test_acuracy", "Did you mean 'test_accuracy'?"),
        ("last", "They have test_accuracy, selection_auc"),
        ("selection_auc", "it was not measured in any of the runs"),
    ],
)
def test_a_column_that_is_not_there(name: str, said: str, tmp_path: Path) -> None:
    make_run(tmp_path, [0.5], columns={"selection_auc": [None]})
    with pytest.raises(ParameterError) as refused:
        metric_of_epochs(name, read_runs(tmp_path).runs)
    assert said in str(refused.value)


def test_a_number_that_is_not_there(tmp_path: Path) -> None:
    make_run(tmp_path, [0.5])
    with pytest.raises(ParameterError, match="Did you mean 'mean_last_10'") as refused:
        metric_of_runs("mean_last", read_runs(tmp_path).runs)
    assert "They have last, mean_last_10, selected, best_oracle" in str(refused.value)


def test_what_is_not_finished_or_damaged_is_left_out_and_said(tmp_path: Path) -> None:
    make_run(tmp_path, [0.5])
    make_run(tmp_path, [0.5], result={"status": "running"})
    (make_run(tmp_path, [0.5]) / "config.toml").write_text("[")
    (make_run(tmp_path, [0.5]) / "config.toml").write_text("epochs = [1]")
    (make_run(tmp_path, [0.5]) / "environment.json").write_text("{}")
    (make_run(tmp_path, [0.5]) / "summary.json").write_text("[]")
    found = read_runs(tmp_path)
    assert [run.name for run in found.runs] == ["run-0000"]
    assert found.unfinished == 1
    assert [reason.split(" ")[0].rsplit("/", 1)[1] for reason in found.damaged] == [
        "config.toml",
        "config.toml",
        "environment.json",
        "summary.json",
    ]


def test_one_run_alone(tmp_path: Path) -> None:
    assert len(read_runs(make_run(tmp_path, [0.5])).runs) == 1


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="There is no folder"):
        read_runs(tmp_path / "missing")


def test_files_are_known_by_content_and_not_by_their_place(tmp_path: Path) -> None:
    """A folder of images that was moved is the same data."""
    from nlcore.studies.groups import group

    for seed, place in ((1, "/here"), (2, "/there")):
        run = make_run(tmp_path, [0.5], seed=seed)
        about = json.loads((run / "environment.json").read_text())
        about["fingerprint"]["config"]["dataset"]["folder"] = "(by content)"
        (run / "environment.json").write_text(json.dumps(about))
        config = (run / "config.toml").read_text().replace("[dataset]\n", f'[dataset]\nfolder = "{place}"\n')
        (run / "config.toml").write_text(config)
    runs = read_runs(tmp_path).runs
    assert [run.words["dataset.folder"] for run in runs] == ["/here", "/there"]
    assert len(group(runs, ["loss"]).rows) == 1
