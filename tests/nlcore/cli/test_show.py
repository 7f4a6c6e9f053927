"""``nl show``."""

from __future__ import annotations

from typing import Any

from nlcore.registry import registry


def test_shows_equation_parameters_paper_and_source(nl: Any) -> None:
    page = nl("show", "soft_bootstrap")
    assert page.code == 0
    for said in ("log q_k", "--loss.beta", "0.95", "[0, 1]", "arXiv:1412.6596", "soft_bootstrap.py"):
        assert said in page.out


def test_every_component_has_a_page(nl: Any) -> None:
    for entry in registry().entries:
        page = nl("show", entry.name, "--kind", entry.kind)
        assert page.code == 0
        assert page.out.startswith(f"{entry.kind} {entry.name}")


def test_unknown_name(nl: Any) -> None:
    refused = nl("show", "soft_bootstrp")
    assert refused.code == 2
    assert "soft_bootstrap" in refused.err
