"""Small tables for notebooks."""

from __future__ import annotations

from xml.etree import ElementTree

from nlcore.rundir.notebook import html_table


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
