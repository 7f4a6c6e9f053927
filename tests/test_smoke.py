"""The smoke test of other platforms, on this one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_what_other_platforms_are_asked_holds_here() -> None:
    script = Path(__file__).with_name("smoke.py")
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "good: a run that was killed went on to the same weights"
