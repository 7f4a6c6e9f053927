"""``nl check``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from helpers import install_plugin, plugin_source

COMPONENT = '''
from dataclasses import dataclass

from nlcore import Component, hookimpl

NLCORE_API = 1


@hookimpl
def nl_noise_models():
    return [Component("shift", f"{__name__}:Shift", "Adds one to every label.")]


@dataclass
class Shift:
    """Adds one to every label."""

    def corrupt(self, labels, num_classes, rng, data=None):
        return EXPRESSION
'''
GOOD = COMPONENT.replace("EXPRESSION", "(labels + 1) % num_classes")
BAD = COMPONENT.replace("EXPRESSION", "labels + 1")


def test_a_component(nl: Any) -> None:
    checked = nl("check", "loss:gce")
    assert checked.code == 0
    lines = checked.out.splitlines()
    assert lines[0].startswith("loss:gce (nlcore ")
    assert any(line.startswith("gradient_is_that_of_the_value") and " passed " in line for line in lines)
    assert any(line.startswith("restores_its_state") and "It keeps no state." in line for line in lines)
    assert lines[-1] == "loss:gce: 1 component, 18 checks run: 18 passed, 0 failed; 2 not applicable"


def test_a_package_with_a_fault(nl: Any, monkeypatch: Any, tmp_path: Path) -> None:
    install_plugin(monkeypatch, tmp_path, "shifted-labels", BAD)
    checked = nl("check", "shifted-labels")
    assert checked.code == 1
    (line,) = [line for line in checked.out.splitlines() if line.startswith("gives_labels_within_range")]
    assert line.split(maxsplit=2)[1:] == ["failed", "It returns the label 10, outside 0..9."]
    report = nl("check", "shifted-labels", "--json")
    assert report.code == 1
    assert report.json["failed"] == 1
    assert report.json["passed"] + report.json["failed"] + report.json["not applicable"] == len(report.json["checks"])
    (failed,) = [check for check in report.json["checks"] if check["status"] == "failed"]
    assert failed == {
        "component": "noise:shift",
        "check": "gives_labels_within_range",
        "rule": "The given labels are int64 (N,) and lie within 0..K-1.",
        "status": "failed",
        "reason": "It returns the label 10, outside 0..9.",
    }


@pytest.mark.parametrize(("source", "code"), [(GOOD, 0), (BAD, 1)])
def test_a_file(nl: Any, monkeypatch: Any, tmp_path: Path, source: str, code: int) -> None:
    monkeypatch.setenv("NL_PLUGIN_PATH", "")  # what the command sets is undone
    monkeypatch.delitem(sys.modules, "shifting", raising=False)
    (tmp_path / "shifting.py").write_text(source)
    checked = nl("check", "shifting.py")
    assert checked.code == code
    assert checked.out.startswith("noise:shift (shifting file)")
    sys.modules.pop("shifting", None)


def test_wrong_usage(nl: Any, monkeypatch: Any, tmp_path: Path) -> None:
    unknown = nl("check", "nlcor")
    assert unknown.code == 2
    assert "Did you mean 'nlcore'" in unknown.err
    assert nl("check", "loss:gcee").code == 2
    slip = nl("check", "strategy:mixup", "--strategy.zz", "1")
    assert (slip.code, slip.out) == (2, "")
    assert "has no parameter 'zz'" in slip.err
    assert nl("check", "no_such_file.py").code == 2
    install_plugin(monkeypatch, tmp_path, "failing", plugin_source(nl_losses={"x": "a:B"}) + "\n1 / 0\n")
    failed = nl("check", "failing")
    assert failed.code == 2
    assert "ZeroDivisionError" in failed.err
