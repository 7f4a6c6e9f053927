"""``nl audit``: from a data set to the list, the page and a cleaned table; killed, asked again, given nonsense."""

from __future__ import annotations

import csv
import importlib
import json
import os
import re
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import plugin_source
from numpy.typing import NDArray
from PIL import Image
from sklearn.metrics import roc_auc_score

import nlcore
from nlcore import UserError
from nlcore.rundir.notebook import as_frame

#: Two networks that take about a second each.
DIGITS = ("--dataset", "digits", "--noise", "symmetric", "--noise.rate", "0.2", "--folds", "2")
TINY = ("--architecture.width", "4", "--epochs", "1", "--threads", "1", "--precision", "fp32", "--quiet")
PLAIN: dict[str, Any] = {"dataset": "image_folder", "dataset.folder": "photos", "dataset.size": 8, "quiet": True}
CLASSES = ("cat", "dog", "owl")


#: An architecture whose features are the mean colours, as if its weights had been learnt elsewhere.
READY_MADE = """
from dataclasses import dataclass

import torch
from nlcore import Component, hookimpl, parameter

NLCORE_API = 1


@hookimpl
def nl_architectures():
    return [Component("ready_made", "ready_made:ReadyMade", "For a test.")]


class Net(torch.nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.head = torch.nn.Linear(3, classes)

    def features(self, x):
        return x.mean((2, 3))

    def forward(self, x):
        return self.head(self.features(x))

    def stages(self):
        return [self.head]


@dataclass(frozen=True)
class ReadyMade:
    normalisation = ((0.5, 0.5, 0.5), (0.25, 0.25, 0.25))
    pretrained: bool = parameter(True, "whether to start from weights that were learnt elsewhere")

    def build(self, num_classes, image_shape):
        return Net(num_classes)
"""


def make_folder(each: int = 8, wrong: int = 2) -> dict[str, str]:
    """Make photos/, three classes of one colour each with noise; return the true class by id, some being wrong."""
    rng = np.random.default_rng(0)
    true = {}
    for k, name in enumerate(CLASSES):
        for number in range(each):
            k_given = (k + 1) % 3 if number < wrong else k
            place = Path("photos") / CLASSES[k_given] / f"{name}{number}.png"
            place.parent.mkdir(parents=True, exist_ok=True)
            pixels = rng.integers(0, 120, (8, 8, 3)) + 120 * np.eye(3, dtype=int)[k]
            Image.fromarray(pixels.astype(np.uint8)).save(place)
            true[place.relative_to("photos").as_posix()] = name
    return true


def probabilities(true: dict[str, str], path: str = "p.npz", **more: NDArray[Any]) -> str:
    """Write predictions that are mostly sure of the true class; return the file's name."""
    ids = np.array(sorted(true))
    p = np.array([[0.9 if true[one] == name else 0.05 for name in CLASSES] for one in ids])
    np.savez(path, **{"ids": ids, "probabilities": p, **more})  # type: ignore[arg-type]
    return path


def write_table(path: str, rows: Sequence[Sequence[object]]) -> None:
    """Write a CSV."""
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)


