"""The site in a real browser: Chromium, where it and the package playwright are there."""

from __future__ import annotations

import functools
import http.server
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

PHONE = {"width": 390, "height": 844}
DOCS = Path(__file__).parents[2] / "docs"
PAGES = sorted(page.stem for page in DOCS.glob("*.md"))
MADE = [
    *(f"components/{name}" for name in ("index", "loss/index", "loss/sop", "strategy/divide_mix", "preset/index")),
    *(f"api/{name}" for name in ("nlcore", "nlcore.contracts", "nlcore.toolbox")),
]


class _Silent(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def served(site: Path) -> Iterator[str]:
    """Return the address of a server of the site on this machine."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Silent, directory=str(site))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(params=["folder", "server"])
def base(request: pytest.FixtureRequest, site: Path) -> str:
    """Return where the site begins: in a folder, and on a server."""
    return site.as_uri() if request.param == "folder" else str(request.getfixturevalue("served"))


@pytest.fixture
def opened(browser: Any) -> Iterator[Callable[..., Any]]:
    """Return a function that opens a page; what it complained of or asked of others is a failure at the end."""
    said: list[str] = []
    contexts = []

    def call(address: str, **options: Any) -> Any:
        context = browser.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        ours = ("file:", "http://127.0.0.1:", "data:", "blob:")
        page.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: said.append(f"error: {error}"))
        page.on("request", lambda request: None if request.url.startswith(ours) else said.append(request.url))
        page.on("requestfailed", lambda request: said.append(f"failed: {request.url}"))
        page.goto(address)
        return page

    yield call
    for context in contexts:
        context.close()
    assert said == []


def found(page: Any, words: str) -> Any:
    """Return the links to what a search finds."""
    page.locator("input.md-search__input").press_sequentially(words)
    results = page.locator(".md-search-result__link")
    results.first.wait_for(state="attached")
    return results


def test_search_finds_a_loss(base: str, opened: Callable[..., Any]) -> None:
    page = opened(f"{base}/index.html", viewport={"width": 1280, "height": 900})
    first = found(page, "gce").first
    assert "components/loss/gce.html" in first.get_attribute("href")
    first.click()
    page.wait_for_url("**/components/loss/gce.html**")
    assert page.locator("article h1").inner_text().startswith("gce")


def test_search_finds_words_of_a_page_from_a_page_in_another_folder(base: str, opened: Callable[..., Any]) -> None:
    page = opened(f"{base}/components/loss/gce.html", viewport={"width": 1280, "height": 900})
    found(page, "checkpoint").first.click()
    page.wait_for_url("**/runs.html**")


def test_dark_where_the_reader_has_it_dark_and_at_a_click(base: str, opened: Callable[..., Any]) -> None:
    def brightness(page: Any) -> int:
        color = page.evaluate("getComputedStyle(document.body).backgroundColor")
        return sum(map(int, color.removeprefix("rgb(").removesuffix(")").split(",")))

    page = opened(f"{base}/index.html", color_scheme="light")
    assert brightness(page) == 3 * 255
    page.locator("label[title='Switch to dark mode']").click()
    page.wait_for_function("document.body.dataset.mdColorScheme === 'slate'")
    assert brightness(page) < 3 * 64
    page.goto(f"{base}/runs.html")  # it is remembered
    assert brightness(page) < 3 * 64
    page.locator("label[title='Switch to light mode']").click()
    page.wait_for_function("document.body.dataset.mdColorScheme === 'default'")
    assert brightness(opened(f"{base}/index.html", color_scheme="dark")) < 3 * 64


@pytest.mark.parametrize("name", [*PAGES, *MADE])
def test_a_page_is_no_wider_than_a_phone(name: str, site: Path, opened: Callable[..., Any]) -> None:
    page = opened(f"{site.as_uri()}/{name}.html", viewport=PHONE)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert page.evaluate("document.querySelector('article').getBoundingClientRect().right") <= PHONE["width"]


def test_a_phone_reaches_every_section_by_the_menu(site: Path, opened: Callable[..., Any]) -> None:
    page = opened(f"{site.as_uri()}/index.html", viewport=PHONE)
    page.locator("label.md-header__button[for=__drawer]").click()
    menu = page.locator("nav.md-nav--primary")
    for title in ("Course", "Benchmark", "My images", "Write a plugin", "Components", "Reference"):
        assert menu.get_by_text(title, exact=True).first.is_visible()


def test_pictures_are_shown(site: Path, opened: Callable[..., Any]) -> None:
    page = opened(f"{site.as_uri()}/index.html", viewport=PHONE)
    widths = page.locator("article img").evaluate_all("all => all.map(one => [one.naturalWidth, one.clientWidth])")
    assert widths
    assert all(natural > 0 and 0 < shown <= PHONE["width"] for natural, shown in widths)


def test_code_can_be_read_to_its_end(site: Path, opened: Callable[..., Any]) -> None:
    """On a usual screen, the equations of a component are not cut off."""
    page = opened(f"{site.as_uri()}/components/strategy/divide_mix.html", viewport={"width": 1280, "height": 900})
    hidden = page.locator("article pre > code").evaluate_all("all => all.map(one => one.scrollWidth - one.clientWidth)")
    assert hidden
    assert max(hidden) <= 0


def test_an_equations_signs_are_there_to_be_copied_and_not_seen(site: Path, opened: Callable[..., Any]) -> None:
    page = opened(f"{site.as_uri()}/components/loss/gce.html", viewport={"width": 1280, "height": 900})
    equation = page.locator("table.equation").first
    assert "(1 − p_y^q) / q" in equation.inner_text()
    assert equation.locator("sub", has_text="y").first.is_visible()
    widths = equation.locator(".unseen").evaluate_all("all => all.map(one => one.getBoundingClientRect().width)")
    assert widths
    assert max(widths) == 0
