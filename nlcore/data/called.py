"""How a data set is called in titles and sentences: as the user's folder or table is, else by its own name."""

from __future__ import annotations

import os
from pathlib import Path

from nlcore.data.image_files import printable
from nlcore.host.selection import Selection


def called(dataset: Selection) -> str:
    """
    Return what a user calls a data set: ``photos`` of ``--dataset.folder data/photos``, ``digits`` of ``digits``.

    That is the last part of the path that the data set cannot do without, whose default is empty; its name where there
    is no such path.
    """
    for key, (part, name) in dataset.addresses().items():
        place = dataset.params[key]
        if part.declared[name].path and part.declared[name].default == "" and place:
            return printable(Path(os.path.abspath(place)).name or place)
    return dataset.name
