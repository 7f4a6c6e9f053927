"""Where initial weights come from: a run by name or folder, or a file."""

from __future__ import annotations

from pathlib import Path

from nlcore.errors import UserError

WEIGHTS = "weights.safetensors"


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
