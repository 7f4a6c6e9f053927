"""The check of presets finds one that is no recipe."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from helpers import install_plugin

from nlcore.checks import preset as presets
from nlcore.checks.suite import find, run_checks
from nlcore.host.registry import registry

HOOKS = """
from nlcore import Component, hookimpl

NLCORE_API = 1

@hookimpl
def nl_presets():
    return [Component("good", "shipped_ones:good.toml", "Good."), Component("bad", "shipped_ones:bad.toml", "Bad.")]
"""


def test_finds_a_wrong_key(monkeypatch: Any, tmp_path: Path, refuses: Any) -> None:
    install_plugin(monkeypatch, tmp_path, "presets-plugin", HOOKS)
    package = tmp_path / "site-packages" / "shipped_ones"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "good.toml").write_text("epochs = 3\n")
    (package / "bad.toml").write_text("[loss]\nname = 'gce'\nq = 7\n")
    refuses(presets.is_a_recipe, registry().find("preset", "bad"), r"loss\.q.*\(0, 1\]|q = 7")
    outcomes = run_checks(find("presets-plugin"))
    failed = [outcome for outcome in outcomes if outcome.status != "passed"]
    assert [(outcome.component, outcome.check) for outcome in failed] == [("preset:bad", "is_a_recipe")]
    assert {outcome.component for outcome in outcomes} == {"preset:good", "preset:bad"}
    assert {outcome.component for outcome in run_checks(find("preset:good"))} == {"preset:good"}
