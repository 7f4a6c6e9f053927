"""The folder of an audit: whether it can be made, and how it goes again where the audit is refused."""

from __future__ import annotations

import contextlib
from pathlib import Path

from nlcore.errors import UserError
from nlcore.rundir.place import cannot_be_made, check_writable, make_folder, nearest
from nlcore.runs.recognise import NAME

#: What an audit begins with: as long as there is nothing else, other words may take its place.
BEGUN = {"audit.json", "samples.npz", "checks.json"}
#: What comes of it, besides its pages; what a network's run begins with; and what says who writes to either.
_RESULTS = ("probabilities.npz", "issues.csv", "summary.json", NAME)
_RUN_BEGUN = ("config.toml", "environment.json", "labels.npz", "noise.json", "repeats.csv", "summary.json", NAME)
_LOCK = (".lock", ".owner.json")

_FEATURES = "features.npz"

_OPTION = "--audits-dir"


def check_place(path: Path) -> None:
    """
    See that a folder could be made, without making it.

    Raises:
        UserError: a part of its path is a file or may not be written to.

    """
    try:
        there = nearest(path)
    except (OSError, ValueError) as error:
        raise cannot_be_made(path, error, _OPTION) from None
    if not there.is_dir():
        if there == path:
            raise UserError(f"{path} is a file. Choose another name with --name.")
        raise UserError(f"{path} cannot be made: {there} is a file. Choose another folder with {_OPTION}.")
    check_writable(there, _OPTION)


def create(path: Path) -> None:
    """
    Make a folder where there is none.

    Raises:
        UserError: it cannot be made or written to.

    """
    check_place(path)
    make_folder(path, _OPTION)


def is_own(audit: Path, file: Path) -> bool:
    """Tell whether a file in the folder of an audit is one that the audit reads or writes."""
    inside, folder = file.resolve(), audit.resolve()
    if folder / "folds" in inside.parents:
        return True
    return inside.parent == folder and (inside.name in {*BEGUN, *_RESULTS, *_LOCK, _FEATURES} or _is_page(inside))


def _is_page(file: Path) -> bool:
    return file.name.startswith("report") and file.suffix == ".html"


def forget(path: Path) -> None:
    """
    Take away what a refused audit has begun, and its folder where nothing else is in it.

    What a network has learnt stays, and so does every file that is not the audit's.
    """
    if any(path.glob("folds/*/metrics.jsonl")) or (path / _FEATURES).exists():
        return
    folds = path / "folds"
    runs = [place for place in folds.glob("r*-f*") if place.is_dir()]
    own = [run / name for run in runs for name in (*_RUN_BEGUN, *_LOCK)]
    own += [*folds.glob("r*-f*.csv"), *path.glob("report*.html")]
    own += [path / name for name in (*BEGUN, *_RESULTS, *_LOCK)]
    for place in (*own, *runs, folds, path):
        with contextlib.suppress(OSError):  # it is not there, or somebody has put something in it
            place.rmdir() if place.is_dir() else place.unlink()