def rows_of(audit_dir: Path) -> list[dict[str, str]]:
    """Return ``issues.csv``."""
    with (audit_dir / "issues.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.slow
def test_networks_that_hold_samples_out_find_wrong_labels_and_are_not_trained_again(nl: Any) -> None:
    words = (*DIGITS, "--architecture.width", "8", "--epochs", "6", *TINY[4:], "--detector", "noise_model,margin")
    done = nl("audit", *words, "--json")
    assert done.code == 0, done.err
    place = Path(done.json["audit_dir"])
    rows = rows_of(place)
    assert [int(row["rank"]) for row in rows] == [*range(1, 1443)]
    p = [float(row["p_wrong"]) for row in rows]
    assert p == sorted(p, reverse=True)
    figures = {one["detector"]: one for one in done.json["figures"]}
    assert figures["noise_model"]["average_precision"] > 0.6  # 0.2 by chance
    assert figures["noise_model"]["at"]["100"] > 0.9
    assert done.json["truly_wrong"] == round(0.2 * 1442) or abs(done.json["truly_wrong"] - 288) < 45
    with np.load(place / "probabilities.npz") as file:
        assert file["probabilities"].dtype == np.float32
        np.testing.assert_allclose(file["probabilities"].sum(1), 1, atol=1e-4)
        assert set(file["folds"]) == {0, 1}
        assert file["classes"].tolist() == [str(k) for k in range(10)]
        given = {row["id"]: row["given"] for row in rows}
        named = zip(file["ids"].tolist(), file["labels"].tolist(), strict=True)
        assert all(given[one] == str(label) for one, label in named)
    before = {file: file.stat().st_mtime_ns for file in place.rglob("*")}
    again = nl("audit", *words, "--json")
    assert again.json == done.json
    assert {file: file.stat().st_mtime_ns for file in place.rglob("*")} == before
    other = nl("audit", *words[:-1], "margin", "--json")  # only ranked anew
    assert other.json["audit_dir"] == str(place)
    weights = [file for file in before if file.name == "weights.safetensors"]
    assert len(weights) == 2
    assert all(file.stat().st_mtime_ns == before[file] for file in weights)
    said = nl("audit", *words[:-1], "margin")
    assert "in truth" in said.out
    assert f"nl audit apply {place} decisions.csv" in said.out


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_killed_audit_goes_on_to_the_same_bits(nl: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = nl("audit", *DIGITS, *TINY, "--name", "a", "--audits-dir", "whole", "--json")
    process = os.fork()
    if not process:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115
        sys.argv = ["nl", "audit", *DIGITS, *TINY, "--name", "a", "--audits-dir", "killed"]
        from nlcore.cli import main

        try:
            main()
        finally:
            os._exit(0)
    kept = Path("killed/a/folds/r1-f1.npz")
    deadline = time.monotonic() + 120
    while not kept.exists() and time.monotonic() < deadline:
        time.sleep(0.005)
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)
    assert kept.exists()
    assert not Path("killed/a/summary.json").exists()
    before = kept.stat().st_mtime_ns
    done = nl("audit", *DIGITS, *TINY, "--name", "a", "--audits-dir", "killed", "--json")
    assert done.code == 0, done.err
    assert kept.stat().st_mtime_ns == before
    assert rows_of(Path("killed/a")) == rows_of(Path("whole/a"))
    assert done.json["interval"] == whole.json["interval"]
    assert done.json["id"] == whole.json["id"]


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_detectors_of_histories_rank_by_networks_of_any_audit_also_after_a_kill(nl: Any) -> None:
    words = (*DIGITS, *TINY[:2], "--epochs", "6", *TINY[4:], "--name", "a", "--audits-dir")
    whole = nl("audit", *words, "whole", "--json")  # nobody has asked for histories yet
    assert whole.code == 0, whole.err
    process = os.fork()
    if not process:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115
        sys.argv = ["nl", "audit", *words, "killed"]
        from nlcore.cli import main

        try:
            main()
        finally:
            os._exit(0)
    log, deadline = Path("killed/a/folds/r1-f1/metrics.jsonl"), time.monotonic() + 120
    while not (log.exists() and log.read_text().count("\n") >= 2) and time.monotonic() < deadline:
        time.sleep(0.005)
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)
    assert not Path("killed/a/folds/r1-f1.npz").exists()
    asked = ("--detector", "noise_model,aum,forgetting", "--json")
    found = {place: nl("audit", *words, place, *asked) for place in ("whole", "killed")}
    assert [one.code for one in found.values()] == [0, 0], [one.err for one in found.values()]
    assert rows_of(Path("killed/a")) == rows_of(Path("whole/a"))
    figures = {one["detector"]: one for one in found["whole"].json["figures"]}
    chance = found["whole"].json["truly_wrong"] / found["whole"].json["samples"]
    assert figures["aum"]["average_precision"] > 2 * chance
    assert figures["forgetting"]["average_precision"] > 1.2 * chance
    with np.load("whole/a/folds/r1-f1.npz") as kept, np.load("whole/a/probabilities.npz") as file:
        assert kept["margins"].shape == (6, 1442)
        held_out = file["folds"] == 0
        assert np.isnan(kept["margins"][:, held_out]).all()
        assert np.isfinite(kept["margins"][:, ~held_out]).all()
        arrays = dict(kept)
    np.savez("whole/a/folds/r1-f1.npz", log_probabilities=arrays["log_probabilities"])  # of an earlier version
    nl("audit", *words, "whole", "--detector", "margin")
    refused = nl("audit", *words, "whole", "--detector", "aum")
    assert refused.code == 2
    assert "r1-f1 has the history of 0 of its 6 epochs" in refused.err
    assert "--name" in refused.err


