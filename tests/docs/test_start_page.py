"""docs/start.md: its Python, run but for smaller networks and fewer epochs, and its commands, as they are parsed."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner

from nlcore.cli.main import cli

PAGE = (Path(__file__).parents[2] / "docs" / "start.md").read_text(encoding="utf-8")
CODE = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.slow
def test_its_python_runs() -> None:
    pytest.importorskip("pandas", reason="a data frame needs pandas")
    tiny = 'run(**{"architecture.width": 4}, epochs=1, threads="1", '
    space: dict[str, Any] = {}
    for code in CODE:
        assert "run(" in code
        exec(code.replace("run(", tiny), space)
    assert space["probabilities"].shape == (355, 10)
    assert space["network"](torch.zeros(2, 3, 32, 32)).shape == (2, 10)


@pytest.mark.parametrize("command", re.findall(r"^\$ (nl (?:run|show|list).*)", PAGE, re.MULTILINE))
def test_its_commands_are_understood(command: str) -> None:
    words = shlex.split(command, comments=True)[1:]
    if "recipe.toml" in words:
        Path("recipe.toml").write_text('[loss]\nname = "gce"\n')
    more = ["--help"] if words[0] == "run" and "--help" not in words else []
    done = CliRunner().invoke(cli, [*words, *more], prog_name="nl", catch_exceptions=False)
    assert done.exit_code == 0, done.output
