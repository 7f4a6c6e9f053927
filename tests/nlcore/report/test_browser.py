"""The page in a real browser: Chromium, where it and the package playwright are there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_runs import make_run

from nlcore.report.page import report
from nlcore.rundir.directory import RunDirectory
from nlcore.rundir.result import per_class
from nlcore.studies.read import read_runs

pytestmark = pytest.mark.slow

CLASSES = tuple(f"a class with a long name {number}" for number in range(10))
PHONE = {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the page of eight runs: two losses, two rates, two seeds."""
    folder = tmp_path_factory.mktemp("report")
    last = iter((0.9, 0.8, 0.7, 0.75, 0.1, 0.2, 0.625, 0.55))
    counts = np.arange(100, dtype=np.int64).reshape(10, 10)
    for loss in ("gce", "mae"):
        for rate in (0.2, 0.5):
            for seed in (1, 2):
                words: dict[str, Any] = {"loss": loss, "noise__rate": rate, "seed": seed}
                more = {"per_class": per_class(CLASSES, counts), "message": "x" * 200, "status": "diverged"}
                columns = {"memorised": [0.1, 0.2]}
                path = make_run(folder / "runs", [0.05, next(last)], columns=columns, result=more, **words)
                RunDirectory(path).write_confusion(CLASSES, counts)
                path.rename(path.with_name(f"{path.name}-{'long' * 20}"))
    made = report(read_runs(folder / "runs"), "Study", "nl report", metrics=("last", "memorised"))
    (folder / "report.html").write_text(made.html, encoding="utf-8")
    return folder / "report.html"


@pytest.fixture
def opened(browser: Any, page_file: Path) -> Iterator[Callable[..., Any]]:
    """Return a function that opens the page; at the end, what it complained of or tried to load is a failure."""
    said: list[str] = []
    contexts = []

    def call(fragment: str = "", **options: Any) -> Any:
        context = browser.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: said.append(f"error: {error}"))
        page.on("request", lambda request: said.append(request.url) if "report.html" not in request.url else None)
        page.goto(f"{page_file.as_uri()}{fragment}")
        return page

    yield call
    for context in contexts:
        context.close()
    assert said == []


def column(page: Any, place: int) -> list[str]:
    """Return the texts of a column in the list of runs."""
    cells = page.locator(f"table.sortable tbody tr > :nth-child({place})").all_text_contents()
    return list(map(str, cells))


def test_a_click_on_a_heading_sorts(opened: Callable[..., Any]) -> None:
    page = opened()
    titles = page.locator("table.sortable thead th")
    last = titles.filter(has_text="last")
    before = column(page, 7)
    last.get_by_role("button").click()
    expected = ["90.00", "80.00", "75.00", "70.00", "62.50", "55.00", "20.00", "10.00"]
    assert sorted(before) == sorted(expected)
    assert before != expected
    assert column(page, 7) == expected
    assert last.get_attribute("aria-sort") == "descending"
    last.get_by_role("button").click()
    assert column(page, 7) == expected[::-1]
    assert last.get_attribute("aria-sort") == "ascending"
    titles.filter(has_text="loss").get_by_role("button").click()
    assert column(page, 2) == ["gce"] * 4 + ["mae"] * 4
    assert page.locator("table.sortable [aria-sort]").count() == 1


def test_the_keyboard_sorts_the_table_of_rows(opened: Callable[..., Any]) -> None:
    """The mean last accuracies at rate 0.5 are 72.5 of gce and 58.75 of mae."""
    page = opened()
    page.locator(".nl-table table").first.get_by_role("button", name="0.5").focus()
    names = page.locator(".nl-table table").first.locator("tbody th")
    assert names.all_text_contents() == ["gcea", "maea"]  # with the mark of the note that runs diverged
    page.keyboard.press("Enter")
    page.keyboard.press("Space")
    assert names.all_text_contents() == ["maea", "gcea"]


def test_a_link_to_a_run_opens_it(opened: Callable[..., Any]) -> None:
    page = opened()
    assert page.locator("details[open]").count() == 0
    page.locator("table.sortable tbody a").nth(2).click()
    page.wait_for_selector("details[open]")
    assert page.locator("details[open]").get_attribute("id") == "run-3"
    assert opened("#run-2").locator("details[open]").get_attribute("id") == "run-2"


def test_all_runs_are_opened_at_once(opened: Callable[..., Any]) -> None:
    page = opened()
    page.get_by_role("button", name="Open all").click()
    assert page.locator("details[open]").count() == page.locator("details").count() == 8


def test_dark_where_the_reader_has_it_dark_and_light_in_print(opened: Callable[..., Any]) -> None:
    page = opened(color_scheme="light")
    background, ink = (f"getComputedStyle(document.body).{what}" for what in ("backgroundColor", "color"))
    line = "getComputedStyle(document.querySelector('svg [style*=\"--c0\"]')).stroke"
    light = [page.evaluate(one) for one in (background, ink, line)]
    assert light[0] == "rgb(255, 255, 255)"
    page.emulate_media(color_scheme="dark")
    dark = [page.evaluate(one) for one in (background, ink, line)]
    assert all(one != other for one, other in zip(light[:2], dark[:2], strict=True))
    assert sum(map(int, dark[0].removeprefix("rgb(").removesuffix(")").split(","))) < 3 * 64
    page.emulate_media(color_scheme="dark", media="print")
    assert [page.evaluate(one) for one in (background, ink, line)] == light


def test_it_prints(opened: Callable[..., Any]) -> None:
    page = opened()
    closed = page.pdf(format="A4")
    page.get_by_role("button", name="Open all").click()
    open_ = page.pdf(format="A4")
    assert closed.startswith(b"%PDF")
    assert len(open_) > len(closed)  # what is open is printed


@pytest.mark.parametrize("width", [320, PHONE["width"], 768, 1280])
def test_nothing_is_wider_than_the_window(width: int, opened: Callable[..., Any]) -> None:
    page = opened(viewport={"width": width, "height": 800})
    page.get_by_role("button", name="Open all").click()
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_it_can_be_read_without_scripts(opened: Callable[..., Any]) -> None:
    page = opened(java_script_enabled=False)
    assert page.locator("table.sortable tbody tr").count() == 8
    assert not page.get_by_role("button", name="Open all").is_visible()
    page.locator("summary").first.click()
    assert page.locator("details[open] pre").first.is_visible()
