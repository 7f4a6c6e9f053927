"""What the documentation shows of the command line and of the plugin interface is what the code says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from nlcore.cli.main import cli

ROOT = Path(__file__).parents[2]
PAGES = ["README.md", *(f"docs/{page.name}" for page in sorted((ROOT / "docs").glob("*.md")))]


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if "[[[cog" in (ROOT / page).read_text(encoding="utf-8")])
def test_is_up_to_date(page: str) -> None:
    command = [sys.executable, "-m", "cogapp", "--check", "-I", "docs", page]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr + f"Run: cog -r -I docs {page}"


def test_every_command_stands_on_its_page() -> None:
    page = (ROOT / "docs/cli.md").read_text(encoding="utf-8")
    assert [name for name in cli.commands if f"\n## nl {name}\n" not in page] == []
