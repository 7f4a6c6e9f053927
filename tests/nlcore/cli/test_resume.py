"""``nl resume``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nlcore.training.trainer import Trainer


@pytest.mark.slow
def test_goes_on_to_the_same_numbers(nl: Any, tiny: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    words = (*tiny, "--epochs", "2")
    straight = nl("run", *words, "--name", "straight", "--json").json
    train_epoch = Trainer.train_epoch

    def stop_in_the_second(self: Trainer, number: int, observers: Any = ()) -> Any:
        if number == 2:
            raise KeyboardInterrupt
        return train_epoch(self, number, observers)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "train_epoch", stop_in_the_second)
        stopped = nl("run", *words, "--name", "stopped")
    assert stopped.code == 130
    assert "nl resume runs/stopped" in stopped.err
    assert "unfinished" in nl("table").err
    resumed = nl("resume", "runs/stopped", "--json")
    assert resumed.code == 0
    assert "going on after epoch 1" in resumed.err
    assert resumed.json["test_accuracy"] == straight["test_accuracy"]
    assert resumed.json["memorisation"] == straight["memorisation"]
    again = nl("resume", "runs/stopped")
    assert again.code == 0
    assert "done already" in again.err


@pytest.mark.slow
def test_only_a_few_things_may_change(nl: Any, tiny: tuple[str, ...]) -> None:
    nl("run", *tiny, "--name", "mine")
    for words, said in (
        (("--lr", "0.5"), "--lr"),
        (("--epochs", "0"), "epochs"),
        (("--loss.q", "0.5"), "--loss.q"),
        (("--device", "cuda:99"), "cuda:99"),
    ):
        refused = nl("resume", "runs/mine", *words)
        assert refused.code == 2
        assert said in refused.err


def test_no_run(nl: Any, tmp_path: Path) -> None:
    for place in ("nowhere", str(tmp_path)):
        refused = nl("resume", place)
        assert refused.code == 2
        assert "is no run" in refused.err


@pytest.mark.slow
def test_a_wrong_value_is_told_the_one_of_the_run(nl: Any, tiny: tuple[str, ...]) -> None:
    nl("run", *tiny, "--epochs", "1", "--name", "mine")
    refused = nl("resume", "runs/mine", "--epochs", "abc")
    assert refused.code == 2
    assert "epochs = abc: must be a whole number at least 1 (otherwise: 1)" in refused.err


@pytest.mark.slow
def test_a_parameter_may_be_given_with_or_without_an_equals_sign(nl: Any, tiny: tuple[str, ...]) -> None:
    nl("run", *tiny, "--epochs", "1", "--name", "mine")
    for words in (("--dataset.colour", "red"), ("--dataset.colour=red",), ("--dataset.colour",)):
        refused = nl("resume", "runs/mine", *words)
        assert refused.code == 2
        assert "has no parameter 'colour'" in refused.err
