"""``nl show``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from helpers import install_plugin

from nlcore.host.hookspecs import component_kinds
from nlcore.host.registry import registry

COMPONENTS = [entry for kind in component_kinds() for entry in registry().of_kind(kind)]


def test_shows_equation_parameters_paper_and_source(nl: Any) -> None:
    page = nl("show", "soft_bootstrap")
    assert page.code == 0
    for said in ("log q_k", "--loss.beta", "0.95", "[0, 1]", "arXiv:1412.6596", "soft_bootstrap.py"):
        assert said in page.out


def test_every_component_has_a_page(nl: Any) -> None:
    for entry in COMPONENTS:
        page = nl("show", entry.kind, entry.name)
        assert page.code == 0
        assert page.out.startswith(f"{entry.kind} {entry.name}")


def test_unknown_name(nl: Any) -> None:
    refused = nl("show", "soft_bootstrp")
    assert refused.code == 2
    assert "soft_bootstrap" in refused.err


@pytest.mark.parametrize("words", [("dataset", "csv"), ("dataset:csv",), ("dataset", "nlcore/csv")])
def test_a_name_of_several_kinds_is_told_by_its_kind(words: tuple[str, ...], nl: Any) -> None:
    assert nl("show", *words).out.startswith("dataset csv (nlcore ")
    refused = nl("show", "csv")
    assert refused.code == 2
    assert "is a dataset and a tracker: 'nl show dataset csv' or 'nl show tracker csv' says which" in refused.err


@pytest.mark.parametrize("words", [("los", "gce"), ("los:gce",), ("gce", "elr", "sop")])
def test_no_such_kind(words: tuple[str, ...], nl: Any) -> None:
    refused = nl("show", *words)
    assert refused.code == 2
    assert "Kinds are dataset, noise, " in refused.err


def test_a_preset_is_shown_elsewhere(nl: Any) -> None:
    refused = nl("show", "quick")
    assert refused.code == 2
    assert "'nl presets quick'" in refused.err


def test_every_built_in_with_a_paper_has_its_bibtex(nl: Any) -> None:
    for entry in COMPONENTS:
        cited = nl("show", entry.kind, entry.name, "--cite")
        assert cited.code == (0 if entry.component.paper else 2)
        if entry.component.paper:
            assert cited.out.startswith("@")
            assert cited.out.count("{") == cited.out.count("}")
            assert all(f"  {field} " in cited.out for field in ("title", "author", "year"))
            where = entry.component.paper.removeprefix("arXiv:").removeprefix("https://doi.org/")
            assert f"= {{{where}}}" in cited.out


HOOKS = """
from nlcore import Component, hookimpl
NLCORE_API = 1

@hookimpl
def nl_losses():
    return [
        Component("one", "m:C", "Knows its number.", "arXiv:2101.00001"),
        Component("two", "m:C", "Knows a DOI.", "https://doi.org/10.1000/1"),
        Component("three", "m:C", "Knows nothing."),
    ]
"""


def test_an_arxiv_number_alone_is_cited_as_such(nl: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    install_plugin(monkeypatch, tmp_path, "cite-three", HOOKS)
    cited = nl("show", "one", "--cite")
    assert cited.code == 0
    assert cited.out.splitlines()[0] == "@misc{one,"
    assert "eprint        = {2101.00001}," in cited.out
    assert "https://arxiv.org/abs/2101.00001" in cited.out
    for name, said in (("two", "https://doi.org/10.1000/1"), ("three", "no paper")):
        refused = nl("show", name, "--cite")
        assert (refused.code, refused.out) == (2, "")
        assert all(word in refused.err for word in (f"loss {name}", "cite-three", said))
