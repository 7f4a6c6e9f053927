"""The page as HTML: that it is well-formed, loads nothing, and takes nothing of a user's for markup."""

from __future__ import annotations

import base64
import hashlib
import itertools
import re
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from hatchling.builders.wheel import WheelBuilder
from made_runs import make_run, make_study

from nlcore.report import page as module
from nlcore.report.page import Report, report
from nlcore.rundir.directory import RunDirectory
from nlcore.rundir.result import per_class
from nlcore.studies.read import read_runs

HOSTILE = "<script>alert(1)<img src=x onerror=alert(2)>\"'&amp;{{ 7*7 }}"
VOID = {"meta"}


class Page(HTMLParser):
    """Checks that elements are closed in their order, and keeps what there is."""

    def __init__(self, html: str) -> None:
        """Read a page."""
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        """Keep an element."""
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        """Keep an element that is closed at once, as in SVG."""
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        """Check that it is the one that was opened last."""
        assert self.open.pop() == tag, self.getpos()

    def handle_data(self, data: str) -> None:
        """Keep a text by the element that it is in."""
        if self.open:
            self.texts.setdefault(self.open[-1], []).append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        """Return the attributes of all elements of a kind."""
        return [attributes for name, attributes in self.elements if name == tag]


def made(folder: Path, title: str = "Study", by: Sequence[str] = ()) -> Report:
    """Return the report of a folder's runs."""
    return report(read_runs(folder), title, "nl report", by)


def with_classes(folder: Path, names: Sequence[str], seed: int = 1, **result: object) -> Path:
    """Write a run of these classes."""
    counts = np.eye(len(names), dtype=np.int64)
    more = {"per_class": per_class(names, counts), **result}
    path = make_run(folder, [0.5, 0.6], seed=seed, columns={"memorised": [0.1, 0.2]}, result=more)
    RunDirectory(path).write_confusion(names, counts)
    return path


@pytest.fixture
def hostile(tmp_path: Path) -> Report:
    """Return a page whose names are all markup."""
    folder = tmp_path / "runs"
    words = {"status": "diverged", "message": HOSTILE, "oracles": [HOSTILE], "preset": {"name": HOSTILE}}
    for seed in (1, 1):  # twice, so that names of runs are names of rows
        path = with_classes(folder, [HOSTILE, "other"], seed, **words)
        about = RunDirectory(path).read_json("environment.json")
        more = {"notes": [HOSTILE], "device_name": HOSTILE, "packages": {HOSTILE: HOSTILE}}
        RunDirectory(path).write_json("environment.json", about | more | {"plugin_files": {"loss": HOSTILE}})
        with (path / "config.toml").open("a") as file:
            file.write(f"# {HOSTILE}\n")
        path.rename(path.with_name(f"{path.name} {HOSTILE}"))
    broken = make_run(folder, [0.5])
    (broken / "config.toml").unlink()
    broken.rename(broken.with_name(f"broken {HOSTILE}"))
    return report(read_runs(folder), HOSTILE, HOSTILE)


def test_what_users_write_is_never_markup(hostile: Report) -> None:
    page = Page(hostile.html)
    assert len(page.all("script")) == 1
    assert page.all("img") == []
    assert not [name for _, attributes in page.elements for name in attributes if name.startswith("on")]
    for tag in ("title", "h1", "h3", "li", "dd", "dt", "pre", "th", "code"):
        assert any(HOSTILE in text for text in page.texts[tag]), tag


def test_nothing_is_loaded_and_no_other_script_runs(hostile: Report) -> None:
    page = Page(hostile.html)
    assert "http://" not in hostile.html
    assert "https://" not in hostile.html
    assert not [tag for tag, _ in page.elements if tag in ("link", "iframe", "object", "embed", "base", "form")]
    targets = [value for _, one in page.elements for name, value in one.items() if name in ("href", "src")]
    assert targets
    assert all(str(target).startswith("#") for target in targets)
    assert not re.search(r"@import|url\((?!#)", "".join(page.texts["style"]))
    policy = next(one["content"] for one in page.all("meta") if "http-equiv" in one)
    digest = base64.b64encode(hashlib.sha256("".join(page.texts["script"]).encode()).digest()).decode()
    assert policy == f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"


def test_headings_captions_and_links(tmp_path: Path) -> None:
    with_classes(tmp_path, ["a", "b"], 1)
    with_classes(tmp_path, ["a", "b"], 2)
    page = Page(made(tmp_path).html)
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch(r"h\d", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(level <= before + 1 for before, level in itertools.pairwise(levels))
    assert len(page.all("caption")) == len(page.all("table")) == 4
    assert all("scope" in one for one in page.all("th"))
    assert page.all("html") == [{"lang": "en"}]
    ids = [one["id"] for _, one in page.elements if "id" in one]
    assert len(ids) == len(set(ids))
    links = [str(one["href"])[1:] for one in page.all("a")]
    assert links == ["table", "curves", "runs", "details", "run-1", "run-2"]
    assert set(links) <= set(ids)


def test_the_list_has_all_runs_and_the_details_those_of_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_DETAILS", 2)
    make_study(tmp_path, {"gce": [0.25, 0.5], "mae": [0.5]})
    found = made(tmp_path)
    page = Page(found.html)
    assert len(page.all("details")) == 2
    assert re.findall(r'<td class="number">([\d.]+)</td><td', found.html) == ["25.00", "50.00", "50.00"]
    assert "Of the first 2 runs in the list." in found.html


def test_a_run_whose_files_are_damaged_is_named_with_the_reason(tmp_path: Path) -> None:
    path = with_classes(tmp_path, ["a", "b"])
    (path / "confusion.csv").write_text("nothing")
    with_classes(tmp_path, ["a", "b"], 2)
    html = made(tmp_path).html
    assert "confusion.csv has other classes than summary.json" in html
    assert html.count("Repeat it") == 1


@pytest.mark.slow
def test_the_same_runs_are_the_same_page(tmp_path: Path) -> None:
    with_classes(tmp_path, ["a", "b"])
    assert made(tmp_path).html == made(tmp_path).html


def test_the_wheel_has_templates_style_and_script() -> None:
    root = Path(__file__).parents[3]
    included = {file.distribution_path for file in WheelBuilder(str(root)).recurse_included_files()}
    templates = {path.relative_to(root).as_posix() for path in (root / "nlcore/report/templates").iterdir()}
    assert len(templates) == 4
    assert templates <= included
