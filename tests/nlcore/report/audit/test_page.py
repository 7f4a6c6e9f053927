"""An audit's page as HTML: it loads nothing, takes nothing of a user's for markup, and fits into files."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hatchling.builders.wheel import WheelBuilder
from made_audits import make_page, make_review, make_sample, picture

from nlcore.audits.data_checks import Finding
from nlcore.audits.thumbnails import Thumbnail
from nlcore.report.audit import page as module
from nlcore.report.audit.content import Sample, Verdict
from nlcore.report.audit.page import write_page

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"'&amp;{{ 7*7 }}"
NAMES = (HOSTILE, 'say "cheese", please', "שלום ‮gnp", "🐈‍⬛ cat")


class Parsed(HTMLParser):
    """What elements a page has, and the texts within."""

    def __init__(self, html: str) -> None:
        """Read a page."""
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self.last = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep an element."""
        self.elements.append((tag, dict(attrs)))
        self.last = tag

    def handle_data(self, data: str) -> None:
        """Keep a text."""
        self.texts.append((self.last, data))


def data_of(html: str) -> dict[str, Any]:
    """Return what the page's script is given."""
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', html, re.DOTALL)
    assert found is not None
    read: dict[str, Any] = json.loads(found[1])
    return read


@pytest.fixture
def hostile(tmp_path: Path) -> str:
    """Return a page whose names are all markup, quotes, emoji or right to left."""
    samples = [
        replace(make_sample(number, NAMES), id=f"{name}/1.png", reasons=(name,)) for number, name in enumerate(NAMES)
    ]
    page = make_page(samples, [replace(one, sample=samples[0]) for one in make_review(1)], NAMES, audit=HOSTILE)
    finding = Finding("unreadable", "error", HOSTILE, ((HOSTILE,),), (HOSTILE,))
    verdict = Verdict(100, None, None, HOSTILE)
    page = replace(page, title=HOSTILE, command=HOSTILE, apply=HOSTILE, verdict=verdict, findings=[finding])
    [file] = write_page(tmp_path / "page.html", page)
    return file.read_text(encoding="utf-8")


def test_what_users_write_is_never_markup(hostile: str) -> None:
    page = Parsed(hostile)
    scripts = [one for tag, one in page.elements if tag == "script"]
    assert len([one for one in scripts if "type" not in one]) == 1  # ours
    assert {one.get("type") for one in scripts} == {None, "application/json", "text/plain"}
    assert [one for tag, one in page.elements if tag == "img"] == [{"id": "large", "alt": ""}]
    assert not [name for _, attributes in page.elements for name in attributes if name.startswith("on")]
    for tag in ("title", "h1", "code", "li", "bdi"):
        assert any(HOSTILE in text for where, text in page.texts if where == tag), tag
    read = data_of(hostile)
    assert read["classes"] == [*NAMES]
    assert [one["id"] for one in read["samples"]] == [f"{name}/1.png" for name in NAMES]
    assert read["audit"] == HOSTILE


