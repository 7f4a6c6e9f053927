"""A kind is one row, one hook and one contract: everything else learns of it from the row."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import write_plugin

from nlcore.host.hookspecs import KINDS, component_kinds, slots

#: What a package would add to nlcore for a kind of its own, before anything else of nlcore is imported.
ROW = """
from nlcore.host import hookspecs
from nlcore.host.hookspecs import KINDS, Kind, Slot, hookspec

@hookspec
def nl_judges():
    '''Judges: from predictions to a score of each label.'''

hookspecs.nl_judges = nl_judges
SLOT = Slot("judge", "strict", "finds wrong labels", in_name=False)
KINDS["judge"] = Kind("judge", "nl_judges", ("score",), (SLOT,))

from nlcore.cli import main
import sys
sys.argv[0] = "nl"
main()
"""

PLUGIN = '''
from dataclasses import dataclass
from nlcore import Component, hookimpl, parameter

NLCORE_API = 1

@dataclass
class Margin:
    """The margin of the given label: p_y - max_k p_k."""

    power: float = parameter(1.0, "exponent of the margin", range="(0, inf)")

    def score(self, probabilities, labels):
        return probabilities

@dataclass
class Lacking:
    """Lacks its method."""

@hookimpl
def nl_judges():
    return [
        Component("strict", "judges_plugin:Margin", "The margin of the given label."),
        Component("lacking", "judges_plugin:Lacking", "Lacks its method."),
    ]
'''


@pytest.fixture
def nl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> object:
    """Return what runs ``nl`` in a process in which the kind is known."""
    write_plugin(tmp_path / "site", "judges-plugin", PLUGIN)
    monkeypatch.setenv("NL_PLUGINS", "judges-plugin")
    paths = [str(tmp_path / "site"), *sys.path]
    (tmp_path / "nl.py").write_text(f"import sys\nsys.path[:] = {paths!r}\n{ROW}")

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(tmp_path / "nl.py"), *words]
        return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)

    return run


@pytest.mark.slow
def test_a_kind_of_ones_own_is_listed_shown_chosen_configured_recorded_and_checked(nl, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    assert "strict" in nl("list-plugins", "--kind", "judge").stdout
    assert "--judge.power" in nl("show", "strict").stdout
    assert "--judge NAME" in nl("run", "--help").stdout
    tiny = ("--dataset", "digits", "--architecture.width", "4", "--epochs", "1", "--threads", "1", "--device", "cpu")
    done = nl("run", *tiny, "--judge.power", "2", "--json")
    summary = json.loads(done.stdout.splitlines()[-1])
    assert (summary["judge"], summary["options"]["judge.power"]) == ("strict", 2.0)
    config = (tmp_path / summary["run_dir"] / "config.toml").read_text()
    assert '[judge]\nname = "strict"\npower = 2.0' in config
    refused = nl("run", *tiny, "--judge", "lacking")
    assert refused.returncode == 2
    assert "it has no method score" in refused.stderr
    assert "parameters_are_documented" in nl("check", "judge:strict").stdout


def test_every_row_has_a_hook_that_says_what_it_is_for() -> None:
    from nlcore.host import hookspecs

    for kind in KINDS.values():
        assert getattr(hookspecs, kind.hook).__doc__
    assert set(component_kinds()) == set(KINDS) - {"preset"}
    assert [slot for slot, (row, kind) in slots().items() if row not in kind.slots] == []
