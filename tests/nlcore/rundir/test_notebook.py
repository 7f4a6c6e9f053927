"""What a notebook works with: tables, pictures, data frames."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from nlcore.rundir.notebook import as_frame, html_picture, html_table


def test_rows_have_a_title_and_cells() -> None:
    root = ElementTree.fromstring(html_table("about", ("name", "value"), [("a", "1"), ("b", "2")]))
    assert root.findtext("caption") == "about"
    assert [cell.text for cell in root.iterfind("thead/tr/th")] == ["name", "value"]
    assert [[cell.text for cell in row] for row in root.iterfind("tbody/tr")] == [["a", "1"], ["b", "2"]]


def test_everything_is_escaped() -> None:
    text = "<script>alert('&')</script>"
    root = ElementTree.fromstring(html_table(text, (text, text), [(text, text)]))
    assert {element.text for element in root.iter() if element.text and element.text.strip()} == {text}


def test_without_titles_there_is_no_head() -> None:
    assert "<thead>" not in html_table("about", (), [("a", "1")])


def test_a_picture_is_all_in_its_html() -> None:
    root = ElementTree.fromstring(html_picture(b"\x89PNG", 'a < "b"', 300))
    assert root.get("alt") == 'a < "b"'
    assert root.get("src", "").partition("base64,")[2] == "iVBORw=="  # RFC 4648
    assert "width: 300px" in root.get("style", "")


def test_rows_become_a_data_frame() -> None:
    pytest.importorskip("pandas", reason="a data frame needs pandas")
    frame = as_frame([{"a": 1, "b": None}, {"a": 2, "c": "x"}])
    assert list(frame.columns) == ["a", "b", "c"]
    assert frame["a"].tolist() == [1, 2]
