"""What a run reports, and reading it back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from made_runs import make_run
from scipy.stats import binomtest

import nlcore
from nlcore.rundir.directory import RunDirectory
from nlcore.rundir.result import Result, accuracies, per_class


def rows(test: list[float], held_out: list[float] | None = None) -> list[dict[str, Any]]:
    """Return the metrics of as many epochs."""
    validation: list[Any] = list(held_out) if held_out else [None] * len(test)
    return [
        {"epoch": number, "test_accuracy": t, "validation_accuracy": v}
        for number, (t, v) in enumerate(zip(test, validation, strict=True), start=1)
    ]


def made(path: Path, **more: Any) -> Result:
    """Return the result of a run that has begun."""
    names: dict[str, Any] = {"dataset": "d", "noise": "n", "architecture": "a", "loss": "l", "strategy": "s"}
    return Result(run_dir=path, status="running", components=names, seed=1, noise_seed=2, epochs=3, **more)


def test_accuracies_without_an_epoch_are_unknown() -> None:
    assert accuracies([]) == {"last": None, "mean_last_10": None, "selected": None, "best_oracle": None}


def test_accuracies_of_few_epochs() -> None:
    found = accuracies(rows([0.25, 0.75, 0.5]))
    assert found == {"last": 0.5, "mean_last_10": 0.5, "selected": None, "best_oracle": 0.75}


def test_the_mean_is_over_the_last_ten() -> None:
    found = accuracies(rows([1.0] * 5 + [0.0] * 9 + [0.5]))
    assert found["mean_last_10"] == pytest.approx(0.05)
    assert found["best_oracle"] == 1.0


def test_selected_is_the_test_accuracy_of_the_epoch_that_is_best_on_held_out_data() -> None:
    found = accuracies(rows([0.1, 0.2, 0.9, 0.4], [0.3, 0.6, 0.2, 0.5]))
    assert found["selected"] == 0.2


def test_of_epochs_that_are_equally_good_the_first_is_selected() -> None:
    assert accuracies(rows([0.1, 0.2, 0.3], [0.0, 0.5, 0.5]))["selected"] == 0.2


def test_each_class_is_counted_in_the_confusion_matrix() -> None:
    """4 images of a, 3 of them right; none of b; 2 of c, never right."""
    found = per_class(("a", "b", "c"), np.array([[3, 1, 0], [0, 0, 0], [1, 1, 0]]))
    columns = [(one["name"], one["count"], one["accuracy"]) for one in found]
    assert columns == [("a", 4, 0.75), ("b", 0, None), ("c", 2, 0.0)]


def test_a_summary_holds_the_figures_of_the_last_epoch(tmp_path: Path) -> None:
    """Precisions: of 4 predicted as a 3 are, of 2 as b none, none as c. The interval of 3 of 6 by scipy."""
    confusion = np.array([[3, 1, 0], [0, 0, 0], [1, 1, 0]])
    result = made(tmp_path, per_class=per_class(("a", "b", "c"), confusion), test_accuracy=accuracies(rows([0.5])))
    content = json.loads(json.dumps(result.to_json()))
    assert [one["precision"] for one in content["per_class"]] == [0.75, 0.0, None]
    assert [one["recall"] for one in content["per_class"]] == [0.75, None, 0.0]
    assert content["balanced_accuracy"] == 0.375
    expected = binomtest(3, 6).proportion_ci(method="wilson")
    assert content["accuracy_interval"] == pytest.approx([expected.low, expected.high])
    assert result.lines()[0] == "test accuracy: last epoch 50.00% (95% interval 18.8 to 81.2%)" + (
        ", mean of the last 10 50.00%, best of all epochs (oracle) 50.00%"
    )


def test_with_many_test_images_the_interval_takes_no_room(tmp_path: Path) -> None:
    classes = per_class(("a", "b"), np.array([[5_000, 0], [2_500, 2_500]]))
    lines = made(tmp_path, per_class=classes, test_accuracy=accuracies(rows([0.75]))).lines()
    assert lines[0].startswith("test accuracy: last epoch 75.00%, mean")


def test_without_a_test_there_are_no_figures(tmp_path: Path) -> None:
    content = made(tmp_path).to_json()
    assert content["accuracy_interval"] is None
    assert content["balanced_accuracy"] is None


def test_classes_that_are_never_right_are_said_with_the_mean_over_classes(tmp_path: Path) -> None:
    """(0.75 + 0) / 2 over the classes that have images."""
    classes = per_class(("a", "b", "c"), np.array([[3, 1, 0], [0, 0, 0], [1, 1, 0]]))
    lines = made(tmp_path, per_class=classes).lines()
    assert "mean over classes: 37.50%" in lines
    assert "never right: c (on none of their test images; try --sampling balanced, or more epochs)" in lines


@pytest.mark.parametrize("sampling", ["balanced", None])
def test_balancing_classes_is_no_advice_where_they_are_balanced_or_the_method_chooses(
    sampling: str | None, tmp_path: Path
) -> None:
    classes = per_class(("a", "b"), np.array([[3, 1], [2, 0]]))
    RunDirectory(tmp_path).write_json("summary.json", made(tmp_path, per_class=classes, sampling=sampling).to_json())
    assert "never right: b (on none of their test images; try more epochs)" in Result.read(tmp_path).lines()


def test_more_epochs_are_the_advice_where_classes_are_of_one_size(tmp_path: Path) -> None:
    classes = per_class(("a", "b"), np.array([[4, 1], [4, 0]]))
    lines = made(tmp_path, per_class=classes).lines()
    assert "never right: b (on none of their test images; try more epochs)" in lines


@pytest.mark.parametrize("key", ["seed", "noise_seed", "epochs"])
def test_a_summary_without_a_number_is_not_what_a_run_writes(key: str, tmp_path: Path) -> None:
    RunDirectory(tmp_path).write_json("summary.json", {**made(tmp_path).to_json(), key: None})
    with pytest.raises(nlcore.UserError, match="is not what a run writes"):
        Result.read(str(tmp_path))


@pytest.mark.parametrize(
    "row", ['{"epoch": "a", "test_accuracy": 0.5}', '{"epoch": 1, "test_accuracy": "b"}', "[]", "3"]
)
def test_metrics_that_no_run_writes_are_refused(row: str, tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").write_text(f'{{"epoch": 1, "test_accuracy": 0.5}}\n{row}\n')
    with pytest.raises(nlcore.UserError, match="is not what a run writes"):
        RunDirectory(tmp_path).metrics()


def test_the_components_stand_beside_the_rest_in_json(tmp_path: Path) -> None:
    content = made(tmp_path).to_json()
    assert (content["loss"], content["dataset"]) == ("l", "d")
    assert "components" not in content


def test_a_result_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    result = made(
        tmp_path,
        oracles=("noise rate",),
        per_class=per_class(("a",), np.array([[2]])),
        test_accuracy=accuracies(rows([0.1])),
        seconds=1.5,
        message="stopped",
    )
    RunDirectory(tmp_path).write_json("summary.json", result.to_json())
    assert Result.read(tmp_path) == result


def test_a_result_is_plain_json(tmp_path: Path) -> None:
    content = made(tmp_path, oracles=("noise rate",)).to_json()
    assert json.loads(json.dumps(content, allow_nan=False)) == content
    assert content["run_dir"] == str(tmp_path)
    assert content["noise_rate"] is None


def test_a_run_that_was_moved_is_where_it_is(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    RunDirectory(tmp_path / "there").write_json("summary.json", made(tmp_path / "here").to_json())
    assert Result.read(tmp_path / "there").run_dir == tmp_path / "there"


def test_what_a_later_version_adds_does_not_matter(tmp_path: Path) -> None:
    RunDirectory(tmp_path).write_json("summary.json", {**made(tmp_path).to_json(), "colour": "blue"})
    assert Result.read(tmp_path) == made(tmp_path)


def test_no_run(tmp_path: Path) -> None:
    with pytest.raises(nlcore.UserError, match="is no run"):
        Result.read(tmp_path)
    with pytest.raises(nlcore.UserError, match="is no run"):
        Result.read(tmp_path / "missing")


@pytest.mark.parametrize("content", ["{}", '{"status": "done"}', "[]", "3", '{"oracles": 3}'])
def test_a_summary_of_something_else(content: str, tmp_path: Path) -> None:
    (tmp_path / "summary.json").write_text(content)
    with pytest.raises(nlcore.UserError, match="not what a run writes"):
        Result.read(tmp_path)


@pytest.mark.parametrize("content", [b"{", b"\xff\xfe", b""])
def test_a_summary_that_cannot_be_read(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "summary.json").write_bytes(content)
    with pytest.raises(nlcore.UserError, match="cannot be read"):
        Result.read(tmp_path)


def test_the_metrics_are_those_of_the_directory(tmp_path: Path) -> None:
    for row in rows([0.1, 0.2]):
        RunDirectory(tmp_path).append_metrics(row)
    assert made(tmp_path).metrics == rows([0.1, 0.2])


def test_a_result_is_shown_in_a_few_lines(tmp_path: Path) -> None:
    result = made(
        tmp_path, test_accuracy=accuracies(rows([0.1])), memorisation={"memorised": 0.2, "corrected": 0.3}, seconds=1.5
    )
    assert repr(result).splitlines() == [
        "Result: running",
        "  l, s, a on d, n noise, seed 1",
        "  test accuracy: last epoch 10.00%, mean of the last 10 10.00%, best of all epochs (oracle) 10.00%",
        "  mislabelled training images: 20.00% memorised, 30.00% corrected",
        f"  run: {tmp_path}",
    ]


def test_a_run_is_called_after_the_users_folder(tmp_path: Path) -> None:
    assert repr(made(tmp_path, data="photos")).splitlines()[1] == "  l, s, a on photos, n noise, seed 1"


def test_the_history_has_a_column_for_each_number(tmp_path: Path) -> None:
    for row in ({"epoch": 1, "test_accuracy": 0.1}, {"epoch": 2, "test_accuracy": 0.2, "lr": 0.5}):
        RunDirectory(tmp_path).append_metrics(row)
    assert made(tmp_path).history == {"epoch": [1, 2], "test_accuracy": [0.1, 0.2], "lr": [None, 0.5]}


def test_a_run_without_epochs_has_no_history(tmp_path: Path) -> None:
    assert made(tmp_path).history == {}


def test_a_notebook_shows_the_same_lines_as_a_table(tmp_path: Path) -> None:
    result = made(tmp_path, test_accuracy=accuracies(rows([0.1])), message="<b>no & more</b>")
    root = ElementTree.fromstring(result._repr_html_())
    assert root.findtext("caption") == "Result: running. l, s, a on d, n noise, seed 1"
    shown = {row.findtext("th"): row.findtext("td") for row in root.iterfind("tbody/tr")}
    assert shown == {
        "test accuracy": "last epoch 10.00%, mean of the last 10 10.00%, best of all epochs (oracle) 10.00%",
        "running": "<b>no & more</b>",
        "run": str(tmp_path),
    }


def test_a_notebook_shows_the_curves_beneath_the_table(tmp_path: Path) -> None:
    (tmp_path / "curves.png").write_bytes(b"\x89PNG")
    root = ElementTree.fromstring(made(tmp_path)._repr_html_())
    assert [one.tag for one in root] == ["table", "img"]
    assert root[1].get("src") == "data:image/png;base64,iVBORw=="


def test_the_epochs_are_a_data_frame_and_a_picture(tmp_path: Path) -> None:
    pytest.importorskip("pandas", reason="a data frame needs pandas")
    memorised = {"memorised": [0.1, 0.75]}
    result = Result.read(make_run(tmp_path, [0.25, 0.5], columns=memorised, loss="gce"))
    assert result.frame()["test_accuracy"].tolist() == [0.25, 0.5]
    lines = result.plot().axes[0].lines
    assert [line.get_ydata().tolist() for line in lines] == [[0.25, 0.5], [0.1, 0.75]]  # type: ignore[union-attr]