def test_a_folder_becomes_a_cleaned_table(nl: Any) -> None:
    true = make_folder()
    Path("photos/cat/broken.jpg").write_text("no picture")
    Image.open("photos/cat/cat5.png").save("photos/dog/copy.png")
    true["dog/copy.png"] = "cat"
    done = nl("audit", "--dataset", "image_folder", "--dataset.folder", "photos", "--dataset.size", "8",
              "--probabilities", probabilities(true), "--name", "a")  # fmt: skip
    assert done.code == 0, done.err
    assert "1 file cannot be read" in done.err
    assert "same pixels and have different labels" in done.err
    wrong = {one for one in true if one.partition("/")[0] != true[one]}
    rows = rows_of(Path("audits/a"))
    assert {row["id"] for row in rows[: len(wrong)]} == wrong  # the part that was split off for tests, too
    assert len(rows) == len(true)
    assert all(Path(row["path"]).samefile(Path("photos") / row["id"]) for row in rows)
    assert [row["suggested"] for row in rows[: len(wrong)]] == [true[row["id"]] for row in rows[: len(wrong)]]
    group = {row["duplicates"] for row in rows if row["id"] in ("dog/copy.png", "cat/cat5.png")}
    assert len(group) == 1
    assert group != {"0"}
    page = Path("audits/a/report.html").read_text(encoding="utf-8")
    assert "nl audit apply audits/a decisions.csv -o cleaned.csv" in page
    said = re.search(r"labels are wrong \(([0-9.]+) to ([0-9.]+) %\)", done.out)
    assert said is not None
    assert f"({said[1]} % to {said[2]} %)" in page
    assert "dog/copy.png" in page
    audit = json.loads(Path("audits/a/audit.json").read_text())["id"]
    lines = [f"{audit},{one},relabel,{true[one]}" for one in sorted(wrong)[1:]] + [f"{audit},{sorted(wrong)[0]},drop,"]
    Path("decisions.csv").write_text("\n".join(["audit,id,decision,label", *lines]))
    applied = nl("audit", "apply", "audits/a", "decisions.csv", "-o", "cleaned.csv")
    assert applied.code == 0, applied.err
    assert "drop 1" in applied.out
    with open("cleaned.csv", newline="", encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    assert len(table) == len(true) - 1
    assert all(true[row["id"]] == row["label"] for row in table)
    tiny = ("--architecture", "airbench", "--architecture.width", "4", "--epochs", "1", "--batch-size", "8")
    run = nl("run", "--dataset", "csv", "--dataset.train", "cleaned.csv", "--dataset.size", "8", *tiny)
    assert run.code == 0, run.err
    Image.new("RGB", (8, 8)).save(Path("photos") / sorted(wrong)[0])
    changed = nl("audit", "apply", "audits/a", "decisions.csv", "-o", "cleaned.csv")
    assert changed.code == 2
    assert sorted(wrong)[0] in changed.err
    Path("decisions.csv").write_text("audit,id,decision,label\nother,cat/cat5.png,drop,\n")
    other = nl("audit", "apply", "audits/a", "decisions.csv", "-o", "cleaned.csv")
    assert (other.code, "other" in other.err) == (2, True)


def test_the_page_shows_what_is_certain_and_follows_the_detector_that_ranks(nl: Any) -> None:
    true = make_folder()
    for name, colour in (("cat", "red"), ("dog", "green")):
        Image.new("RGB", (8, 8), colour).save(f"photos/{name}/plain.png")
        true[f"{name}/plain.png"] = name
    Path("photos/owl/copy.png").write_bytes(Path("photos/cat/cat5.png").read_bytes())
    true["owl/copy.png"] = "cat"
    nl("audit", "--dataset", "image_folder", "--dataset.folder", "photos", "--dataset.size", "8",
       "--probabilities", probabilities(true), "--detector", "margin,noise_model", "--name", "a")  # fmt: skip
    html = Path("audits/a/report.html").read_text(encoding="utf-8")
    samples = json.loads(html.partition('id="data">')[2].partition("</script>")[0])["samples"]
    ids = [one["id"] for one in samples]
    plain = [one for one in samples if one["id"].endswith("plain.png")]
    copy = next(one for one in samples if one["id"] == "owl/copy.png")
    assert "same pixels, another label" in copy["reasons"]
    assert copy["copies"] == "cat/cat5.png (cat), owl/copy.png (owl)"
    assert not any(one["copies"] for one in samples if one["id"] not in ("owl/copy.png", "cat/cat5.png"))
    assert [one["reasons"][-1] for one in plain] == ["one colour only"] * 2
    suspicious = [one["id"] for one in samples if {"probably wrong", "doubtful"} & set(one["reasons"])]
    assert suspicious == ids[: len(suspicious)]
    assert suspicious == [row["id"] for row in rows_of(Path("audits/a"))][: len(suspicious)]


def test_no_image_and_no_file_of_the_audit_is_written_over(nl: Any) -> None:
    true = make_folder()
    words = ("--dataset", "image_folder", "--dataset.folder", "photos", "--dataset.size", "8")
    nl("audit", *words, "--probabilities", probabilities(true), "--name", "a")
    audit = json.loads(Path("audits/a/audit.json").read_text())["id"]
    Path("decisions.csv").write_text(f"audit,id,decision,label\n{audit},cat/cat5.png,keep,\n")
    Path("link.csv").hardlink_to("photos/cat/cat5.png")
    own = [str(file) for file in Path("audits/a").iterdir()]
    for out in ("photos/cat/cat4.png", "link.csv", "decisions.csv", *own, "audits/a/folds/x.csv"):
        before = Path(out).read_bytes() if Path(out).exists() else None
        refused = nl("audit", "apply", "audits/a", "decisions.csv", "-o", out)
        assert (refused.code, "Name another" in refused.err or "no folder" in refused.err) == (2, True), out
        assert (Path(out).read_bytes() if Path(out).exists() else None) == before
    assert nl("audit", "apply", "audits/a", "decisions.csv", "-o", "audits/a/cleaned.csv").code == 0


def test_a_folder_that_was_moved_is_applied_to_where_it_is_now(nl: Any) -> None:
    true = make_folder()
    words = ("--dataset.size", "8", "--probabilities", probabilities(true), "--name", "a")
    nl("audit", "--dataset", "image_folder", "--dataset.folder", "photos", *words)
    Path("photos").rename("moved")
    assert nl("audit", "--dataset", "image_folder", "--dataset.folder", "moved", *words).code == 0
    audit = json.loads(Path("audits/a/audit.json").read_text())["id"]
    Path("decisions.csv").write_text(f"audit,id,decision,label\n{audit},cat/cat5.png,keep,\n")
    applied = nl("audit", "apply", "audits/a", "decisions.csv", "-o", "cleaned.csv")
    assert applied.code == 0, applied.err
    with open("cleaned.csv", newline="", encoding="utf-8") as file:
        assert all(Path(row["path"]).is_file() for row in csv.DictReader(file))


def test_python_gives_rows_the_interval_and_a_table_for_notebooks() -> None:
    true = make_folder()
    found = nlcore.audit(**PLAIN, probabilities=probabilities(true), name="a", detector=["noise_model", "margin"])
    assert found.interval is not None
    assert found.rate == pytest.approx(sum(found.interval) / 2)
    assert found.report.is_file()
    first = found.issues[0]
    assert (first.rank, first.flagged, first.given) == (1, True, first.id.partition("/")[0])
    assert first.suggested == true[first.id]
    assert set(first.scores) == {"noise_model", "margin"}
    assert "<table>" in found._repr_html_()
    assert "of 24 labels are wrong" in repr(found)
    Path("decisions.csv").write_text(f"audit,id,decision,label\n{found.summary['id']},{first.id},drop,\n")
    assert found.apply("decisions.csv", "cleaned.csv")["drop"] == 1
    frame = pytest.importorskip("pandas", reason="a DataFrame needs pandas") and found.frame()
    assert list(frame["id"]) == [one.id for one in found.issues]


def test_without_pandas_there_is_no_frame_as_for_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    found = nlcore.audit(**PLAIN, probabilities=probabilities(make_folder()), name="a")
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(UserError) as of_runs:
        as_frame([])
    with pytest.raises(UserError, match="pip install pandas") as of_audits:
        found.frame()
    assert str(of_audits.value) == str(of_runs.value)


@pytest.mark.parametrize("dataset", ["image_folder", "csv"])
def test_an_audit_is_called_after_the_users_folder_or_table(nl: Any, dataset: str) -> None:
    true = make_folder()
    write_table("cats.csv", [("path", "label"), *((f"photos/{one}", one.partition("/")[0]) for one in true)])
    words = ("--dataset.folder", "photos") if dataset == "image_folder" else ("--dataset.train", "cats.csv")
    named = true if dataset == "image_folder" else {f"photos/{one}": name for one, name in true.items()}
    called = words[1]
    given = ("--dataset", dataset, *words, "--dataset.size", "8", "--probabilities", probabilities(named))
    done = nl("audit", *given, "--audits-dir", "here")
    assert done.code == 0, done.err
    (place,) = Path("here").iterdir()
    assert place.name.startswith(f"{dataset}-")
    assert done.out.startswith(f"{place}: 24 labels of {called} audited\n")
    page = (place / "report.html").read_text(encoding="utf-8")
    assert f"<title>Which labels of {called} are wrong</title>" in page
    assert json.loads((place / "summary.json").read_text())["data"] == called


def test_predictions_may_come_as_a_table_as_logits_and_in_any_order() -> None:
    true = make_folder()
    first = nlcore.audit(**PLAIN, probabilities=probabilities(true), name="npz")
    with np.load("p.npz") as file:
        ids, p = file["ids"], file["probabilities"]
    order = np.random.default_rng(0).permutation(len(ids))
    columns = zip(p[order, 2], ids[order], p[order, 0], p[order, 1], strict=True)
    write_table("p.csv", [("owl", "id", "cat", "dog"), *columns])
    np.savez("z.npz", ids=ids[order], logits=np.log(p[order])[:, ::-1], classes=np.array(CLASSES[::-1]))
    for file_, name in (("p.csv", "csv"), ("z.npz", "logits"), ("audits/npz/probabilities.npz", "again")):
        found = nlcore.audit(**PLAIN, probabilities=file_, name=name)
        assert {(one.id, one.flagged) for one in found.issues} == {(one.id, one.flagged) for one in first.issues}


def test_rows_of_a_table_may_come_in_any_order() -> None:
    true = make_folder(20, 3)
    ids = sorted(true)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 5)) + 4 * np.eye(5)[[CLASSES.index(true[one]) for one in ids]]
    np.savez("f.npz", ids=np.array([f"photos/{one}" for one in ids]), features=x)
    found = []
    for number in range(2):
        order = rng.permutation(60)
        write_table("t.csv", [("path", "label"), *((f"photos/{ids[n]}", ids[n].partition("/")[0]) for n in order)])
        words: dict[str, Any] = {
            "audits_dir": f"audits{number}",
            "detector": "noise_model,knn",
            "dataset.train": "t.csv",
        }
        found.append(nlcore.audit(quiet=True, dataset="csv", features="f.npz", **{"dataset.size": 8, **words}))
    assert found[0].issues == found[1].issues
    assert found[0].summary["id"] == found[1].summary["id"]
    wrong = {f"photos/{one}" for one in true if one.partition("/")[0] != true[one]}
    assert {one.id for one in found[0].issues[: len(wrong)]} == wrong
    with np.load(found[0].audit_dir / "probabilities.npz") as file:
        assert set(file["folds"]) == {0, 1, 2, 3, 4}


