"""Figures that a notebook shows, also before pyplot is imported."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from nlcore.rundir.picture import Picture


def test_a_notebook_shows_it_as_wide_as_its_inches_on_the_page() -> None:
    formatters = pytest.importorskip("IPython.core.formatters", reason="IPython says what a notebook shows")
    shown, about = formatters.DisplayFormatter().format(Picture(figsize=(5, 2)))
    with Image.open(io.BytesIO(shown["image/png"])) as picture:
        assert picture.size == (750, 300)  # 150 dots an inch
    assert about["image/png"] == {"width": 480}  # an inch of a page has 96 pixels
