"""Text files as editors on any system write them."""

from __future__ import annotations

from pathlib import Path

import pytest
from fuzzing import FUZZ
from hypothesis import given
from hypothesis import strategies as some

from nlcore.textfiles import read_text


@FUZZ
@given(
    text=some.text("aé中😀\r\n\t \u2028", max_size=20),
    encoding=some.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"]),
)
def test_text_in_every_encoding_is_read_with_its_line_ends(text: str, encoding: str, tmp_path: Path) -> None:
    text = "a" + text  # by whose zero byte UTF-16 without a mark is known
    (tmp_path / "text").write_bytes(text.encode(encoding))
    assert read_text(tmp_path / "text") == text


@pytest.mark.parametrize("content", ["é".encode("latin-1"), b"\xff\xfea", b"a\x00b"])
def test_what_is_no_text_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "text").write_bytes(content)
    with pytest.raises(UnicodeDecodeError):
        read_text(tmp_path / "text")
