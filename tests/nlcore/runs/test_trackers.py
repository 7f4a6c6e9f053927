"""Trackers in a run: what they are told, that they go on with it, and that a failing one loses nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import toy
from helpers import install_plugin

import nlcore

#: One that writes down what it is told, one that fails where it is told to, and one that wants to hear no plan.
PLUGIN = """
import json
from dataclasses import dataclass
from nlcore import Component, hookimpl, parameter

NLCORE_API = 1

class Short:
    def start(self, run_dir, config, done):
        self.file = run_dir / "told.jsonl"
        self.tell("start", done, config["epochs"], sorted(path.name for path in run_dir.glob("samples.png")))

    def epoch(self, row):
        self.tell("epoch", row["epoch"], row["test_accuracy"])

    def end(self, summary):
        self.tell("end", summary["status"], sorted(path.name for path in self.file.parent.glob("c*.png")))

    def tell(self, *words):
        with self.file.open("a") as file:
            file.write(json.dumps(words) + "\\n")

@dataclass
class Diary(Short):
    word: str | None = parameter(None, "to begin with")

    def plan(self, words):
        self.tell("plan", self.word, words["training"].partition(",")[0])

@dataclass
class Broken(Short):
    where: str = parameter("start", "where it fails")

    def tell(self, what, *words):
        if what == self.where:
            raise ZeroDivisionError("no such luck")

@hookimpl
def nl_trackers():
    names = {"short": "Short", "diary": "Diary", "broken": "Broken"}
    return [Component(name, "diary_plugin:" + cls, "For a test.") for name, cls in names.items()]
"""


@pytest.fixture(autouse=True)
def _plugins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    toy.install(monkeypatch, tmp_path)
    install_plugin(monkeypatch, tmp_path, "diary-plugin", PLUGIN)


def run(**settings: Any) -> nlcore.Result:
    """Run two epochs on the toy."""
    return nlcore.run(**{**toy.SETTINGS, "name": "mine", "epochs": 2, **settings})


def told(result: nlcore.Result) -> list[list[Any]]:
    """Return what the diary was told."""
    return [json.loads(line) for line in (result.run_dir / "told.jsonl").read_text().splitlines()]


@pytest.mark.slow
def test_a_tracker_is_told_of_the_whole_run_and_again_when_it_goes_on() -> None:
    result = run(tracker="diary", **{"tracker.word": "dear"})
    accuracies = [row["test_accuracy"] for row in result.metrics]
    first = [
        ["start", 0, 2, ["samples.png"]],
        ["plan", "dear", "2 epochs"],
        ["epoch", 1, accuracies[0]],
        ["epoch", 2, accuracies[1]],
        ["end", "done", ["confusion.png", "curves.png"]],
    ]
    assert told(result) == first
    longer = nlcore.resume(result.run_dir, epochs=3)
    assert told(longer)[5:] == [
        ["start", 2, 3, ["samples.png"]],
        ["plan", "dear", "3 epochs"],
        ["epoch", 3, longer.metrics[2]["test_accuracy"]],
        ["end", "done", ["confusion.png", "curves.png"]],
    ]


def test_one_without_a_plan_is_told_the_rest() -> None:
    assert [words[0] for words in told(run(tracker="short"))] == ["start", "epoch", "epoch", "end"]


@pytest.mark.slow
def test_the_tracker_may_change_when_a_run_goes_on() -> None:
    """To none, which is remembered, and to another one, also with the parameters of that one alone."""
    result = run(tracker="diary", **{"tracker.word": "dear"})
    before = told(result)
    nlcore.resume(result.run_dir, epochs=3, tracker="none")
    nlcore.resume(result.run_dir, epochs=4)
    assert told(result) == before
    changes: dict[str, Any] = {"tracker": "diary", "tracker.word": "again"}
    nlcore.resume(result.run_dir, epochs=5, **changes)
    assert told(result)[len(before) + 1] == ["plan", "again", "5 epochs"]


@pytest.mark.slow
def test_a_tracker_changes_no_number_and_no_name() -> None:
    with_one = toy.outcome(run(tracker="diary,short", name="with").run_dir)
    assert toy.equal(toy.outcome(run(name="without").run_dir), with_one)
    named = {nlcore.run(quiet=True, tracker=name, **toy.SETTINGS).run_dir for name in ("none", "diary")}
    assert len(named) == 1


def test_without_trackers_no_sheet_is_drawn() -> None:
    assert not (run().run_dir / "samples.png").exists()


@pytest.mark.slow
@pytest.mark.parametrize("where", ["start", "epoch", "end"])
def test_one_that_fails_is_said_once_and_the_others_go_on(where: str, capsys: pytest.CaptureFixture[str]) -> None:
    result = run(tracker="broken,diary", **{"tracker.where": where})
    said = [line for line in capsys.readouterr().err.splitlines() if "broken" in line]
    assert said == [
        f"The tracker broken failed in {where} and is left out from here on: ZeroDivisionError: no such luck"
    ]
    assert [words[0] for words in told(result)] == ["start", "plan", "epoch", "epoch", "end"]
    assert result.status == "done"
