"""The suite as an author runs it: pytest, on an installed package."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from helpers import install_plugin, plugin_source

from nlcore import UserError
from nlcore.checks import parametrize_with_checks

COMPONENTS = '''
from dataclasses import dataclass
import numpy as np

@dataclass
class Good:
    """Leaves labels alone."""

    def corrupt(self, labels, num_classes, rng, data=None):
        return labels.copy()

@dataclass
class Global:
    """Draws from the wrong generator."""

    def corrupt(self, labels, num_classes, rng, data=None):
        return np.where(np.random.random(len(labels)) < 0.5, 0, labels)
'''

TESTS = """
from nlcore.checks import parametrize_with_checks

@parametrize_with_checks("some-noise", expected_failures={expected})
def test_conformance(check):
    check()
"""

TRUE = {"noise:global/same_generator_gives_same_labels": "a known fault", "gives_labels_within_range": "it does not"}


def run_pytest(path: Path, expected: dict[str, str]) -> str:
    """Run an author's test file in a process of its own and return what pytest says."""
    file = path / "test_author.py"
    file.write_text(TESTS.format(expected=expected))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "pytest", "-rA", "-p", "no:cacheprovider", "--rootdir", str(path), str(file)]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False, cwd=path).stdout


@pytest.fixture
def plugin(monkeypatch: Any, tmp_path: Path) -> Path:
    """Install a package with a noise model that fits and one that does not."""
    targets = {"good": "some_components:Good", "global": "some_components:Global"}
    install_plugin(monkeypatch, tmp_path, "some-noise", plugin_source(nl_noise_models=targets))
    (tmp_path / "site-packages" / "some_components.py").write_text(COMPONENTS)
    return tmp_path


@pytest.mark.slow
def test_expected_failures_are_strict(plugin: Path) -> None:
    said = run_pytest(plugin, TRUE)
    assert "PASSED test_author.py::test_conformance[noise:good/same_generator_gives_same_labels]" in said
    assert (
        "XFAIL test_author.py::test_conformance[noise:global/same_generator_gives_same_labels] - a known fault" in said
    )
    assert "FAILED test_author.py::test_conformance[noise:good/gives_labels_within_range]" in said
    assert "[XPASS(strict)] it does not" in said
    assert "It declares nothing." in said
    assert "2 failed, 17 passed, 6 skipped, 1 xfailed" in said


@pytest.mark.usefixtures("plugin")
@pytest.mark.parametrize(
    ("expected", "words"),
    [
        ({"is_deterministc": "x"}, "no check 'is_deterministc'"),
        ({"same_generator": "x"}, "same_generator_gives_same_labels"),
        ({"pickles": " "}, "say in a few words why"),
        ({"noise:nothing/pickles": "x"}, "noise:good/pickles"),
    ],
)
def test_expected_failures_are_known_and_have_a_reason(expected: dict[str, str], words: str) -> None:
    with pytest.raises(UserError, match=words):
        parametrize_with_checks("some-noise", expected)


def test_unknown_package() -> None:
    with pytest.raises(UserError, match="nlcore"):
        parametrize_with_checks("nlcoar")
