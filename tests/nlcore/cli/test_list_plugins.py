"""``nl list-plugins``."""

from __future__ import annotations

from typing import Any

KINDS = {
    "dataset": ["cifar10", "digits"],
    "noise": ["cifar10n", "none", "stored", "symmetric"],
    "architecture": ["resnet18", "resnet34", "resnet50", "resnet101", "resnet152"],
    "loss": ["cross_entropy", "elr", "gce", "hard_bootstrap", "soft_bootstrap"],
    "strategy": ["co_teaching", "mixup", "standard"],
}


def test_lists_every_component_with_paper_and_plugin(nl: Any) -> None:
    listed = nl("list-plugins")
    assert listed.code == 0
    for kind, names in KINDS.items():
        rows = [line.split() for line in listed.out.splitlines() if line.startswith(kind)]
        assert [row[1] for row in rows[-len(names) :]] == names
        assert all(row[-2] == "nlcore" for row in rows[-len(names) :])
    assert "arXiv:1412.6596" in listed.out


def test_one_kind_as_json(nl: Any) -> None:
    rows = nl("list-plugins", "--kind", "loss", "--json").json
    assert [row["name"] for row in rows] == KINDS["loss"]
    assert {row["kind"] for row in rows} == {"loss"}
    assert all(row.keys() >= {"kind", "name", "summary", "paper", "distribution", "version"} for row in rows)


def test_unknown_kind(nl: Any) -> None:
    refused = nl("list-plugins", "--kind", "losses")
    assert refused.code == 2
    assert "loss" in refused.err