def test_weights_that_an_architecture_brings_along_describe_all_images_once(
    nl: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    true = make_folder(12, 2)
    Path("ready_made.py").write_text(READY_MADE)
    monkeypatch.setenv("NL_PLUGIN_PATH", str(Path("ready_made.py").absolute()))
    words = ("--dataset", "image_folder", "--dataset.folder", "photos", "--dataset.size", "8", "--precision", "fp32")
    done = nl("audit", *words, "--architecture", "ready_made", "--detector", "noise_model,knn", "--name", "a", "--json")
    assert done.code == 0, done.err
    assert not Path("audits/a/folds").exists()  # nothing is trained
    wrong = {one for one in true if one.partition("/")[0] != true[one]}
    assert {row["id"] for row in rows_of(Path("audits/a"))[: len(wrong)]} == wrong
    with np.load("audits/a/features.npz") as file:
        kept = dict(zip(file["ids"].tolist(), file["features"], strict=True))
    image = np.asarray(Image.open("photos/owl/owl5.png"))
    np.testing.assert_allclose(kept["owl/owl5.png"], image.mean((0, 1)) / 255 / 0.25 - 2, atol=1e-3)  # its own scale


def test_an_image_that_is_far_from_all_others_is_named(nl: Any) -> None:
    true = make_folder(20, 3)
    ids = sorted(true)
    x = np.random.default_rng(0).normal(size=(60, 5)) * 0.1 + np.eye(5)[[CLASSES.index(true[one]) for one in ids]]
    x[7] = [0, 0, 0, 0, -3]
    np.savez("f.npz", ids=np.array(ids), features=x)
    words = ("--dataset", "image_folder", "--dataset.folder", "photos", "--dataset.size", "8", "--features", "f.npz")
    done = nl("audit", *words, "--name", "a")
    assert done.code == 0, done.err
    assert "far from all others" in done.err
    assert f"    {ids[7]} (" in done.err
    assert "perhaps it belongs to no class" in Path("audits/a/report.html").read_text(encoding="utf-8")


@pytest.mark.slow
def test_a_run_predicts_its_own_training_samples_and_says_what_that_means(nl: Any) -> None:
    run = nl("run", "--dataset", "digits", *TINY, "--name", "r", "--json")
    assert run.code == 0, run.err
    done = nl("audit", "--run", "r", "--quiet", "--json")
    assert done.code == 0, done.err
    assert done.json["samples"] == 1442
    assert "trained on these labels" in done.json["warnings"][0]
    assert done.json["truly_wrong"] > 0.35 * done.json["judged"]  # the run's own noise, 50 % symmetric
    refused = nl("audit", "--run", "r", "--detector", "aum")
    assert refused.code == 2
    assert "needs the history of a training" in refused.err
    assert "--run a run that was trained with --histories" in refused.err


def test_a_run_that_keeps_its_margins_ranks_by_them_however_often_it_was_stopped(nl: Any) -> None:
    words = ("run", "--dataset", "digits", *TINY[:2], *TINY[4:], "--noise.rate", "0.3", "--lr", "0.05")
    for name, epochs in (("whole", "4"), ("longer", "2")):
        done = nl(*words, "--epochs", epochs, "--name", name, "--histories")
        assert done.code == 0, done.err
    assert nl("resume", "longer", "--epochs", "4", "--quiet").code == 0
    margins = [np.load(f"runs/{name}/margins.npz")["margins"] for name in ("whole", "longer")]
    assert margins[0].shape == (4, 1442)
    np.testing.assert_array_equal(*margins)
    done = nl("audit", "--run", "longer", "--detector", "aum,forgetting", "--quiet", "--json")
    assert done.code == 0, done.err
    aum = done.json["figures"][0]
    assert (aum["detector"], aum["auroc"] > 0.7) == ("aum", True)
    known = np.load("runs/longer/labels.npz")
    ids = list(map(str, known["ids"].tolist()))
    wrong = dict(zip(ids, (known["given"] != known["true"]).tolist(), strict=True))
    mean = dict(zip(ids, margins[1].mean(0).tolist(), strict=True))
    rows = [row for row in rows_of(Path(done.json["audit_dir"])) if row["rank"]]
    expected = roc_auc_score([wrong[row["id"]] for row in rows], [-mean[row["id"]] for row in rows])
    assert aum["auroc"] == pytest.approx(expected, abs=1e-6)
    np.savez("runs/longer/margins.npz", margins=margins[1][:3])
    refused = nl("audit", "--run", "longer", "--detector", "aum", "--name", "other")
    assert (refused.code, "longer has not kept the margins of every epoch" in refused.err) == (2, True)
    for more in ((), ("--dry-run",)):
        mixed = nl(*words, "--strategy", "mixup", "--epochs", "1", "--histories", *more)
        assert (mixed.code, "--strategy, or leave --histories out" in mixed.err) == (2, True)


def test_a_folder_that_changed_is_named_and_kept_apart() -> None:
    true = make_folder()
    file = probabilities(true)
    nlcore.audit(**PLAIN, probabilities=file, name="a")
    Image.new("RGB", (8, 8), "red").save("photos/cat/cat4.png")
    with pytest.raises(UserError, match=r"another audit: 1 image is with other pixels \(cat/cat4\.png\).*--name"):
        nlcore.audit(**PLAIN, probabilities=file, name="a")
    assert nlcore.audit(**PLAIN, probabilities=file, name="b").audit_dir == Path("audits/b")


@pytest.mark.parametrize("setting", [{"dataset.random_box": 0.5}, {"dataset.mean": "0.4,0.4,0.4"}])
def test_how_images_are_shown_to_networks_makes_another_audit(setting: dict[str, Any]) -> None:
    file = probabilities(make_folder())
    nlcore.audit(**PLAIN, probabilities=file, name="a")
    with pytest.raises(UserError, match="another audit"):
        nlcore.audit(**PLAIN, **setting, probabilities=file, name="a")


def test_a_second_audit_of_the_name_changes_nothing_while_one_is_at_work(monkeypatch: pytest.MonkeyPatch) -> None:
    file = probabilities(make_folder())
    at_work = importlib.import_module("nlcore.report.audit.audit")
    write = at_work.write_results
    other: dict[str, Any] = {"dataset.mean": "0.4,0.4,0.4"}

    def meanwhile(*args: Any) -> None:
        before = {path: path.read_bytes() for path in Path("audits/a").glob("[!.]*") if path.is_file()}
        with pytest.raises(UserError, match="is being written to by process"):
            nlcore.audit(**PLAIN, **other, probabilities=file, name="a")
        assert {path: path.read_bytes() for path in Path("audits/a").glob("[!.]*") if path.is_file()} == before
        write(*args)

    monkeypatch.setattr(at_work, "write_results", meanwhile)
    found = nlcore.audit(**PLAIN, probabilities=file, name="a")
    assert found.summary["id"] == json.loads(Path("audits/a/audit.json").read_text())["id"]


def test_a_label_that_no_other_image_has_is_not_judged() -> None:
    true = make_folder()
    last = "photos/owl/owl7.png"
    images = [(f"photos/{one}", one.partition("/")[0]) for one in true if not last.endswith(one)]
    write_table("table.csv", [("path", "label"), *images, (last, "unicorn")])
    tested = {label: (image, label) for image, label in images}
    write_table("test.csv", [("path", "label"), *tested.values(), (last, "unicorn")])
    ids = np.array([f"photos/{one}" for one in true])
    seen = 4 * np.eye(3)[[CLASSES.index(one.split("/")[1]) for one in ids.tolist()]]
    np.savez("f.npz", ids=ids, features=seen + np.random.default_rng(0).normal(size=(24, 3)))
    settings: dict[str, Any] = {"dataset.train": "table.csv", "dataset.test": "test.csv", "dataset.size": 8}
    found = nlcore.audit(quiet=True, dataset="csv", features="f.npz", **settings)
    assert (found.summary["samples"], found.summary["judged"]) == (24, 23)
    unknown = found.issues[-1]
    assert (unknown.id, unknown.rank, unknown.p_wrong) == (last, None, None)
    frame = pytest.importorskip("pandas", reason="a DataFrame needs pandas") and found.frame()
    assert frame["rank"].tolist()[:23] == list(range(1, 24))
    assert frame[["rank", "p_wrong", "score_noise_model"]].iloc[23].isna().all()


@pytest.mark.parametrize("dataset", ["image_folder", "csv"])
def test_a_class_of_one_image_that_nothing_was_split_off_from_is_not_judged(nl: Any, dataset: str) -> None:
    make_folder()
    Path("photos/emu").mkdir()
    Image.new("RGB", (8, 8), "red").save("photos/emu/emu.png")
    ids = sorted(file.relative_to("photos").as_posix() for file in Path("photos").glob("*/*.png"))
    words = ("--dataset.folder", "photos") if dataset == "image_folder" else ("--dataset.train", "t.csv")
    named = ids if dataset == "image_folder" else [f"photos/{one}" for one in ids]
    write_table("t.csv", [("path", "label"), *((f"photos/{one}", one.partition("/")[0]) for one in ids)])
    seen = 4 * np.eye(4)[[("cat", "dog", "emu", "owl").index(one.partition("/")[0]) for one in ids]]
    np.savez("f.npz", ids=np.array(named), features=seen + np.random.default_rng(0).normal(size=seen.shape))
    sizes = ("--dataset.size", "8", "--folds", "9")
    done = nl("audit", "--dataset", dataset, *words, *sizes, "--features", "f.npz", "--name", "a")
    assert done.code == 0, done.err
    assert "1 label cannot be judged, as no other image has it: emu" in done.err
    assert "fewer than 9, so not in every part: cat, dog, emu, owl" in done.err
    assert "of 24 labels are wrong" in done.out
    assert "; 1 more is not judged" in done.out
    page = Path("audits/a/report.html").read_text(encoding="utf-8")
    assert "1 more label is not judged" in page
    last = rows_of(Path("audits/a"))[-1]
    assert (last["given"], last["rank"], last["p_wrong"], last["suggested"]) == ("emu", "", "", "")
    Path("decisions.csv").write_text("audit,id,decision,label\n")
    assert nl("audit", "apply", "audits/a", "decisions.csv", "-o", "cleaned.csv").code == 0
    assert "emu.png,emu" in Path("cleaned.csv").read_text()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--detector", "margn"), "Did you mean 'margin'"),
        (("--detector", "aum", "--features", "f.npz"), "needs the history of a training"),
        (("--detector", "forgetting", "--probabilities", "p.npz"), "let it train networks itself"),
        (("--detector", "knn"), "needs features"),
        (("--folds", "1"), "folds = 1"),
        (("--folds", "many"), "whole number"),
        (("--exclude", "ids.txt"), "leave --exclude out"),
        (("--features", "f.npz", "--probabilities", "p.npz"), "come from one of them"),
        (("--probabilities", "p.npz", "--folds", "3"), "nothing is fitted"),
        (("--probabilities", "nowhere.npz"), "nowhere.npz.\n"),
        (("--probabilities", "text.npz"), "no .npz file"),
        (
            ("--probabilities", "sums.npz"),
            "sums to 0.8 in the row of 'cat/cat5.png', not to 1. Logits are read from an array",
        ),
        (("--probabilities", "nan.npz"), "NaN or infinite in the row of 'cat/cat4.png'"),
        (("--probabilities", "other.npz"), "ids are not in it"),
        (("--probabilities", "twice.npz"), "is there twice"),
        (("--probabilities", "classes.npz"), "its classes are"),
        (("--probabilities", "wide.npz"), "3 classes"),
        (("--probabilities", "noids.npz"), "needs ids"),
        (("--probabilities", "nowhere.csv"), "nowhere.csv. Give a column id"),
        (("--probabilities", "sums.csv"), "sums to 0.5 in the row of 'cat/cat2.png', not to 1. Logits come as .npz"),
        (("--probabilities", "word.csv"), "line 2: 'much' is no number, in column cat"),
        (("--features", "nowhere.npz"), "nowhere.npz.\n"),
        (("--features", "other_f.npz"), "ids are not in it"),
        (("--features", "nan_f.npz"), "NaN or infinite in the row of 'cat/cat3.png'"),
        (("--run", "nowhere"), "no run"),
        (("--labels", "nowhere.csv"), "Give one with --labels FILE"),
        (("--labels", "photos"), "is a folder, and no file of labels. Give one with --labels FILE"),
        (("--detector", "aum", "--strategy", "mixup"), "does not tell: its network sees mixtures of images"),
        (("--detector", "margin,forgetting", "--strategy", "joint_optimisation"), "predictions in the place of labels"),
        (("--detector", "aum", "--strategy", "elr_plus"), "The detector aum ranks by how far the given label"),
        (("--labels", "cow.csv"), "'cow' is outside 0..2 and no name of a class"),
        (("--batch-size", "1000"), "Give a smaller --batch-size"),
        (("--audits-dir", "p.npz"), "Choose another folder with --audits-dir"),
        (("--lerning-rate", "1"), "No such option"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_trained(nl: Any, words: tuple[str, ...], said: str) -> None:
    true = make_folder()
    ids = np.array(sorted(true))
    probabilities(true)
    with np.load("p.npz") as file:
        p = file["probabilities"]
    Path("text.npz").write_text("no arrays")
    short, nan = p.copy(), p.copy()
    short[3] *= 0.8
    nan[2, 1] = np.nan
    np.savez("sums.npz", ids=ids, probabilities=short)
    np.savez("nan.npz", ids=ids, probabilities=nan)
    np.savez("other.npz", ids=np.arange(len(ids)), probabilities=p)
    np.savez("twice.npz", ids=np.array([ids[0], *ids[:-1]]), probabilities=p)
    np.savez("classes.npz", ids=ids, probabilities=p, classes=np.array(["cat", "dog", "cow"]))
    np.savez("wide.npz", ids=ids, probabilities=np.full((len(ids), 4), 0.25))
    np.savez("noids.npz", probabilities=p)
    np.savez("f.npz", ids=ids, features=p)
    np.savez("nan_f.npz", ids=ids, features=np.where(np.arange(len(ids))[:, None] == 1, np.nan, p))
    np.savez("other_f.npz", ids=np.arange(len(ids)), features=p)
    write_table("sums.csv", [("id", *CLASSES), *((one, 0.5, 0, 0) for one in ids)])
    write_table("word.csv", [("id", *CLASSES), *((one, "much", 0, 0) for one in ids)])
    write_table("cow.csv", [("id", "label"), (ids[0], "cow")])
    where = ("--dataset", "image_folder", "--dataset.folder", "photos", "--dataset.size", "8")
    refused = nl("audit", *where, *words)
    assert refused.code == 2
    assert said in refused.err
    assert "Traceback" not in refused.err
    assert not list(Path().glob("audits/*"))  # and the name is still free


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--probabilities", "sums.npz"), "sums to 0.3 in the row of 'a'"),
        (("--probabilities", "."), "There is no file"),
        (("--features", "gone.npz"), "gone.npz"),
        (("--run", "gone"), "gone"),
        (("--preset", "gone"), "There is no preset 'gone'"),
        (("gone.toml",), "There is no recipe gone.toml"),
        (("--labels", "gone.csv"), "gone.csv'. Give one with --labels FILE."),
        (("--labels", "folder"), "folder' is a folder, and no file of labels. Give one with --labels FILE."),
        (("--labels", "x" * 300), "too long. Give one with --labels FILE."),
        (("--noise", "stored"), "There is no file of labels ''. Give one with --labels FILE."),
        (("--noise", "transition_matrix", "--noise.file", "gone.npy"), "gone.npy'. Give one with --noise.file FILE."),
        (("--loss", "forward_correction", "--loss.transition", "gone.npy"), "Give one with --loss.transition FILE."),
        (("--init", "gone.pth"), "no run and no file of weights of this name"),
        (("--init", "sums.npz"), "cannot be read as weights"),
        (("--audits-dir", "sums.npz"), "sums.npz is a file. Choose another folder with --audits-dir"),
        (("--audits-dir", ".", "--name", "sums.npz"), "sums.npz is a file. Choose another name with --name"),
        (("--detector", "aum", "--strategy", "mixup"), "the strategy mixup does not tell"),
    ],
)
def test_what_is_named_is_looked_through_before_any_image_is(nl: Any, words: tuple[str, ...], said: str) -> None:
    np.savez("sums.npz", ids=np.array(["a", "b"]), probabilities=np.full((2, 3), 0.1))
    Path("folder").mkdir()
    before = sorted(Path().rglob("*"))
    images = ("--dataset", "image_folder", "--dataset.folder", "nowhere")
    assert "There is no folder" in nl("audit", *images).err
    refused = nl("audit", *images, *words)
    assert refused.code == 2
    assert said in refused.err
    assert "Traceback" not in refused.err
    assert sorted(Path().rglob("*")) == before


