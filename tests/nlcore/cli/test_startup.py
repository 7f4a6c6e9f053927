"""Start-up: guarded by what is imported, not by a clock."""

from __future__ import annotations

import subprocess
import sys

import pytest

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
    "words", [["--help"], ["--version"], ["list-plugins"], ["list-plugins", "--json"], ["table", "."]]
)
def test_imports_nothing_heavy(words: list[str]) -> None:
    program = PROGRAM.format(words=words, heavy=HEAVY)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1].split() == ["IMPORTED"]


def test_every_name_of_the_command_works() -> None:
    outputs = [
        subprocess.run([*command, "--version"], capture_output=True, text=True, check=True).stdout
        for command in ([sys.executable, "-m", "nlcore"], [f"{sys.prefix}/bin/nl"], [f"{sys.prefix}/bin/nlcore"])
    ]
    assert len(set(outputs)) == 1
