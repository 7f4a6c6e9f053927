"""The errors that users see."""

from __future__ import annotations

import pytest

import nlcore
from nlcore.errors import did_you_mean, plural


def test_a_user_error_catches_all_that_users_can_do_wrong() -> None:
    assert issubclass(nlcore.ParameterError, nlcore.UserError)
    assert issubclass(nlcore.PluginError, nlcore.UserError)
    assert issubclass(nlcore.ParameterError, ValueError)  # as Python code expects for a wrong value


@pytest.mark.parametrize(
    ("word", "candidates", "said"),
    [
        ("epoch", ["epochs", "seed"], " Did you mean 'epochs'?"),
        ("gcc", ["gce", "elr"], " Did you mean 'gce'?"),
        ("resnet1", ["resnet18", "vgg"], " Did you mean 'resnet18'?"),
        ("xyzzy", ["gce", "elr"], ""),
        ("anything", [], ""),
        ("beta", ["ema", "data_dir", "seed"], ""),
        ("alpha", ["help", "labels"], ""),
        ("RESNET18", ["resnet18", "vgg"], " Did you mean 'resnet18'?"),
        ("batch-size", ["batch_size"], " Did you mean 'batch_size'?"),
        ("validat", ["validation", "lr"], " Did you mean 'validation'?"),
    ],
)
def test_did_you_mean(word: str, candidates: list[str], said: str) -> None:
    assert did_you_mean(word, candidates) == said


def test_did_you_mean_names_at_most_three_nearest_first() -> None:
    said = did_you_mean("resnet", ["resnet1", "resnet22", "resnet333", "resnet4444", "resnet5"])
    assert said.count("'") == 6
    assert said.index("'resnet5'") < said.index("'resnet22'")
    assert said.index("'resnet1'") < said.index("'resnet22'")


def test_plurals() -> None:
    assert [plural(number, "epoch") for number in (0, 1, 2)] == ["0 epochs", "1 epoch", "2 epochs"]
    assert plural(1797, "image") == "1,797 images"
    assert [plural(number, "class", "classes") for number in (1, 10)] == ["1 class", "10 classes"]
