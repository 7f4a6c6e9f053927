"""Several runs as one picture and one data frame, for Python."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from made_runs import make_run

import nlcore
from nlcore import Result, UserError
from nlcore.rundir.result import accuracies


def made(folder: Path, *accuracy: float, **words: Any) -> Result:
    """Return a finished run."""
    return Result.read(make_run(folder, accuracy, **words))


def lines(figure: Any) -> dict[str, list[float]]:
    """Return the lines of a picture by the name at their end."""
    (axes,) = figure.axes
    names = {text.get_color(): text.get_text().partition(":")[0] for text in axes.texts}
    return {names[line.get_color()]: line.get_ydata().tolist() for line in axes.lines if line.get_color() in names}


def test_a_mapping_names_the_lines_which_are_means(tmp_path: Path) -> None:
    one = made(tmp_path, 0.25, 0.5, loss="gce")
    others = [made(tmp_path, first, 0.5, strategy="mixup", seed=seed) for seed, first in ((1, 0.25), (2, 0.75))]
    assert lines(nlcore.plot({"mine": one, "mixed": others})) == {"mine": [0.25, 0.5], "mixed": [0.5, 0.5]}


def test_without_names_lines_go_by_what_differs(tmp_path: Path) -> None:
    made(tmp_path, 0.25, loss="gce", loss__q=0.3)
    made(tmp_path, 0.75, loss="gce", loss__q=0.6)
    assert lines(nlcore.plot(tmp_path)) == {"0.3": [0.25], "0.6": [0.75]}
    assert nlcore.frame(tmp_path)["loss.q"].tolist() == [0.3, 0.6]


def test_a_run_may_be_given_alone_and_by_its_directory(tmp_path: Path) -> None:
    one = made(tmp_path, 0.5, loss="gce")
    for given in (one, one.run_dir, str(one.run_dir), [one]):
        assert lines(nlcore.plot(given)) == {"gce": [0.5]}


def test_a_row_has_the_runs_name_what_tells_it_apart_and_its_end(tmp_path: Path) -> None:
    one, other = made(tmp_path, 0.25, loss="gce"), made(tmp_path, 0.5, loss="elr", seed=7)
    rows = nlcore.frame({"mine": one, "theirs": [other]}).to_dict("records")
    assert [(row["name"], row["loss"], row["seed"], row["last"]) for row in rows] == [
        ("mine", "gce", 1, 0.25),
        ("theirs", "elr", 7, 0.5),
    ]
    assert rows[0]["run_dir"] == str(one.run_dir)
    assert "dataset" not in rows[0]  # the same in both


def test_a_further_test_set_has_a_column_of_its_name(tmp_path: Path) -> None:
    apart = accuracies([{"epoch": 1, "test_accuracy": 0.75}])
    one = made(tmp_path, 0.25, loss="gce", result={"further_tests": {"clean_val": apart}})
    other = made(tmp_path, 0.5, loss="elr")
    rows = nlcore.frame([one, other]).to_dict("records")
    assert rows[0]["clean_val"] == 0.75
    assert rows[0]["last"] == 0.25
    assert rows[1]["clean_val"] != rows[1]["clean_val"]  # not a number: it has none


def test_what_is_refused_is_said_in_words_of_python(tmp_path: Path) -> None:
    for loss in ("gce", "elr"):
        made(tmp_path, 0.5, loss=loss, noise__rate=0.2)
    with pytest.raises(UserError, match=r"differ in loss \(elr, gce\)\. Give by = noise\.rate,loss, or") as refused:
        nlcore.plot(tmp_path, by=["noise.rate"])
    assert "--" not in str(refused.value)


@pytest.mark.parametrize("given", [[], {}, {"mine": []}])
def test_no_run_is_refused(given: Any) -> None:
    for what in (nlcore.plot, nlcore.frame):
        with pytest.raises(UserError, match="No run is given"):
            what(given)


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"7 is no run: give what nlcore\.run returns"):
        nlcore.plot([7])  # type: ignore[list-item]
    with pytest.raises(UserError, match="There is no folder"):
        nlcore.frame(tmp_path / "missing")
    with pytest.raises(UserError, match="There is no finished run in"):
        nlcore.frame(tmp_path)


def test_a_metric_that_the_runs_lack_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^metric memorized: the runs have no such number"):
        nlcore.plot(made(tmp_path, 0.5), metric="memorized")
