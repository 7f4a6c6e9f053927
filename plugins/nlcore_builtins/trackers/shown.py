"""What trackers show of a run, and the files in which they note what they have to find again."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

#: Pictures that are there when the run begins, and when it is done.
FIRST = ("samples",)
LAST = ("curves", "confusion")


def numbers(row: Mapping[str, Any]) -> dict[str, float]:
    """Return the metrics of an epoch that are known."""
    return {name: value for name, value in row.items() if value is not None and name != "epoch"}


def saved(run_dir: Path, done: int) -> list[dict[str, Any]]:
    """Return the metrics of the epochs that are done, as far as the run's directory has them."""
    file = run_dir / "metrics.jsonl"
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    return [json.loads(line) for line in lines[:done]]


def pictures(run_dir: Path, names: tuple[str, ...]) -> dict[str, Path]:
    """Return the files of these pictures, by name, as far as they are there."""
    files = {name: run_dir / f"{name}.png" for name in names}
    return {name: file for name, file in files.items() if file.is_file()}


def as_markdown(plan: Mapping[str, str]) -> str:
    """Return a plan as a list in Markdown."""
    return "\n".join(f"* **{topic}**: {words}" for topic, words in plan.items())


def noted(file: Path) -> dict[str, Any]:
    """Return what `note` has written; nothing where it has not."""
    content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    return content


def note(file: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON file."""
    replace(file, json.dumps(content, indent=2) + "\n")


def replace(file: Path, text: str) -> None:
    """Write a file in one piece: a run may be killed at any moment."""
    temporary = file.with_name(f".{file.name}.{os.getpid()}.tmp")
    temporary.write_text(text, encoding="utf-8", newline="")
    os.replace(temporary, file)
