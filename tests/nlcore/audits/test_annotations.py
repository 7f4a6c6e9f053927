"""Labels of several annotators: how they are read, and the table that follows."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest
from fuzzing import FUZZ, refused_or_read
from hypothesis import given
from hypothesis import strategies as st

from nlcore.audits.annotations import read_annotations, table_of
from nlcore.audits.annotators import consensus
from nlcore.errors import UserError

WIDE = "id,label_anna,label_ben,remark\n7,cat,dog,x\n8,dog,,\n9,cat,cat,\n"
LONG = "annotator,id,label\nanna,7,cat\nben,7,dog\nanna,8,dog\nanna,9,cat\nben,9,cat\n"


@pytest.mark.parametrize("text", [WIDE, LONG, WIDE.replace(",", ";"), LONG.replace("\n", "\r\n")])
def test_both_forms_say_the_same(tmp_path: Path, text: str) -> None:
    (tmp_path / "votes.csv").write_text(text, newline="")
    read = read_annotations(tmp_path / "votes.csv")
    assert (read.ids, read.annotators, read.classes) == (("7", "8", "9"), ("anna", "ben"), ("cat", "dog"))
    columns = (read.votes.sample, read.votes.annotator, read.votes.label)
    triples = set(zip(*(column.tolist() for column in columns), strict=True))
    assert triples == {(0, 0, 0), (0, 1, 1), (1, 0, 1), (2, 0, 0), (2, 1, 0)}


def test_classes_that_are_known_have_numbers_too(tmp_path: Path) -> None:
    (tmp_path / "votes.csv").write_text("id,label_a,label_b\n1,2,dog\n2,cat,0\n")
    read = read_annotations(tmp_path / "votes.csv", ["bird", "cat", "dog"])
    assert read.votes.label.tolist() == [2, 2, 1, 0]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("id,label_a\n", "holds no labels. Give a CSV with the columns id, annotator and label, or id and a column"),
        ("name,label_a\n1,x\n", "the first line must name the column id"),
        ("id,label\n1,x\n", "has no column annotator."),
        ("id,label_a\n1,x\n2,x\n", "all labels are 'x'; there is nothing to decide between"),
        ("id,label_a,label_a\n1,x,y\n", "two columns are called label_a. Rename or remove one"),
        ("id,label_a\n1,x\n,y\n", "line 3: a label without an id"),
        ("id,annotator,label\n1,a,x\n1,,y\n", "line 3: a label without an annotator"),
        (LONG + "ben,7,cat\n", "line 7: ben has labelled '7' already, in line 3"),
    ],
)
def test_refuses(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "votes.csv").write_text(text)
    with pytest.raises(UserError, match=re.escape(words)):
        read_annotations(tmp_path / "votes.csv")


def test_where_names_are_numbers_a_number_is_a_name(tmp_path: Path) -> None:
    (tmp_path / "votes.csv").write_text("id,label_a,label_b\n1,2,3\n2,1,0\n")
    with pytest.raises(UserError, match=r"line 3: there is no class '0'"):
        read_annotations(tmp_path / "votes.csv", ["1", "2", "3"])


def test_annotators_are_called_as_they_are_written(tmp_path: Path) -> None:
    (tmp_path / "votes.csv").write_text("ID,label_Bob,label_bob\n1,x,y\n2,y,y\n")
    assert read_annotations(tmp_path / "votes.csv").annotators == ("Bob", "bob")


def test_an_unknown_class_is_named(tmp_path: Path) -> None:
    (tmp_path / "votes.csv").write_text("id,label_a\n1,cta\n2,dog\n")
    with pytest.raises(UserError, match=r"line 2: there is no class 'cta'\. Did you mean 'cat'\?"):
        read_annotations(tmp_path / "votes.csv", ["cat", "dog"])


def test_the_table_says_who_agreed_and_where_another_label_is_worth_most(tmp_path: Path) -> None:
    rows = ["id,label_a,label_b,label_c"] + [f"{number},{number % 2},{number % 2},{number % 2}" for number in range(60)]
    (tmp_path / "votes.csv").write_text("\n".join([*rows, "torn,0,1,"]))
    read = read_annotations(tmp_path / "votes.csv")
    table = list(csv.DictReader(table_of(read, consensus(read.votes)).splitlines()))
    assert [row["id"] for row in table] == [*map(str, range(60)), "torn"]
    assert all(row["label"] == str(int(row["id"]) % 2) for row in table[:-1])
    assert table[-1]["worth_another"] == "1"
    assert (table[-1]["agree"], table[-1]["labels"]) == ("1", "2")
    assert sorted(int(row["worth_another"]) for row in table) == list(range(1, 62))


@FUZZ
@given(text=st.text(st.characters(codec="utf-8")))
def test_whatever_comes_in(tmp_path: Path, text: str) -> None:
    (tmp_path / "votes.csv").write_text(text, encoding="utf-8", newline="")
    with refused_or_read(tmp_path):
        read_annotations(tmp_path / "votes.csv")
