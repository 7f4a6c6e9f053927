"""docs/CITATION.cff, which a release changes by hand."""

from __future__ import annotations

from pathlib import Path

import nlcore


def test_cites_the_version_that_is_released() -> None:
    text = (Path(__file__).parents[2] / "docs" / "CITATION.cff").read_text(encoding="utf-8")
    assert f"version: {nlcore.__version__}" in text.splitlines()
