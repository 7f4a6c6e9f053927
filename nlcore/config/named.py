"""The files that parameters name: seen to be there before anything that takes long."""

from __future__ import annotations

import os
from pathlib import Path

from nlcore.errors import UserError
from nlcore.host.selection import Selection

#: They look for their files themselves, before all else, and know more to say of them.
_BY_THEMSELVES = ("dataset", "architecture")


def check_named_files(*selections: Selection) -> None:
    """
    See that the files which components are to read are there.

    Raises:
        UserError: one is not there or cannot be read, or a folder is named in place of labels.

    """
    for selection in selections:
        slot = selection.slot
        if slot in _BY_THEMSELVES:
            continue
        for key, (part, name) in selection.addresses().items():
            item, value = part.declared[name], part.params[name]
            labels = (slot, part.name) == ("noise", "stored")  # what --labels is short for
            if item.path and value is not None and value not in item.keywords and (value or labels):
                what, option = ("file of labels", "labels") if labels else ("file", f"{slot}.{key}")
                reason = _why_not(value, what)
                if reason:
                    raise UserError(f"{reason} Give one with --{option} FILE.")


def _why_not(given: str, what: str) -> str:
    """Return why a file cannot be read, a sentence; empty where it can be."""
    place = Path(given)
    try:
        os.stat(given)  # not of the path, which takes no name for this folder
    except FileNotFoundError:
        return f"There is no {what} {given!r}."
    except (OSError, ValueError) as error:  # a name that is too long, a folder that is not ours
        return f"The {what} {given!r:.200} cannot be read: {getattr(error, 'strerror', error)}."
    if place.is_dir() and what != "file":  # of other files nobody knows: a plugin may well read a folder
        return f"{given!r} is a folder, and no {what}."
    return "" if os.access(place, os.R_OK) else f"There is no permission to read the {what} {given!r}."