def test_pretrained_weights_are_looked_for_before_any_image_is(nl: Any) -> None:
    pytest.importorskip("torchvision", reason="its models need it")
    images = ("--dataset", "image_folder", "--dataset.folder", "nowhere", "--architecture", "torchvision")
    Path("text.pth").write_text("no weights")
    Path("folder.pth").mkdir()
    for given, said in (
        ("gone.pth", "there is no such file"),
        ("folder.pth", "this is a folder"),
        ("text.pth", "cannot be read as weights"),
    ):
        for command in ("audit", "run"):
            refused = nl(command, *images, "--architecture.pretrained", given)
            assert (refused.code, said in refused.err) == (2, True), refused.err


@pytest.mark.parametrize("theirs", [(), ("notes.txt",), ("notes.txt", "folds/notes.txt")])
def test_what_a_user_has_put_into_the_folder_of_a_refused_audit_stays(
    monkeypatch: pytest.MonkeyPatch, theirs: tuple[str, ...]
) -> None:
    file = probabilities(make_folder())
    at_work = importlib.import_module("nlcore.report.audit.audit")

    def refused(directory: Any, *others: Any) -> None:
        write(directory, *others)
        for name in theirs:
            (directory.path / name).parent.mkdir(exist_ok=True)
            (directory.path / name).write_text("mine")
        raise UserError("It cannot be.")

    write = at_work.write_results
    monkeypatch.setattr(at_work, "write_results", refused)
    with pytest.raises(UserError, match="It cannot be"):
        nlcore.audit(**PLAIN, probabilities=file, name="a")
    left = [path.relative_to("audits/a").as_posix() for path in Path("audits").glob("a/**/*") if path.is_file()]
    assert sorted(left) == sorted(theirs)
    assert Path("audits/a").exists() is bool(theirs)


