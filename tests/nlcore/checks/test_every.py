"""Each check of all kinds finds a component that breaks its rule."""

from __future__ import annotations

import dataclasses
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest
from helpers import install_plugin

from nlcore import Component, parameter
from nlcore.checks import NotApplicable, every
from nlcore.host.registry import Entry, registry


class Whole:
    """A component without parameters."""

    def corrupt(self, labels: Any, num_classes: int, rng: Any, data: Any = None) -> Any:
        """Return a copy."""
        return labels.copy()


def entry(target: str = f"{__name__}:Whole", paper: str = "", summary: str = "For a test.") -> Entry:
    """Return an entry of a noise model."""
    return Entry("noise", Component("broken", target, summary, paper), "a-plugin", "1.0")


def misnamed() -> Entry:
    """Return an entry whose record got past its own checks."""
    component = Component("broken", "a:B", "For a test.")
    object.__setattr__(component, "name", "Broken Name")
    return Entry("noise", component, "a-plugin", "1.0")


@dataclass
class Undocumented:
    rate: float = parameter(0.5, "")

    def corrupt(self, labels: Any, num_classes: int, rng: Any, data: Any = None) -> Any:
        """Return a copy."""
        return labels.copy()


class NeedsArgument:
    def __init__(self, rate: float) -> None:
        self.rate = rate


@dataclass
class OutOfRange:
    rate: float = parameter(1.5, "the rate", range="[0, 1]")


@dataclass
class OfAnotherType:
    rate: float = parameter("half", "the rate")


@dataclass
class NoChoice:
    way: Literal["up", "down"] = parameter("left", "where to")


class NoRepr:
    """Has what every object has."""


@dataclass
class StateInFields:
    calls: list[int] = dataclasses.field(default_factory=list, repr=False)

    def __post_init__(self) -> None:
        self.calls.append(id(self))


class HoldsLambda:
    def __init__(self) -> None:
        self.function = lambda: 1


def record(paper: str = "", summary: str = "For a test.") -> Any:
    """Return an entry that fits."""
    return entry(paper=paper, summary=summary)


BROKEN: list[tuple[Any, Any, str]] = [
    (every.record_is_well_formed, misnamed(), "not made of a-z"),
    (every.record_is_well_formed, record(paper="Smith et al."), "arXiv:NUMBER"),
    (every.record_is_well_formed, record(summary="x" * 200), "200 characters"),
    (every.target_has_a_manual_page, Undocumented, "no docstring"),
    (every.is_constructed_without_arguments, NeedsArgument, r"NeedsArgument\(\) raises TypeError"),
    (every.parameters_are_documented, Undocumented, "rate: float = parameter"),
    (every.parameters_are_documented, NeedsArgument, "no default"),
    (every.repr_gives_it_back, NoRepr, "no Python.*dataclass"),
    (every.repr_gives_it_back, StateInFields, "another one"),
    (every.pickles, HoldsLambda, "cannot be pickled"),
    (every.pickles, NoRepr, "not equal"),
]


@pytest.mark.parametrize(("check", "component", "words"), BROKEN)
def test_refuses(check: Any, component: Any, words: str, refuses: Any) -> None:
    refuses(check, component, words)


@pytest.mark.parametrize(
    ("cls", "words"),
    [(OutOfRange, r"must be a number in \[0, 1\]"), (OfAnotherType, "a number"), (NoChoice, "up or down")],
)
def test_refuses_a_default_that_is_not_allowed(cls: type, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        every.parameters_are_documented(cls)


def test_every_check_refuses_something() -> None:
    elsewhere = {every.hooks_leave_torch_unimported}
    assert {check for check, _, _ in BROKEN} | elsewhere == {*every.CHECKS_OF_THE_CLASS, *every.CHECKS_OF_THE_RECORD}


HOOKS = f"""{{first}}
from nlcore import Component, hookimpl

NLCORE_API = 1

@hookimpl
def nl_noise_models():
    return [Component("whole", "{__name__}:Whole", "For a test.")]
"""


@pytest.mark.slow
def test_hooks_that_import_torch_are_found(monkeypatch: Any, tmp_path: Path, refuses: Any) -> None:
    install_plugin(monkeypatch, tmp_path / "light", "light-plugin", HOOKS.format(first=""))
    install_plugin(monkeypatch, tmp_path / "heavy", "heavy-plugin", HOOKS.format(first="import torch"))
    every.hooks_leave_torch_unimported(registry().find("noise", "light-plugin/whole"))
    heavy = registry().find("noise", "heavy-plugin/whole")
    refuses(every.hooks_leave_torch_unimported, heavy, r"heavy-plugin imports torch.*\(\d+\.\d s")


def test_a_single_file_may_import_torch(monkeypatch: Any, tmp_path: Path) -> None:
    file = tmp_path / "of_one_file.py"
    file.write_text(HOOKS.format(first="import torch"))
    monkeypatch.setenv("NL_PLUGIN_PATH", os.fspath(file))
    monkeypatch.delitem(sys.modules, "of_one_file", raising=False)
    found = registry().find("noise", "of-one-file/whole")
    with pytest.raises(NotApplicable, match="single file"):
        every.hooks_leave_torch_unimported(found)
