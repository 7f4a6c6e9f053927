"""
Does nlcore work on this machine? ``python tests/smoke.py`` needs nothing but an installed nlcore, on any platform.

The commands start, a run on the bundled digits ends well, and a run that is killed goes on to the same weights.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ENVIRONMENT = {**os.environ, "NL_PLUGINS": "nlcore", "PYTHONUTF8": "1"}
EPOCHS = 8
RUN = (
    *("run", "--dataset", "digits", "--architecture.width", "4", "--device", "cpu", "--precision", "fp32"),
    *("--threads", "1", "--epochs"),
)


def nl(*words: str, cwd: Path) -> str:
    """Run a command of nlcore in a folder and return its stdout; end with what it said where it fails."""
    command = [sys.executable, "-m", "nlcore", *words]
    done = subprocess.run(command, cwd=cwd, env=ENVIRONMENT, capture_output=True, encoding="utf-8", check=False)
    if done.returncode:
        raise SystemExit(f"nl {' '.join(words)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    print(f"good: nl {' '.join(words)}", flush=True)
    return done.stdout


def kill(*words: str, cwd: Path) -> None:
    """Run a command of nlcore and kill it in its second epoch."""
    command = [sys.executable, "-m", "nlcore", *words]
    said = []
    with subprocess.Popen(command, cwd=cwd, env=ENVIRONMENT, stderr=subprocess.PIPE, encoding="utf-8") as process:
        assert process.stderr
        for line in process.stderr:
            said.append(line)
            if line.startswith("epoch 1/"):
                break
        process.kill()
    if not said or not said[-1].startswith("epoch 1/"):
        raise SystemExit(f"nl {' '.join(words)} ended before its first epoch did:\n{''.join(said)}")


def main() -> None:
    """Do all of it in a temporary folder."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        nl("--help", cwd=home)
        if "digits" not in nl("list-plugins", cwd=home):
            raise SystemExit("nl list-plugins does not list the dataset digits.")
        summary = json.loads(nl(*RUN, "1", "--json", cwd=home).splitlines()[-1])
        if summary["status"] != "done":
            raise SystemExit(f"A run of one epoch ended with the status {summary['status']!r}.")

        nl(*RUN, str(EPOCHS), "--name", "straight", cwd=home)
        kill(*RUN, str(EPOCHS), "--name", "killed", cwd=home)
        straight, killed = home / "runs" / "straight", home / "runs" / "killed"
        if (killed / "weights.safetensors").exists():
            raise SystemExit("The run was done before it could be killed; set EPOCHS higher.")
        nl("resume", str(killed), cwd=home)
        if (straight / "weights.safetensors").read_bytes() != (killed / "weights.safetensors").read_bytes():
            raise SystemExit("The run that was killed went on to other weights than the run that was not.")
        print("good: a run that was killed went on to the same weights")


if __name__ == "__main__":
    main()
