"""From runs to rows: what is averaged, and what never is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import toy
from helpers import install_plugin
from made_runs import forget, make_run, make_study

import nlcore
from nlcore.errors import ParameterError, UserError
from nlcore.studies.groups import Groups, differing, group
from nlcore.studies.read import read_runs


def grouped(folder: Path, by: str) -> Groups:
    """Return the runs of a folder in rows."""
    return group(read_runs(folder).runs, by.split(","))


def test_runs_of_all_seeds_are_one_row(tmp_path: Path) -> None:
    make_study(tmp_path, {"gce": [0.5, 0.6], "elr": [0.7]})
    rows = grouped(tmp_path, "loss").rows
    assert [(row.key, [run.result.seed for run in row.runs]) for row in rows] == [(("elr",), [1]), (("gce",), [1, 2])]


def test_words_are_those_of_nl_run(tmp_path: Path) -> None:
    """A parameter that was not given has its default, one that the component does not have is None, lr is short."""
    make_run(tmp_path, [0.5], loss="gce", lr=0.3, epochs=7)
    make_run(tmp_path, [0.5], loss="mae", lr=0.1, epochs=7)
    groups = grouped(tmp_path, "loss,loss.q,lr,noise.rate,epochs,architecture.width,batch-size,preset")
    assert groups.by[2] == "optimizer.lr"
    assert [row.key for row in groups.rows] == [
        ("gce", 0.7, 0.3, 0.5, 7, 16, 128, "none"),
        ("mae", None, 0.1, 0.5, 7, 16, 128, "none"),
    ]


def test_presets_are_a_word(tmp_path: Path) -> None:
    make_run(tmp_path, [0.5], seed=1, result={"preset": {"name": "quick", "unlike": []}})
    make_run(tmp_path, [0.5], seed=1)
    assert [row.key for row in grouped(tmp_path, "preset").rows] == [("none",), ("quick",)]


def test_numbers_are_sorted_by_size(tmp_path: Path) -> None:
    for epochs in (100, 20, 3):
        make_run(tmp_path, [0.5], epochs=epochs)
    assert [row.key for row in grouped(tmp_path, "epochs").rows] == [(3,), (20,), (100,)]


def test_runs_that_differ_in_more_than_seeds_are_refused_with_what_to_add(tmp_path: Path) -> None:
    for q in (0.3, 0.7):
        make_run(tmp_path, [0.5], loss="gce", loss__q=q, noise__rate=0.2)
    make_run(tmp_path, [0.5], loss="elr", noise__rate=0.2)
    with pytest.raises(UserError, match=r"of loss gce differ in loss\.q \(0\.3, 0\.7\)\. Give by = loss,loss\.q,"):
        grouped(tmp_path, "loss")
    assert len(grouped(tmp_path, "loss,loss.q").rows) == 3


def test_parameters_of_other_components_are_not_what_differs(tmp_path: Path) -> None:
    make_study(tmp_path, {"gce": [0.5], "elr": [0.5]})
    with pytest.raises(
        UserError, match=r"those of noise.rate 0.5 differ in loss \(elr, gce\)\. Give by = noise.rate,loss,"
    ):
        grouped(tmp_path, "noise.rate")


def test_all_words_that_are_needed_are_said_at_once(tmp_path: Path) -> None:
    make_run(tmp_path, [0.5], loss="gce", epochs=3)
    make_run(tmp_path, [0.5], loss="gce", epochs=4)
    make_run(tmp_path, [0.5], loss="elr", batch_size=32)
    make_run(tmp_path, [0.5], loss="elr", batch_size=64)
    with pytest.raises(UserError, match=r"Give by = loss,(batch_size,epochs|epochs,batch_size),"):
        grouped(tmp_path, "loss")


def test_where_it_was_computed_does_not_matter(tmp_path: Path) -> None:
    make_run(tmp_path, [0.5], seed=1, threads=1, device="cpu")
    make_run(tmp_path, [0.5], seed=2, threads=2)
    assert len(grouped(tmp_path, "loss").rows) == 1


def test_the_same_seeds_twice(tmp_path: Path) -> None:
    make_run(tmp_path, [0.5], seed=1, noise_seed=2)
    make_run(tmp_path, [0.5], seed=1, noise_seed=2)
    with pytest.raises(UserError, match=r"has seed 1, noise seed 2 twice: run-0000 and run-0001\. Move"):
        grouped(tmp_path, "loss")


def test_other_labels_or_other_data_are_never_averaged(tmp_path: Path) -> None:
    make_run(tmp_path / "labels", [0.5], seed=1, labels="a")
    make_run(tmp_path / "labels", [0.5], seed=2, labels="b")
    with pytest.raises(UserError, match="has runs of noise seed 1 with other labels: run-0000 and run-0001"):
        grouped(tmp_path / "labels", "loss")
    make_run(tmp_path / "data", [0.5], seed=1)
    make_run(tmp_path / "data", [0.5], seed=2, data="other")
    with pytest.raises(UserError, match="has runs with other data: run-0000 and run-0001"):
        grouped(tmp_path / "data", "loss")


def test_labels_may_differ_between_noise_seeds(tmp_path: Path) -> None:
    make_run(tmp_path, [0.5], seed=1, noise_seed=1, labels="a")
    make_run(tmp_path, [0.5], seed=2, noise_seed=2, labels="b")
    assert len(grouped(tmp_path, "loss").rows) == 1


def test_other_code_is_told(tmp_path: Path) -> None:
    make_run(tmp_path, [0.5], loss="gce", seed=1, code="old")
    make_run(tmp_path, [0.5], loss="gce", seed=2, code="new")
    assert grouped(tmp_path, "loss").notes == ("loss gce: runs differ in the code of the loss",)


@pytest.mark.parametrize("word", ["epoch_batches", "sampling", "loss.q", "augmentation.size"])
def test_what_a_run_was_made_without_counts_as_its_default(word: str, tmp_path: Path) -> None:
    """A setting or a parameter that came later parts no runs, in the table and in what the runs differ in."""
    words: dict[str, Any] = {"loss": "gce", "augmentation": "crop_flip+cutout"}
    forget(make_run(tmp_path, [0.5], seed=1, **words), word)
    make_run(tmp_path, [0.5], seed=2, **words)
    assert [len(row.runs) for row in grouped(tmp_path, f"loss,{word}").rows] == [2]
    assert differing(read_runs(tmp_path).runs) == []
    pytest.importorskip("pandas", reason="a DataFrame needs pandas")
    others = {"epoch_batches": 7, "sampling": "balanced", "loss__q": 0.3, "augmentation__size": 4}
    make_run(tmp_path, [0.5], seed=3, **{**words, **others})
    for frame in (nlcore.frame(tmp_path), nlcore.frame({str(place): place for place in sorted(tmp_path.iterdir())})):
        assert frame[word].nunique(dropna=False) == 2
        assert frame[word][0] == frame[word][1] != frame[word][2]


def test_of_a_component_that_is_gone_no_default_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_plugin(monkeypatch, tmp_path / "plugin", "toy-plugin", toy.PLUGIN)
    forget(make_run(tmp_path / "runs", [0.5], seed=1, architecture="tiny"), "architecture.width")
    make_run(tmp_path / "runs", [0.5], seed=2, architecture="tiny")
    monkeypatch.undo()
    with pytest.raises(UserError, match=r"differ in architecture\.width \(–, "):
        grouped(tmp_path / "runs", "loss")


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("los", "Did you mean 'loss'"),
        ("noise_rate", "Did you mean 'noise.rate'"),
        ("q", "Did you mean 'loss.q'"),
        ("learning_rate", "Did you mean 'optimizer.lr'"),
        ("strategy.alpha", "The runs differ in loss, seed."),
    ],
)
def test_an_unknown_word_is_refused_with_the_nearest(typed: str, said: str, tmp_path: Path) -> None:
    make_study(tmp_path, {"gce": [0.5, 0.5], "mae": [0.5]})
    with pytest.raises(ParameterError, match=said):
        grouped(tmp_path, typed)


def test_the_last_word_goes_across_unless_it_is_a_parameter_of_another(tmp_path: Path) -> None:
    for loss in ("gce", "mae"):
        for rate in (0.5, 0.2):
            make_run(tmp_path, [0.5], loss=loss, noise__rate=rate)
    assert grouped(tmp_path, "loss,noise.rate").across == (0.2, 0.5)
    assert grouped(tmp_path, "noise.rate,loss").across == ("gce", "mae")
    assert grouped(tmp_path, "noise.rate,loss,loss.q").across == ()
    assert grouped(tmp_path, "noise.rate,loss,epochs").across == ()
