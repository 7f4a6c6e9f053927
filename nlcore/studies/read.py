"""Finished runs as tables and pictures need them: the result, every setting by its name, and what they depend on."""

from __future__ import annotations

import functools
import json
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nlcore.config.recipe import flat_recipe, with_all_settings
from nlcore.errors import UserError
from nlcore.rundir.directory import ENDED, RunDirectory
from nlcore.rundir.find import run_names
from nlcore.rundir.result import Result
from nlcore.studies.complete import completed


@dataclass(frozen=True)
class Run:
    """
    A finished run.

    Attributes:
        result: what it says at its end.
        words: the value of every setting, slot and parameter by the name that ``nl run`` takes, as ``loss.q``, and of
            ``preset``, which is ``none`` without one.
        content: hashes of what is known by content and not by its place: ``dataset``, and words that name files.
        made_by: what may change numbers although it is no setting: versions, hashes of source code, the precision.

    """

    result: Result
    words: Mapping[str, Any]
    content: Mapping[str, str]
    made_by: Mapping[str, str]

    @property
    def seeds(self) -> tuple[int, int]:
        """Its seed and its noise seed."""
        return self.result.seed, self.result.noise_seed

    @property
    def name(self) -> str:
        """The name of its directory."""
        return self.result.run_dir.name

    @functools.cached_property
    def metrics(self) -> list[dict[str, Any]]:
        """The rows of ``metrics.jsonl``, read once."""
        return self.result.metrics


@dataclass(frozen=True)
class Found:
    """
    The runs of a folder.

    Attributes:
        runs: those that are done or have diverged, by name.
        unfinished: how many others there are.
        damaged: why runs were left out, a sentence each.

    """

    runs: tuple[Run, ...]
    unfinished: int
    damaged: tuple[str, ...]


def read_runs(folder: Path) -> Found:
    """
    Return the runs of a folder, or the one run that it is.

    Raises:
        UserError: there is no such folder.

    """
    if not folder.is_dir():
        raise UserError(f"There is no folder {folder}. 'nl run' makes it; or name another one.")
    paths = [folder] if RunDirectory(folder).exists else [folder / name for name in run_names(folder)]
    runs, unfinished, damaged = [], 0, []
    for path in paths:
        try:
            result = Result.read(path)
            if result.status in ENDED:
                runs.append(read_run(result))
            else:
                unfinished += 1
        except UserError as error:  # one damaged run is no reason to hide the others
            damaged.append(str(error))
    return Found(tuple(completed(runs)), unfinished, tuple(damaged))


def read_results(results: Iterable[Result]) -> list[Run]:
    """
    Return what tables need of finished runs.

    Raises:
        UserError: the directory of one is not what a run writes.

    """
    return completed([read_run(result) for result in results])


def read_run(result: Result) -> Run:
    """
    Return what tables need of a finished run.

    Raises:
        UserError: its directory is not what a run writes.

    """
    path = result.run_dir
    try:
        recipe = flat_recipe(tomllib.loads((path / "config.toml").read_text(encoding="utf-8")))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path / 'config.toml'} cannot be read: {error}.") from None
    words = with_all_settings(recipe)
    if not all(isinstance(value, (str, int, float)) for value in words.values()):
        raise UserError(f"{path / 'config.toml'} is not what a run writes.")
    about = RunDirectory(path).read_json("environment.json")
    try:
        content, made_by = _depends_on(about)
    except (KeyError, TypeError, AttributeError):
        raise UserError(f"{path / 'environment.json'} is not what a run writes.") from None
    return Run(result, words | {"preset": result.preset.get("name", "none")}, content, made_by)


def _depends_on(about: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, str]]:
    """Return hashes of contents, and what the run was made by."""
    known = about["fingerprint"]
    data = str(known["dataset_sha256"])
    content = {"dataset": data, **known["files_sha256"]}
    content |= {f"dataset.{key}": data for key, value in known["config"]["dataset"].items() if value == "(by content)"}
    made_by = {"nlcore's version": str(known["nlcore"]), "the precision": str(about["precision"])}
    for slot, parts in known["components"].items():
        made_by[f"the code of the {slot}"] = json.dumps([[part["version"], part["source_sha256"]] for part in parts])
    return content, made_by