def test_two_images_one_class_and_labels_that_all_stand_alone_are_refused(nl: Any) -> None:
    def refused(*words: str) -> str:
        done = nl("audit", *words, "--dataset.size", "8")
        assert done.code == 2
        assert not list(Path().glob("audits/*"))
        return str(done.err)

    make_folder(5, 0)
    table = ("--dataset", "csv", "--dataset.train", "t.csv", "--dataset.test", "t.csv")
    cats = [(f"photos/cat/cat{number}.png", "cat") for number in range(5)]
    write_table("t.csv", [("path", "label"), cats[0], ("photos/dog/dog0.png", "dog")])
    assert "2 images only; an audit needs at least 5" in refused(*table)
    write_table("t.csv", [("path", "label"), *cats])
    assert "one class only, 'cat'" in refused(*table)
    write_table("t.csv", [("path", "label"), *cats, ("photos/dog/dog0.png", "dog")])
    assert "Only 5 of 6 labels can be judged" in refused(*table)
    write_table("t.csv", [("path", "label"), *((path, str(number)) for number, (path, _) in enumerate(cats))])
    assert "one image only" in refused(*table[:4])


def test_help_has_both_commands(nl: Any) -> None:
    shown = nl("audit", "--help")
    assert shown.code == 0
    for word in ("--folds", "--detector", "--epochs", "--dataset NAME", "nl audit apply"):
        assert word in shown.out
    assert "decisions" in nl("audit", "apply", "--help").out.lower()


