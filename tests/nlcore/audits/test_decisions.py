"""decisions.csv: what is written is read again, and what is wrong is said with its place."""

from __future__ import annotations

import contextlib
import csv
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nlcore.audits.decisions import COLUMNS, DECISIONS, Decision, read_decisions, write_decisions
from nlcore.errors import UserError

CLASSES = ("cat", "dog", 'a "b", c')
IDS = ("1", "cat/1.jpg", " spaces ", "two\nlines", "שלום", "=1+1")
HEADER = ",".join(COLUMNS) + "\n"

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=8)
FILE = settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])


def written(folder: Path, text: str) -> Path:
    """Write a file of decisions."""
    (folder / "decisions.csv").write_text(text, encoding="utf-8", newline="")
    return folder / "decisions.csv"


def read(path: Path) -> dict[str, Decision]:
    """Read the decisions of the audit a1."""
    return read_decisions(path, "a1", set(IDS), CLASSES)


@FILE
@given(st.data(), st.lists(TEXT, unique=True, max_size=6), st.lists(TEXT, min_size=1, max_size=4, unique=True), TEXT)
def test_what_is_written_is_read(
    tmp_path: Path, data: st.DataObject, ids: list[str], classes: list[str], audit: str
) -> None:
    made = {}
    for id_ in ids:
        decision = data.draw(st.sampled_from(DECISIONS))
        label = data.draw(st.sampled_from(classes)) if decision == "relabel" else ""
        made[id_] = Decision(id_, decision, label)
    write_decisions(tmp_path / "made.csv", audit, made.values())
    assert read_decisions(tmp_path / "made.csv", audit, set(ids), classes) == made


@FILE
@given(st.binary(max_size=60) | TEXT.map(str.encode) | st.text('a1,"\n\r;keepdrolab ', max_size=60).map(str.encode))
def test_any_bytes_are_decisions_or_an_error_in_words(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "fuzzed.csv"
    for text in (content, HEADER.encode() + content):
        path.write_bytes(text)
        with contextlib.suppress(UserError):
            assert all(one.decision in DECISIONS for one in read(path).values())


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("a2,1,keep,\n", r"line 2: this is of the audit 'a2', not of 'a1'"),
        ("a1,cat/2.jpg,keep,\n", r"line 2: the data have no sample with the id 'cat/2.jpg'. Did you mean 'cat/1.jpg'"),
        ("a1,1,keep,\na1,1,drop,\n", r"'1' is decided on in two ways, in line 2 \(keep\) and in line 3 \(drop\)"),
        ("a1,1,relabel,cat\na1,1,relabel,dog\n", r"in line 2 \(relabel cat\) and in line 3 \(relabel dog\)"),
        ("a1,1,relabel,dgo\n", r"line 2: there is no class 'dgo'. Did you mean 'dog'\? Classes: cat, dog"),
        ("a1,1,relabel,\n", r"line 2: there is no class ''"),
        ("a1,1,maybe,\n", r"line 2: a decision is keep, relabel, drop, unsure, not 'maybe'"),
        ("a1,1,relable,cat\n", r"line 2: a decision is .*, not 'relable'. Did you mean 'relabel'\?"),
        ("a1,1,Keep,\n", r"Did you mean 'keep'\?"),
        ("a1,1,keep,cat\n", r"line 2: keep takes no label, and there is 'cat'"),
        ("a1,1,keep\n", r"line 2: 3 fields, where the first line has 4"),
        ('a1,"two\nlines",keep,\na1,x,keep,\n', r"line 4: the data have no sample with the id 'x'"),
        ('a1,"1,keep,\n', r"line 2: no valid CSV"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(tmp_path: Path, rows: str, said: str) -> None:
    with pytest.raises(UserError, match=said) as error:
        read(written(tmp_path, HEADER + rows))
    assert "decisions.csv" in str(error.value)


@pytest.mark.parametrize("first", ["", "id,decision\n", "audit,id,decision,label,label\n", "a1,1,keep,\n"])
def test_the_columns_must_be_named(tmp_path: Path, first: str) -> None:
    with pytest.raises(UserError, match="the first line must name the columns audit, id, decision, label"):
        read(written(tmp_path, first))


def test_a_file_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"There is no file .*nothing\.csv"):
        read(tmp_path / "nothing.csv")
    with pytest.raises(UserError, match="cannot be read"):
        read(tmp_path)
    (tmp_path / "picture.csv").write_bytes(b"\x89PNG\xff\xfe\xfa\xff")
    with pytest.raises(UserError, match="no text in UTF-8"):
        read(tmp_path / "picture.csv")


def test_the_same_decision_twice_is_one(tmp_path: Path) -> None:
    assert read(written(tmp_path, f"{HEADER}a1,1,keep,\na1,1,keep,\n")) == {"1": Decision("1", "keep")}


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_as_spreadsheets_save(tmp_path: Path, separator: str, encoding: str, end: str) -> None:
    """In another order, with columns of one's own, titles in another case, and empty rows at the end."""
    rows = [["note", "id", "Audit", "decision", "label"], ["x", "שלום", "a1", "relabel", "dog"], [""] * 5]
    with (tmp_path / "sheet.csv").open("w", encoding=encoding, newline="") as file:
        csv.writer(file, delimiter=separator, lineterminator=end).writerows(rows)
    assert read(tmp_path / "sheet.csv") == {"שלום": Decision("שלום", "relabel", "dog")}
