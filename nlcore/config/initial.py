"""The files that settings name: initial weights, of a run or by themselves; ids, of an audit or by themselves."""

from __future__ import annotations

from pathlib import Path

from nlcore.errors import UserError

WEIGHTS = "weights.safetensors"
ISSUES = "issues.csv"


def weights_file(given: str, runs_dir: str) -> Path:
    """
    Return the file of weights that `given` means.

    Args:
        given: a run's name, its folder, or a file.
        runs_dir: the folder that names are looked up in.

    Raises:
        UserError: there is none.

    """
    place = Path(given)
    try:
        for candidate in (place, Path(runs_dir).absolute() / place.name):
            file = candidate / WEIGHTS if candidate.is_dir() else candidate
            if file.is_file():
                return file
        is_folder = place.is_dir()
    except OSError as error:  # a name that is too long, a folder that is not ours
        raise UserError(f"init = {given:.200}: {error.strerror}.") from None
    if is_folder:
        raise UserError(f"init = {given}: this folder has no {WEIGHTS}, which a run has when it is done.")
    raise UserError(
        f"init = {given}: there is no run and no file of weights of this name. 'nl table' lists runs; a file is "
        ".safetensors, or a state_dict as torch saves it."
    )


def ids_file(given: str) -> Path:
    """
    Return the file of ids that `given` means.

    Args:
        given: the folder of an audit, or a file.

    Raises:
        UserError: there is none.

    """
    place = Path(given)
    try:
        file = place / ISSUES if place.is_dir() else place
        found = file.is_file()
    except OSError as error:  # a name that is too long, a folder that is not ours
        raise UserError(f"exclude = {given:.200}: {error.strerror}.") from None
    if not found:
        in_folder = f"this folder has no {ISSUES}, which an audit has when it is done"
        what = "there is no such file" if file == place else in_folder
        raise UserError(
            f"exclude = {given}: {what}. Give a file of ids, one a line or in a column 'id', or the folder of an audit."
        )
    return file