@pytest.mark.parametrize(("typed", "meant"), [("aply", "apply"), ("concensus", "consensus")])
def test_a_misspelt_command_is_named(nl: Any, typed: str, meant: str) -> None:
    done = nl("audit", typed, "audits/a", "decisions.csv", "-o", "cleaned.csv")
    assert done.code == 2
    assert f"{typed!r} is no command of nl audit, and no recipe either. Did you mean {meant!r}?" in done.err


def test_a_damaged_audit_is_no_traceback(nl: Any, tmp_path: Path) -> None:
    place = tmp_path / "broken"
    place.mkdir()
    (place / "audit.json").write_text("{}")
    (place / "summary.json").write_text("{}")
    (tmp_path / "decisions.csv").write_text("audit,id,decision,label\n")
    done = nl("audit", "apply", str(place), str(tmp_path / "decisions.csv"), "-o", str(tmp_path / "out.csv"))
    assert done.code == 2
    assert "is not finished" in done.err
    np.save(tmp_path / "p.npy", np.full((3, 2), 0.5))
    done = nl("audit", *DIGITS, *TINY, "--probabilities", str(tmp_path / "p.npy"))
    assert done.code == 2
    assert "Traceback" not in done.err


def test_what_an_audit_does_not_do_is_refused(nl: Any) -> None:
    for words in (("--trusted", "20"), ("--validation", "0.2")):
        done = nl("audit", *DIGITS, *TINY, *words)
        assert done.code == 2
        assert "an audit looks at all labels" in done.err


