"""What a run depends on besides its own file: modules that a method shares with others, and files that it reads."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import toy
from helpers import install_plugin

import nlcore
from nlcore.runs import fingerprint

HOOKS = """
from nlcore import Component, hookimpl

NLCORE_API = 1

@hookimpl
def nl_losses():
    return [Component("parted", "in_parts.loss:Parted", "In two files.")]
"""
LOSS = '''
from in_parts import scale
from in_parts.terms import cross_entropy

class Parted:
    """Cross-entropy times a factor."""

    def __call__(self, logits, targets, index=None):
        return scale.FACTOR * cross_entropy(logits, targets)
'''
TERMS = """
from torch.nn import functional as F

def cross_entropy(logits, targets):
    return F.cross_entropy(logits.float(), targets, reduction="none")
"""


@pytest.fixture(autouse=True)
def _toy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    toy.install(monkeypatch, tmp_path)


def run(**settings: object) -> Path:
    """Run as a new process would, which reads every source anew."""
    fingerprint.source_sha256.cache_clear()
    return nlcore.run(quiet=True, **{**toy.SETTINGS, **settings}).run_dir


@pytest.mark.slow
@pytest.mark.parametrize("edited", ["terms.py", "scale.py"])
def test_an_edit_of_what_a_method_shares_is_noticed(
    edited: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A function and a module that the loss takes from its package; a module that it does not use is none of its."""
    install_plugin(monkeypatch, tmp_path / "parts", "parts-plugin", HOOKS)
    package = tmp_path / "parts" / "site-packages" / "in_parts"
    package.mkdir()
    files = {"__init__.py": "", "loss.py": LOSS, "terms.py": TERMS, "scale.py": "FACTOR = 1\n", "other.py": ""}
    for name, text in files.items():
        (package / name).write_text(text)
    first = run(loss="parted")
    (package / "other.py").write_text("# nobody reads this\n")
    assert run(loss="parted") == first
    (package / edited).write_text(files[edited] + "# edited\n")
    assert run(loss="parted") != first
    with pytest.raises(nlcore.UserError, match="source code of the loss"):
        nlcore.resume(first, quiet=True)
    for name in ("in_parts", "in_parts.loss", "in_parts.terms", "in_parts.scale"):
        del sys.modules[name]


@pytest.mark.slow
def test_a_file_of_other_content_is_another_run() -> None:
    """A transition matrix under the same name."""
    matrix = np.full((4, 4), 0.1) + 0.6 * np.eye(4)
    np.save("T.npy", matrix)
    choice = {"loss": "forward_correction", "loss.transition": "T.npy"}
    first = run(**choice)
    assert run(**choice) == first
    np.save("T.npy", np.full((4, 4), 0.2) + 0.2 * np.eye(4))
    assert run(**choice) != first
    with pytest.raises(nlcore.UserError, match=r"the file of loss\.transition"):
        nlcore.run(quiet=True, name=first.name, **{**toy.SETTINGS, **choice})
