"""Runs by name: as ``nl table`` shows them, in full, or by a part that no other run shares."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

from nlcore.errors import UserError

#: The end of a name that was made from a run's content: its digest, and the number that --fresh puts behind it.
_DIGEST = re.compile(r"[0-9a-f]{8}(-\d+)?\Z")


def find_run(text: str | os.PathLike[str], runs_dir: str | os.PathLike[str] = "runs") -> Path:
    """
    Return the directory of a run.

    Args:
        text: its path; or its name, or a beginning or an end of it, in `runs_dir` or in the folder that `text` says.
        runs_dir: the folder of run directories.

    Raises:
        UserError: there is none, or several runs have such a name.

    """
    path = Path(text)
    if _is_run(path):
        return path
    name = path.name
    folder = Path(runs_dir) if str(text) == name else path.parent
    names = run_names(folder)
    found = [name] if name in names else [one for one in names if name and (one.startswith(name) or one.endswith(name))]
    if len(found) > 1:
        listed = "".join(f"\n  {one}" for one in found[:10]) + ("\n  ..." if len(found) > 10 else "")
        raise UserError(
            f"{len(found)} runs in {folder} begin or end with {name!r}; say which, with more of it:{listed}"
        )
    if not found:
        inside = run_names(path)
        more = f" It holds runs: say which, as {path / inside[0]}." if inside else " 'nl table' lists the runs in runs."
        raise UserError(f"{path} is no run (it has no summary.json), and none in {folder} is called so.{more}")
    return folder / found[0]


def run_names(folder: Path) -> list[str]:
    """Return the names of the run directories in a folder, sorted; of one that cannot be read, none."""
    try:
        return sorted(path.name for path in folder.iterdir() if _is_run(path))
    except (OSError, ValueError):
        return []


def short_name(name: str, names: Iterable[str]) -> str:
    """Return the end of a run's name that tells it from the others: its digest, or all of a name that was given."""
    digest = _DIGEST.search(name)
    if digest and sum(other.startswith(digest[0]) or other.endswith(digest[0]) for other in names) == 1:
        return digest[0]
    return name


def _is_run(path: Path) -> bool:
    try:
        return (path / "summary.json").is_file()
    except (OSError, ValueError):  # no path that there could be
        return False


def find_model(text: str | os.PathLike[str], runs_dir: str | os.PathLike[str]) -> Path:
    """
    Return the place of a trained model: a run as `find_run` finds it, or a model that was handed on.

    Args:
        text: a run's name or directory, a folder with ``weights.safetensors`` or ``model.json``, or one of these files.
        runs_dir: the folder that names are looked up in.

    Raises:
        UserError: there is none, or the name fits several runs.

    """
    place, parts = Path(text), ("weights.safetensors", "model.json")
    if place.name in parts or any((place / name).is_file() for name in parts):
        return place
    return find_run(text, runs_dir)