def test_nothing_is_loaded_and_no_other_script_runs(hostile: str) -> None:
    page = Parsed(hostile)
    assert "http://" not in hostile
    assert "https://" not in hostile
    assert not [tag for tag, _ in page.elements if tag in ("link", "iframe", "object", "embed", "base")]
    [script] = re.findall(r"<script>(.*?)</script>", hostile, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = next(str(one["content"]) for tag, one in page.elements if tag == "meta" and "http-equiv" in one)
    assert policy.split("; ")[:4] == [
        "default-src 'none'", "img-src data:", "style-src 'unsafe-inline'", f"script-src 'sha256-{digest}'",
    ]  # fmt: skip


def test_the_interval_or_the_reason_why_there_is_none(tmp_path: Path) -> None:
    page = make_page([make_sample(0)])
    html = write_page(tmp_path / "page.html", page)[0].read_text()
    assert (
        "At least <strong>93</strong>, at most <strong>266</strong> of 2,000 labels are wrong (4.7 % to 13.3 %)."
        in (html)
    )  # 93 / 2000 = 4.65 %, 266 / 2000 = 13.3 %
    assert "94 % of the first 100." in html
    assert '<span class="number">5.0 %</span>' in html  # 25 of 500
    assert "The 1 most suspicious; issues.csv ranks all." in html  # of up to 266
    assert "wrong, at least" in html
    rows = [replace(row, expected=None, listed=10) for row in page.rows]
    page = replace(page, rows=rows, verdict=Verdict(2_000, None, None, "The model disagrees with 46 % of the labels."))
    html = write_page(tmp_path / "page.html", page)[0].read_text()
    assert "At least" not in html
    assert "wrong, at least" not in html
    assert '<span class="number">2.0 %</span>' in html  # 10 of 500
    assert "The model disagrees with 46 % of the labels." in html


def test_images_stay_in_their_order_and_pictures_are_as_they_were(tmp_path: Path) -> None:
    samples = [replace(make_sample(number), p_wrong=wrong) for number, wrong in enumerate((0.25, 0.9, 0.5))]
    html = write_page(tmp_path / "page.html", make_page(samples))[0].read_text()
    read = data_of(html)["samples"]
    assert [one["id"] for one in read] == ["train/0.png", "train/1.png", "train/2.png"]  # a detector's, not P's
    for number, one in enumerate(read):
        found = re.search(rf'id="picture-{one["picture"]}" data-type="image/png">([^<]*)<', html)
        assert found is not None
        assert base64.b64decode(found[1]) == picture(number).content


def test_more_images_than_one_file_takes_are_in_several(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_SAMPLES", 4)
    page = make_page([make_sample(number) for number in range(10)], make_review(3))
    files = write_page(tmp_path / "made" / "page.html", page)
    assert [file.name for file in files] == ["page.html", "page-2.html", "page-3.html"]
    read = [data_of(file.read_text()) for file in files]
    assert [len(one["samples"]) for one in read] == [4, 4, 2]
    assert [len(one["review"]) for one in read] == [3, 0, 0]
    ids = [sample["id"] for one in read for sample in one["samples"]]
    assert ids == [f"train/{number}.png" for number in range(10)]
    for file in files:
        links = [one["href"] for tag, one in Parsed(file.read_text()).elements if tag == "a"]
        assert [link for link in links if str(link).endswith(".html")] == [one.name for one in files]


def test_a_file_takes_2_000_thumbnails_in_40_megabytes(tmp_path: Path) -> None:
    shown = Thumbnail(b"\x7f" * 14_000, "image/webp", 256, 256)  # as large as thumbnails are
    samples = [make_sample(number, shown=shown) for number in range(2_100)]
    files = write_page(tmp_path / "page.html", make_page(samples))
    assert [len(data_of(file.read_text())["samples"]) for file in files] == [2_000, 100]
    assert all(file.stat().st_size < 40_000_000 for file in files)


def test_larger_pictures_need_more_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_BYTES", 10_000)
    shown = Thumbnail(b"\x7f" * 3_000, "image/webp", 256, 256)  # 4,000 letters as text
    files = write_page(tmp_path / "page.html", make_page([make_sample(number, shown=shown) for number in range(5)]))
    assert [len(data_of(file.read_text())["samples"]) for file in files] == [2, 2, 1]


def test_many_classes_are_pairs_and_not_a_matrix(tmp_path: Path) -> None:
    names = tuple(f"class {number}" for number in range(100))
    samples = [make_sample(number, names) for number in (0, 0, 3)]
    samples = [replace(sample, id=f"{number}") for number, sample in enumerate(samples)]
    html = write_page(tmp_path / "page.html", make_page(samples, classes=names))[0].read_text()
    assert 'matrix">' not in html
    assert re.findall(r'data-pair="([\d,]+)"', html) == ["0,1", "3,4"]  # the more frequent first


def test_an_audit_that_found_nothing(tmp_path: Path) -> None:
    page = replace(make_page([]), findings=[])
    html = write_page(tmp_path / "page.html", page)[0].read_text()
    assert "There are none." in html
    assert "Nothing is wrong that can be told without a model." in html


def test_an_image_without_a_picture(tmp_path: Path) -> None:
    sample = Sample("broken.jpg", 0, 1, 0.5, ((1, 0.6),), (), None)
    read = data_of(write_page(tmp_path / "page.html", make_page([sample]))[0].read_text())["samples"][0]
    assert (read["picture"], read["size"]) == (None, None)


def test_the_wheel_has_templates_style_and_scripts() -> None:
    root = Path(__file__).parents[4]
    included = {file.distribution_path for file in WheelBuilder(str(root)).recurse_included_files()}
    templates = {path.relative_to(root).as_posix() for path in (root / "nlcore/report/audit/templates").iterdir()}
    assert len(templates) == 9
    assert templates <= included
