"""The papers of the components that come with nlcore, as BibTeX: the entries of ``references.bib``, by key."""

from __future__ import annotations

import functools
import re
from importlib import resources


def bibtex(key: str) -> str:
    """Return an entry as it is in the file."""
    return _entries()[key]


@functools.cache
def _entries() -> dict[str, str]:
    text = resources.files("nlcore_builtins").joinpath("references.bib").read_text(encoding="utf-8")
    entries = re.split(r"\n(?=@)", text)
    return {entry.partition("{")[2].partition(",")[0]: entry.strip() + "\n" for entry in entries}
