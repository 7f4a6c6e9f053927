"""Collecting, running and finding, and what becomes of whatever a component raises."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers import install_plugin, plugin_source

from nlcore import Component, PluginError, UserError, parameter
from nlcore.checks import Outcome, checks_for, run_checks, suite
from nlcore.host.hookspecs import component_kinds
from nlcore.host.registry import Entry, registry


@dataclass
class NeedsFile:
    """Asks for a file."""

    def corrupt(self, labels: Any, num_classes: int, rng: Any, data: Any = None) -> Any:
        """Refuse."""
        raise UserError("There is no file of labels.")


@dataclass
class Breaks:
    """Has a bug, and is right where no bug is reached."""

    rate: float = parameter(0.5, "the rate", range="[0, 1]")

    def corrupt(self, labels: Any, num_classes: int, rng: Any, data: Any = None) -> Any:
        """Fail in three ways."""
        if self.rate == 0:
            assert len(labels) == 1
        if len(labels) > 2_000:
            sys.exit(3)
        return labels["no such"]

    def declared(self, num_classes: int) -> Any:
        """Not reached."""


@dataclass
class OutOfRange:
    """Has a default that is not allowed."""

    rate: float = parameter(2.0, "the rate", range="[0, 1]")

    def corrupt(self, labels: Any, num_classes: int, rng: Any, data: Any = None) -> Any:
        """Return a copy."""
        return labels.copy()


def outcomes(cls_name: str) -> dict[str, Outcome]:
    """Run all checks of a class of this module that concern its own code."""
    entry = Entry("noise", Component("tried", f"{__name__}:{cls_name}", "For a test."), "a-plugin", "1.0")
    return {outcome.check: outcome for outcome in run_checks([entry]) if "torch" not in outcome.check}


def test_what_asks_its_user_for_something_does_not_apply() -> None:
    found = outcomes("NeedsFile")
    assert found["gives_labels_within_range"].status == "not applicable"
    assert found["gives_labels_within_range"].reason == "There is no file of labels."
    assert found["pickles"].status == "passed"
    assert {outcome.component for outcome in found.values()} == {"noise:a-plugin/tried"}


def test_any_error_fails_its_check_and_says_where() -> None:
    found = outcomes("Breaks")
    assert found["gives_labels_within_range"].status == "failed"
    assert "IndexError" in found["gives_labels_within_range"].reason
    assert "test_suite.py, line" in found["gives_labels_within_range"].reason
    assert "AssertionError" in found["rate_zero_is_the_identity"].reason
    assert "SystemExit: 3" in found["declares_what_it_does"].reason
    assert found["is_constructed_without_arguments"].status == "passed"


def test_a_default_out_of_range_fails_with_what_is_allowed() -> None:
    found = outcomes("OutOfRange")
    assert found["parameters_are_documented"].status == "failed"
    assert found["parameters_are_documented"].reason.startswith("OutOfRange.rate = 2.0: must be a number in [0, 1]")


def test_what_cannot_be_imported_fails_every_check() -> None:
    found = outcomes("Missing")
    assert {found[name].status for name in ("target_has_a_manual_page", "pickles", "declares_what_it_does")} == {
        "failed"
    }
    assert "cannot be imported" in found["pickles"].reason


def test_every_rule_is_one_sentence_and_every_name_its_own() -> None:
    for kind in component_kinds():
        checks = checks_for(registry().of_kind(kind)[0])
        assert len({check.name for check in checks}) == len(checks) >= 9
        for check in checks:
            assert check.rule.endswith("."), check
            assert len(check.rule) <= 120, check


def test_a_check_leaves_torch_as_it_was() -> None:
    torch.set_num_threads(2)
    torch.manual_seed(7)
    before = torch.random.get_rng_state()
    for check in checks_for(registry().find("loss", "gce")):
        if check.name == "is_deterministic":
            check()
    assert torch.get_num_threads() == 2
    assert torch.equal(torch.random.get_rng_state(), before)


def test_finds_a_package_or_a_component() -> None:
    assert [entry.name for entry in suite.find("loss:gce")] == ["gce"]
    assert {entry.distribution for entry in suite.find("nlcore")} == {"nlcore"}
    assert [entry.kind for entry in suite.find("nlcore")][:2] == ["dataset", "dataset"]


@pytest.mark.parametrize(
    ("target", "near"), [("nlcor", "'nlcore'"), ("gce", "'loss:gce'"), ("loss:gcc", "'gce'"), ("other", "kind:name")]
)
def test_an_unknown_target_names_the_nearest(target: str, near: str) -> None:
    with pytest.raises(UserError, match=near):
        suite.find(target)


def test_a_plugin_that_failed_or_is_blocked_is_no_success(monkeypatch: Any, tmp_path: Path) -> None:
    install_plugin(monkeypatch, tmp_path / "a", "broken-plugin", "import nothing_like_this")
    with pytest.raises(PluginError, match="cannot be loaded: ModuleNotFoundError"):
        suite.find("broken_plugin")
    install_plugin(monkeypatch, tmp_path / "b", "fine-plugin", plugin_source(nl_noise_models={"x": "helpers:AsGiven"}))
    assert len(suite.find("Fine.Plugin")) == 1
    monkeypatch.setenv("NL_PLUGINS", "-fine-plugin")
    with pytest.raises(UserError, match="NL_PLUGINS"):
        suite.find("fine-plugin")


def test_importing_the_suite_does_not_import_torch() -> None:
    program = "import sys, nlcore.checks; print('torch' in sys.modules, 'pytest' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
