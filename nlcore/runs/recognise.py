"""
Recognising a finished run before anything is loaded.

A run keeps a signature of what led to it: the request as it was made, and for each file that was read, of code and of
data, size and modification time. Where the same request is made again and no file has changed, the run is reported at
once; torch is not imported for it. Where anything has changed, all is loaded and compared by content.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from nlcore.config.launched import on_several_machines
from nlcore.config.recipe import Overrides, asked_data_dir, read_preset
from nlcore.config.settings import data_directory
from nlcore.errors import UserError
from nlcore.rundir import durable
from nlcore.rundir.directory import ENDED
from nlcore.rundir.result import Result
from nlcore.textfiles import TextInFile
from nlcore.version import __version__

NAME = "signature.json"

#: What changes nothing about a run's numbers and how it is found.
_ELSEWHERE = ("runs_dir", "checkpoint_every", "no_download")


def recognised(layers: Sequence[Overrides]) -> Result | None:
    """
    Return the finished run that these layers of settings led to, None where there is none or something has changed.

    Args:
        layers: as for `nlcore.config.experiment.resolve`.

    """
    if on_several_machines(layers):  # others wait to be told, by a process that has loaded everything
        return None
    found = KnownRuns(runs_folder(layers)).results(layers)
    return next((result for result in found if result.status in ENDED), None)


def runs_folder(layers: Sequence[Overrides]) -> Path:
    """Return the folder that run directories are made in."""
    merged = {key: value for layer in layers for key, value in layer.items()}
    return Path(str(merged.get("runs_dir", "runs")))


class KnownRuns:
    """The runs of a folder by what was asked for; each file is looked at once, however many are asked for."""

    def __init__(self, folder: Path) -> None:
        self._by_request: dict[str, list[tuple[Path, dict[str, Any]]]] = {}
        self._stamps: dict[str, list[int] | None] = {}
        try:
            there = sorted(folder.glob(f"*/{NAME}"))
        except (OSError, ValueError):  # no path that there could be, which is said later
            return
        for file in there:
            try:
                known = json.loads(file.read_text(encoding="utf-8"))
                for wanted in known["requests"]:
                    self._by_request.setdefault(wanted, []).append((file.parent, dict(known["files"])))
            except (OSError, ValueError, KeyError, TypeError):
                continue  # no signature that a run has written: what is recognised slowly is recognised too

    def results(self, layers: Sequence[Overrides]) -> list[Result]:
        """Return the runs that these layers led to, however far they are; none whose files have changed since."""
        found = []
        for directory, files in self._by_request.get(request(layers), []):
            if all(self._stamp(name) == stamp for name, stamp in files.items()):
                with contextlib.suppress(UserError):  # it holds no run
                    found.append(Result.read(directory))
        return found

    def _stamp(self, name: str) -> list[int] | None:
        if name not in self._stamps:
            self._stamps[name] = _stamp(Path(name))
        return self._stamps[name]


def request(layers: Sequence[Overrides]) -> str:
    """
    Return the SHA-256 of what was asked for.

    That is the layers, a preset's text, where data lie, nlcore's version, and what the names in the layers stand for:
    the folder from which paths are meant, and the plugins that were asked for.
    """
    asked: list[Mapping[str, Any]] = [
        {key: _spelled_out(value) for key, value in layer.items() if key not in _ELSEWHERE} for layer in layers
    ]
    given = asked_data_dir(layers)
    presets = [dict(read_preset(str(layer["preset"]), given)) for layer in layers if "preset" in layer]
    where = str(data_directory(given).absolute())
    meant = [str(Path.cwd()), os.environ.get("NL_PLUGINS", ""), os.environ.get("NL_PLUGIN_PATH", "")]
    content = json.dumps([__version__, asked, presets, where, meant], sort_keys=True, default=str)
    return hashlib.sha256(content.encode()).hexdigest()


def _spelled_out(value: object) -> object:
    """Return a value with the folder that a path in it would be relative to."""
    return [value, str(value.folder.absolute())] if isinstance(value, TextInFile) else value


def write_signature(directory: Path, wanted: str, files: Iterable[Path]) -> None:
    """Write what the run is recognised by, once its files have been read; other ways to ask for it stay, too."""
    signature, requests = _signature(files), [wanted]
    try:
        before = json.loads((directory / NAME).read_text(encoding="utf-8"))
        if before["files"] == signature:
            requests = [*dict.fromkeys([*before["requests"], wanted])]
            if requests == before["requests"]:
                return
    except (OSError, ValueError, KeyError, TypeError):
        pass  # there is none, or none that a run has written
    content = {"requests": requests, "files": signature}
    durable.write(directory / NAME, (json.dumps(content, indent=1) + "\n").encode())


def _signature(files: Iterable[Path]) -> dict[str, list[int] | None]:
    """Return size and modification time of each file; of a folder, whose time says when its listing changed."""
    return {str(file.absolute()): _stamp(file) for file in files}


def _stamp(file: Path) -> list[int] | None:
    try:
        status = file.stat()
    except (OSError, ValueError):
        return None
    return [status.st_size, status.st_mtime_ns]
