"""Start-up: guarded by what is imported, not by a clock."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import plugin_source, write_plugin

HEAVY = ("torch", "torchvision", "lightning_fabric", "matplotlib", "sklearn", "scipy", "numpy", "PIL")

PROGRAM = """
import sys
sys.argv = ["nl", *{words!r}]
from nlcore.cli import main
try:
    main()
except SystemExit as stop:
    assert stop.code == 0, stop.code
print("IMPORTED", *[name for name in {heavy!r} if name in sys.modules])
"""


@pytest.mark.parametrize(
    "words",
    [
        ["--help"],
        ["--version"],
        ["list-plugins"],
        ["list-plugins", "--json"],
        ["table", "."],
        ["new-plugin", "loss", "mine"],
    ],
)
def test_imports_nothing_heavy(words: list[str]) -> None:
    program = PROGRAM.format(words=words, heavy=HEAVY)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1].split() == ["IMPORTED"]


@pytest.mark.slow
@pytest.mark.parametrize("words", [["--help"], ["list-plugins", "--json"]])
def test_thirty_plugins_of_others_import_nothing_heavy(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"plugin-{number}" for number in range(30)]
    for name in names:
        module = name.replace("-", "_")
        write_plugin(tmp_path, name, plugin_source(nl_losses={module: f"{module}_target:Loss"}))
        (tmp_path / f"{module}_target.py").write_text("import torch\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("NL_PLUGINS", ",".join(names))
    program = PROGRAM.format(words=words, heavy=HEAVY)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    *_, listed, imported = done.stdout.splitlines()
    assert imported.split() == ["IMPORTED"]
    assert done.stderr == ""
    if words != ["--help"]:
        assert {row["distribution"] for row in json.loads(listed)} == {*names, "nlcore"}


def test_every_name_of_the_command_works() -> None:
    outputs = [
        subprocess.run([*command, "--version"], capture_output=True, text=True, check=True).stdout
        for command in ([sys.executable, "-m", "nlcore"], [f"{sys.prefix}/bin/nl"], [f"{sys.prefix}/bin/nlcore"])
    ]
    assert len(set(outputs)) == 1
