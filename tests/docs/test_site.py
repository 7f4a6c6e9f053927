"""The site: its links, and its pages of components against the components themselves."""

from __future__ import annotations

import html
import inspect
import json
import re
import statistics
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

import nlcore
from nlcore import contracts, toolbox
from nlcore.host.hookspecs import component_kinds
from nlcore.host.registry import Entry, registry

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
COMPONENTS = [entry for kind in component_kinds() for entry in registry().of_kind(kind)]


class Links(HTMLParser):
    """What a page links to, what it loads, and the places in it that can be linked to."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.followed: list[str] = []
        self.loaded: list[str] = []
        self.places: set[str] = set()
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element's address and name."""
        found = {key: value for key, value in attrs if value is not None}
        if "href" in found:
            (self.followed if tag == "a" else self.loaded).append(found["href"])
        if "src" in found:
            self.loaded.append(found["src"])
        self.places |= {found[key] for key in ("id", "name") if key in found}


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Links]:
    """Return all pages of the site; 404.html is for servers, and names places from their root."""
    return {page.resolve(): Links(page) for page in site.rglob("*.html") if page.name != "404.html"}


def text_of(site: Path, entry: Entry) -> str:
    """Return the text of a component's page, without the menu."""
    page = (site / "components" / entry.kind / f"{entry.name}.html").read_text(encoding="utf-8")
    return html.unescape(re.sub(r"<[^>]*>", "", page.partition("<article")[2].partition("</article>")[0]))


def test_every_page_of_the_documentation_is_there(pages: dict[Path, Links], site: Path) -> None:
    expected = {site / f"{page.stem}.html" for page in (ROOT / "docs").glob("*.md")}
    assert expected <= set(pages)


def test_every_link_leads_somewhere(pages: dict[Path, Links], site: Path) -> None:
    broken = []
    for page, links in pages.items():
        for link in links.followed:
            parts = urlsplit(link)
            if parts.scheme in ("http", "https"):
                continue
            target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
            known = pages.get(target)
            place = unquote(parts.fragment)
            found = target.is_file() if known is None else not place or place in known.places
            if not found or site.resolve() not in target.parents:
                broken.append(f"{page.relative_to(site.resolve())}: {link}")
    assert broken == []
    assert sum(len(links.followed) for links in pages.values()) > 1000


def test_links_to_the_repository_name_what_is_there(pages: dict[Path, Links]) -> None:
    begin = "https://github.com/nlcore/nlcore/tree/main/"
    found = {link.removeprefix(begin) for links in pages.values() for link in links.followed if link.startswith(begin)}
    assert found
    assert [path for path in found if not (ROOT / path).exists()] == []


def test_nothing_is_loaded_from_elsewhere(pages: dict[Path, Links]) -> None:
    for page, links in pages.items():
        for link in links.loaded:
            assert not urlsplit(link).netloc, f"{page}: {link}"
            assert (page.parent / unquote(urlsplit(link).path)).is_file(), f"{page}: {link}"


def test_the_first_page_names_every_component_with_a_link(pages: dict[Path, Links], site: Path) -> None:
    followed = set(pages[(site / "index.html").resolve()].followed)
    assert {f"components/{entry.kind}/{entry.name}.html" for entry in COMPONENTS} <= followed


@pytest.mark.parametrize("entry", COMPONENTS, ids=lambda entry: f"{entry.kind}-{entry.name}")
def test_a_components_page_says_what_it_declares(entry: Entry, site: Path, pages: dict[Path, Links]) -> None:
    text = text_of(site, entry)
    _, parameters = registry().signature(entry)
    for name, parameter in parameters.items():
        assert f".{name}\n" in text
        assert parameter.help in text
    if entry.component.bibtex:
        assert entry.component.bibtex.strip() in text
    if entry.component.paper:
        number = entry.component.paper.split(":", 1)[1].strip("/")
        links = pages[(site / "components" / entry.kind / f"{entry.name}.html").resolve()].followed
        assert any(link.startswith("https://") and link.strip("/").endswith(number) for link in links)
    assert "::\n" not in text


def test_an_equation_stands_as_in_the_module(site: Path) -> None:
    entry = registry().find("loss", "gce")
    text = " ".join(text_of(site, entry).split())
    assert "ℓ(f, y) = (1 − p_y^q) / q" in text
    assert "p = softmax(f); q → 0: −log p_y, q = 1: 1 − p_y" in text


def test_a_strategys_cost_is_that_of_the_table_of_strategies(site: Path) -> None:
    table = (ROOT / "docs" / "strategies.md").read_text(encoding="utf-8")
    for entry in registry().of_kind("strategy"):
        (cost,) = re.findall(rf"^\| `{entry.name}` \| .*? \| .*? \| .*? \| ([\d.]+) \|", table, re.MULTILINE)
        cells = text_of(site, entry).partition("captured\n")[2].split()
        assert cost in cells[:6]


@pytest.mark.parametrize("noise", ["symmetric", "asymmetric", "cifar10n"])
def test_results_are_means_of_the_runs_on_file(noise: str, site: Path) -> None:
    runs: list[dict[str, Any]] = json.loads((ROOT / "docs" / "results.json").read_text(encoding="utf-8"))
    text = text_of(site, registry().find("loss", "gce"))
    for loss in ("gce", "cross_entropy"):
        last = [100 * run["test_accuracy"]["last"] for run in runs if run["loss"] == loss and run["noise"] == noise]
        assert f"{statistics.mean(last):.2f} ± {statistics.stdev(last):.2f}" in text


def test_a_method_is_measured_where_it_has_runs(site: Path) -> None:
    assert "Measured" in text_of(site, registry().find("strategy", "divide_mix"))
    assert "Measured" not in text_of(site, registry().find("strategy", "promix"))
    assert "Measured" not in text_of(site, registry().find("detector", "aum"))


def test_the_preset_page_has_the_published_figures(site: Path) -> None:
    page = (site / "components" / "preset" / "index.html").read_text(encoding="utf-8")
    for entry in registry().of_kind("preset"):
        assert f"<code>{entry.name}</code>" in page
    (row,) = re.findall(r"<tr>\s*<td><code>divide_mix-cifar10-sym50</code>.*?</tr>", page, re.DOTALL)
    assert "94.40% (best 94.60%)" in row  # table 1 of the paper, 50 % symmetric noise: 94.6 best, 94.4 last


def test_every_public_class_and_function_is_described(pages: dict[Path, Links], site: Path) -> None:
    for module in (nlcore, contracts, toolbox):
        places = pages[(site / "api" / f"{module.__name__}.html").resolve()].places
        described = {name for name in module.__all__ if f"{module.__name__}.{name}" in places}
        named = {name: getattr(module, name) for name in module.__all__}
        assert {name for name, what in named.items() if inspect.isclass(what) or inspect.isfunction(what)} <= described
    api = pages[(site / "api" / "nlcore.contracts.html").resolve()].places
    assert "nlcore.contracts.Loss.__call__" in api