def test_a_name_is_free_again_where_nothing_was_predicted(nl: Any, tmp_path: Path) -> None:
    data = nlcore.dataset("digits")
    probabilities = np.full((len(data.train.labels), 10), 0.1)
    wrong = probabilities.copy()
    wrong[0, 0] = np.nan
    words = [*DIGITS[:2], *TINY, "--name", "mine", "--probabilities"]
    for name, values, code in (("wrong", wrong, 2), ("right", probabilities, 0)):
        np.savez(tmp_path / f"{name}.npz", ids=data.train.ids, probabilities=values)
        assert nl("audit", *words, str(tmp_path / f"{name}.npz")).code == code
    (Path("audits") / "killed").mkdir()
    np.savez(Path("audits") / "killed" / "samples.npz", ids=data.train.ids)  # killed before it had a name
    again = [word if word != "mine" else "killed" for word in words]
    assert nl("audit", *again, str(tmp_path / "right.npz")).code == 0


@pytest.mark.slow
def test_where_no_number_can_be_said_it_ends_with_what_may_give_one(nl: Any) -> None:
    done = nl("audit", *DIGITS, *TINY[:-1], "--name", "a")
    assert done.code == 0, done.err
    said = done.out.partition("\n\nin truth")[0].splitlines()
    assert said[1].startswith("How many labels are wrong cannot be said. The model predicts another class")
    assert "more likely wrong than right" not in done.out  # of networks that know nothing
    listed = json.loads(Path("audits/a/summary.json").read_text())["listed"]
    assert f"the {listed:,} most suspicious are on the page, all are ranked in issues.csv" in said
    assert said[-2:] == [
        "then: nl audit apply audits/a decisions.csv -o cleaned.csv",
        "for a number start from weights: add --architecture torchvision --architecture.pretrained true and another "
        "--name",
    ]
    assert "2 networks (airbench (width 4), 1 epoch), each" in done.err


@pytest.mark.slow
def test_why_there_is_no_history_is_said_as_it_is(nl: Any) -> None:
    words = (*DIGITS, *TINY[:2], "--epochs", "2", *TINY[4:], "--name", "a")
    assert nl("audit", *words).code == 0
    kept, history = (Path(f"audits/a/folds/r1-f2{ending}.npz") for ending in ("", ".history"))
    with np.load(kept) as file:
        margins = file["margins"]
    kept.unlink()
    for known, count in ((None, 0), (margins[:1], 1)):
        if known is not None:
            np.savez(history, margins=known)
        refused = nl("audit", *words, "--detector", "noise_model,aum")
        assert refused.code == 2
        assert f"r1-f2 has the history of {count} of its 2 epochs, and aum ranks by all of them" in refused.err
        assert "Give another --name" in refused.err
    assert nl("audit", *words, "--detector", "margin").code == 0  # for which nothing is missing


#: It trains, and shows its loss what it predicts in the first epoch alone; it does not say so.
SILENT = (
    plugin_source(nl_strategies={"silent": "silent:Silent"})
    + """
class Silent:
    def setup(self, ctx):
        self.ctx, self.network = ctx, ctx.network()
        self.loss = ctx.loss(self.network)
        self.optimizer = ctx.optimizer(self.network, self.loss)

    def begin_epoch(self, epoch):
        self.first = epoch == 1

    def step(self, batch):
        logits = self.network(batch.images)
        if self.first:
            self.loss.observe(logits, batch.index)
        return self.ctx.minimise(self.optimizer, self.loss(logits, batch.targets, batch.index).mean())

    def predict(self, images):
        return self.network(images)
"""
)


@pytest.mark.slow
def test_a_strategy_that_does_not_show_its_predictions_is_refused_after_its_first_network(
    nl: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("silent.py").write_text(SILENT)
    monkeypatch.setenv("NL_PLUGIN_PATH", str(Path("silent.py").absolute()))
    words = (*DIGITS, *TINY[:2], "--epochs", "2", *TINY[4:], "--name", "a", "--strategy", "silent")
    refused = nl("audit", *words, "--detector", "margin,forgetting")
    assert refused.code == 2
    assert "The strategy silent does not show in every epoch what its networks predict, so forgetting" in refused.err
    assert [one.name for one in Path("audits/a/folds").iterdir() if one.is_dir()] == ["r1-f1"]
    assert nl("audit", *words).code == 0  # its network is not trained again
