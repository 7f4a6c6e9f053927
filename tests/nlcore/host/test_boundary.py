"""Whose code failed: a third party's component is named, with its distribution, version and method."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from helpers import TINY, install_plugin

import nlcore

PLUGIN = """
from dataclasses import dataclass
import torch
from nlcore import Component, hookimpl

NLCORE_API = 1

class Loss:
    def __call__(self, logits, targets, index=None):
        return torch.nn.functional.cross_entropy(logits, targets, reduction="none")

class BadSetup(Loss):
    def setup(self, ctx):
        raise KeyError("lost")

class BadCall(Loss):
    def __call__(self, logits, targets, index=None):
        return torch.ones(3) @ torch.ones(4)

class BadInit(Loss):
    def __init__(self):
        raise RuntimeError("cannot be made")

class Noise:
    def corrupt(self, labels, num_classes, rng, data=None):
        raise OSError(2, "no such file")

class Data:
    def load(self, source):
        raise OSError(2, "no such file")

class Architecture:
    def build(self, num_classes, image_shape):
        raise ZeroDivisionError("by zero")

@hookimpl
def nl_losses():
    names = {"bad_setup": "BadSetup", "bad_call": "BadCall", "bad_init": "BadInit"}
    return [Component(name, "bad_plugin:" + cls, "Fails.") for name, cls in names.items()]

@hookimpl
def nl_noise_models():
    return [Component("bad_noise", "bad_plugin:Noise", "Fails.")]

@hookimpl
def nl_datasets():
    return [Component("bad_data", "bad_plugin:Data", "Fails.")]

@hookimpl
def nl_architectures():
    return [Component("bad_net", "bad_plugin:Architecture", "Fails.")]
"""


@pytest.fixture(autouse=True)
def _bad(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    install_plugin(monkeypatch, tmp_path, "bad-plugin", PLUGIN, version="1.2")


@pytest.mark.parametrize(
    ("settings", "kind", "name", "method"),
    [
        ({"loss": "bad_setup"}, "loss", "bad_setup", r"BadSetup\.setup: KeyError"),
        ({"loss": "bad_call"}, "loss", "bad_call", r"BadCall\.__call__: RuntimeError"),
        ({"noise": "bad_noise"}, "noise", "bad_noise", r"Noise\.corrupt: FileNotFoundError"),
        ({"dataset": "bad_data"}, "dataset", "bad_data", r"Data\.load: FileNotFoundError"),
        ({"architecture": "bad_net"}, "architecture", "bad_net", r"Architecture\.build: ZeroDivisionError"),
    ],
)
def test_what_fails_at_work_is_one_sentence(settings: dict[str, str], kind: str, name: str, method: str) -> None:
    chosen = {key: value for key, value in TINY.items() if settings.get("architecture") is None or "width" not in key}
    if settings.get("architecture"):
        chosen["architecture"] = "bad_net"
    who = rf"The {kind} bad-plugin/{name} \(version 1\.2\) failed in {method}"
    with pytest.raises(nlcore.ComponentError, match=who):
        nlcore.run(quiet=True, **{**chosen, **settings})


def test_a_constructor_that_fails_is_found_before_any_work_is_done() -> None:
    with pytest.raises(nlcore.PluginError, match=r"loss bad-plugin/bad_init \(version 1\.2\) cannot be made"):
        nlcore.run(quiet=True, **TINY, loss="bad_init")


def test_a_strict_run_lets_errors_through(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NL_STRICT", "1")
    with pytest.raises(KeyError):
        nlcore.run(quiet=True, **TINY, loss="bad_setup")


def test_a_bug_of_ones_own_is_not_a_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise AssertionError("ours")

    monkeypatch.setattr("nlcore.training.evaluate.Evaluator.epoch", broken)
    with pytest.raises(AssertionError, match="ours"):
        nlcore.run(quiet=True, **TINY)
