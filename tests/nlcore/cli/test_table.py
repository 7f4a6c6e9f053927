"""``nl table``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from made_runs import make_run

from nlcore.rundir.result import Result


def write_run(name: str, **more: Any) -> Result:
    """Write what a finished run leaves for the table."""
    known: dict[str, Any] = {
        "status": "done",
        "dataset": "fashion_mnist",
        "noise": "symmetric",
        "architecture": "resnet18",
        "loss": "gce",
        "strategy": "standard",
        "seed": 1,
        "noise_seed": 1,
        "epochs": 20,
        "noise_rate": 0.4508,
        "test_accuracy": {"last": 0.8507, "mean_last_10": 0.8456, "selected": None, "best_oracle": 0.8817},
        "memorisation": {"clean_accuracy": 0.9, "memorised": 0.1234, "corrected": 0.5678},
        "labels_sha256": "dd7c71" + 58 * "0",
        "seconds": 9.1,
        "images_per_second": 4600.0,
        "peak_memory": 0.9,
    }
    content = known | more
    components = {slot: content.pop(slot) for slot in ("dataset", "noise", "architecture", "loss", "strategy")}
    result = Result(run_dir=Path("runs", name), components=components, **content)
    result.run_dir.mkdir(parents=True)
    (result.run_dir / "summary.json").write_text(json.dumps(result.to_json()))
    return result


def several() -> None:
    """Write runs that differ in a few things."""
    for loss in ("gce", "cross_entropy", "backward_correction"):
        for seed in (1, 2):
            options = {"architecture.width": 16} | ({"loss.q": 0.3} if loss == "gce" else {})
            name = f"fashion_mnist-symmetric-resnet18-{loss}-standard-seed{seed}-{len(loss):02}a1b2c{seed}"
            write_run(name, loss=loss, seed=seed, options=options)


def test_it_fits_80_columns_and_nothing_is_cut(nl: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    several()
    monkeypatch.setenv("COLUMNS", "80")
    table = nl("table")
    assert max(map(len, table.out.splitlines())) <= 80
    above, _, table_text = table.out.partition("\n\n")
    above = " ".join(above.split())
    for word in (
        "dataset fashion_mnist",
        "noise symmetric",
        "wrong 45.08%",
        "strategy standard",
        "architecture.width 16",
    ):
        assert word in above
    titles, *rows = table_text.splitlines()
    assert titles.split() == ["run", "loss", "seed", "parameters", "last", "last", "10", "memorised"]
    assert len(rows) == 6
    assert "03a1b2c1  gce                     1  loss.q 0.3  85.07%   84.56%     12.34%" in rows
    assert "…" not in table.out


def test_a_pipe_gets_the_same_lines_whole(nl: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    write_run("mine", options={f"loss.parameter{number}": 0.1 for number in range(20)})
    write_run("other")
    (line,) = (line for line in nl("table").out.splitlines() if line.startswith("mine"))
    assert all(f"loss.parameter{number} 0.1" in line for number in range(20))


def test_wide_shows_everything(nl: Any) -> None:
    several()
    titles, *rows = nl("table", "--wide").out.splitlines()
    for title in ("dataset", "best (oracle)", "corrected", "time", "images/s", "GB", "labels"):
        assert title in titles
    (row,) = (row for row in rows if row.startswith("fashion_mnist-symmetric-resnet18-gce-standard-seed1-03a1b2c1"))
    for cell in (
        "fashion_mnist",
        "88.17%",
        "56.78%",
        "9 s",
        "4,600",
        "0.9",
        "dd7c71",
        "loss.q 0.3",
        "architecture.width 16",
    ):
        assert cell in row


@pytest.mark.slow
def test_columns_are_what_evaluate_says_of_the_run(nl: Any, tiny: tuple[str, ...]) -> None:
    nl("run", *tiny, "--name", "one")
    said = nl("evaluate", "one", "--json").json
    line = nl("table", "--columns", "last, balanced_accuracy,ece,recall.3,precision.3,accuracy_interval").out
    titles, row = line.splitlines()[-2:]
    assert titles.split() == ["run", "last", "balanced_accuracy", "ece", "recall.3", "precision.3", "accuracy_interval"]
    three, (low, high) = said["per_class"][3], said["accuracy_interval"]
    shares = [said["accuracy"], said["balanced_accuracy"], said["ece"], three["recall"], three["precision"]]
    shares = [share for share in shares if share is not None]
    assert row.split() == ["one", *(f"{share:.2%}" for share in shares), f"{low:.1%}"[:-1], "to", f"{high:.1%}"]
    assert nl("table", "--json").json[0]["confusion"] == said["confusion"]


@pytest.mark.parametrize("with_", [("--wide",), ("--json",), ("--by", "loss")])
def test_columns_are_for_the_plain_table(nl: Any, with_: tuple[str, ...]) -> None:
    several()
    refused = nl("table", "--columns", "ece", *with_)
    assert refused.code == 2
    assert "--columns goes without --wide, --json and --by" in refused.err


def test_a_column_that_no_run_has_is_named(nl: Any) -> None:
    make_run(Path("runs"), [0.5])
    refused = nl("table", "--columns", "last,balanced_acuracy")
    assert refused.code == 2
    assert "Did you mean 'balanced_accuracy'" in refused.err


def test_the_names_shown_are_those_that_other_commands_take(nl: Any) -> None:
    several()
    write_run("mine")
    Path("photo.png").touch()
    names = [line.split()[0] for line in nl("table").out.partition("\n\n")[2].splitlines()[1:]]
    assert "mine" in names
    for name in names:
        assert "has no trained weights" in nl("predict", name, "photo.png").err
        assert "it has no environment.json" in nl("resume", name).err


def test_a_folder_without_runs_says_so(nl: Any, tmp_path: Path) -> None:
    empty = nl("table", ".")
    assert (empty.code, empty.out) == (0, "")
    assert "There are no runs in ." in empty.err
    assert nl("table", ".", "--json").json == []


def test_one_run_alone(nl: Any) -> None:
    run = write_run("mine", loss="elr").run_dir
    for words in ((), (str(run),)):
        shown = nl("table", *words).out
        assert "loss elr" in shown
        assert "85.07%" in shown


@pytest.mark.slow
def test_one_row_for_each_finished_run(nl: Any, tiny: tuple[str, ...]) -> None:
    first = nl("run", *tiny, "--strategy", "co_teaching", "--json").json
    second = nl("run", *tiny, "--seed", "2", "--validation", "0.2", "--json").json
    unfinished = nl("run", *tiny, "--seed", "3", "--json").json
    summary = Path(unfinished["run_dir"]) / "summary.json"
    summary.write_text(json.dumps(json.loads(summary.read_text()) | {"status": "running"}))
    table = nl("table")
    assert table.code == 0
    above, _, below = table.out.partition("\n\n")
    assert above.startswith("all runs: dataset digits, noise symmetric")
    titles, *rows = below.splitlines()
    assert titles.split()[:3] == ["run", "strategy", "seed"]
    assert len(rows) == 2
    assert f"{first['test_accuracy']['last']:.2%}" in rows[0]
    assert "oracle: noise rate" in rows[0]
    assert f"{second['test_accuracy']['selected']:.2%}" in rows[1]
    assert "oracle: " not in rows[1]
    assert "1 unfinished run not shown" in table.err
    assert nl("table", "--json").json == [first, second]


def test_a_diverged_run_is_marked(nl: Any, tiny: tuple[str, ...]) -> None:
    nl("run", *tiny, "--lr", "1e30")
    assert "diverged" in nl("table").out


def test_no_runs(nl: Any, tmp_path: Path) -> None:
    refused = nl("table")
    assert refused.code == 2
    assert "runs" in refused.err


def test_a_broken_summary_is_named_and_hides_no_other(nl: Any, tmp_path: Path) -> None:
    (tmp_path / "runs" / "broken").mkdir(parents=True)
    (tmp_path / "runs" / "broken" / "summary.json").write_text("{")
    table = nl("table")
    assert table.code == 0
    assert "left out" in table.err
    assert "broken" in table.err
