"""``nl list-plugins``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from helpers import install_plugin, plugin_source

KINDS = {
    "dataset": [
        "animal10n",
        "cifar10",
        "cifar100",
        "clothing1m",
        "csv",
        "digits",
        "fashion_mnist",
        "food101n",
        "hf",
        "image_folder",
        "mini_webvision",
        "mnist",
        "parquet",
        "red_mini_imagenet",
        "webdataset",
    ],
    "noise": [
        *("asymmetric", "cifar10n", "cifar100n", "instance_dependent", "none", "open_set", "pair_flip", "stored"),
        *("symmetric", "transition_matrix"),
    ],
    "augmentation": [
        *("autoaugment_cifar10", "crop_flip", "cutout", "flip", "none", "progressive", "randaugment"),
        *("resized_crop", "simclr", "trivial_augment"),
    ],
    "architecture": [
        "airbench",
        "cnn8",
        "cnn9",
        "preact_resnet18",
        "resnet18",
        "resnet34",
        "resnet50",
        "resnet101",
        "resnet152",
        "timm",
        "torchvision",
        "wide_resnet",
    ],
    "optimizer": ["adam", "adamw", "cdr", "muon", "sam", "sgd"],
    "loss": [
        *("ael", "agce", "anl_ce", "aul", "backward_correction", "class_weighted", "cores", "cross_entropy"),
        *("elr", "focal"),
        *("forward_correction", "gce", "gjs", "hard_bootstrap", "importance_reweighting", "jensen_shannon"),
        *(
            "label_smoothing",
            "logit_adjusted",
            "mae",
            "nce_agce",
            "nce_mae",
            "nce_rce",
            "nfl_rce",
            "peer",
            "pencil",
            "sce",
            "selc",
        ),
        *("soft_bootstrap", "sop", "taylor_ce", "truncated_gce", "vol_min_net"),
    ],
    "strategy": [
        *("co_teaching", "co_teaching_plus", "decoupling", "disc", "divide_mix", "dynamic_bootstrap", "elr_plus"),
        *("jocor", "joint_optimisation", "mentor_mix", "mixup", "ncr", "pes", "pes_semi", "promix", "rrm"),
        *("selc_plus", "ssr", "standard", "t_revision", "two_views", "unicon"),
    ],
    "tracker": ["csv", "mlflow", "tensorboard", "wandb"],
    "estimator": ["agreement", "anchors", "bmm", "confident_joint", "dual_t", "gmm", "hoc"],
    "preset": ["audit", "best", "photos", "photos_gpu", "quick"],
}


def test_lists_every_component_and_with_wide_its_paper_and_plugin(nl: Any) -> None:
    listed, wide = nl("list-plugins"), nl("list-plugins", "--wide")
    assert listed.code == wide.code == 0
    for shown in (listed, wide):
        for kind, names in KINDS.items():
            rows = [line.split() for line in shown.out.splitlines() if line.startswith(kind)]
            assert [row[1] for row in rows] == names
            assert all("nlcore" in row for row in rows) == (shown is wide)
    assert "arXiv:1412.6596" in wide.out


def test_it_fits_80_columns(nl: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    *lines, _, protocols = nl("list-plugins").out.splitlines()
    assert "more presets are papers' settings" in protocols
    assert max(map(len, (*lines, protocols))) <= 80
    starts = [line.split()[:2] for line in lines if not line.startswith(" ")][1:]
    assert [name for kind, name in starts if kind in KINDS] == [name for names in KINDS.values() for name in names]


def test_it_says_who_brought_what_where_it_was_not_us(nl: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_plugin(monkeypatch, tmp_path, "list-one", plugin_source(nl_losses={"theirs": "m:C"}), version="2.1")
    (line,) = (line for line in nl("list-plugins").out.splitlines() if line.startswith("loss") and "theirs" in line)
    assert line.endswith("list-one 2.1")


def test_presets_are_a_kind_here(nl: Any) -> None:
    rows = nl("list-plugins", "--kind", "preset", "--json").json
    assert {row["name"] for row in rows} >= {"quick", "best"}
    assert nl("list-plugins", "quick").out.splitlines()[1].startswith("preset  quick ")


def test_one_kind_as_json(nl: Any) -> None:
    rows = nl("list-plugins", "--kind", "loss", "--json").json
    assert [row["name"] for row in rows] == KINDS["loss"]
    assert {row["kind"] for row in rows} == {"loss"}
    assert all(row.keys() >= {"kind", "name", "summary", "paper", "distribution", "version"} for row in rows)


def test_unknown_kind(nl: Any) -> None:
    refused = nl("list-plugins", "--kind", "losses")
    assert refused.code == 2
    assert "loss" in refused.err


def test_a_pattern_shows_only_names_like_it(nl: Any) -> None:
    def names(*words: str) -> list[str]:
        return [row["name"] for row in nl("list-plugins", *words, "--json").json]

    assert names("resnet1*") == ["resnet18", "resnet101", "resnet152"]
    assert names("nce_*", "--kind", "loss") == ["nce_agce", "nce_mae", "nce_rce"]
    assert names("nlcore/*", "--kind", "loss") == KINDS["loss"]
    assert len(nl("list-plugins", "gce").out.splitlines()) == 2


def test_a_pattern_that_matches_nothing(nl: Any) -> None:
    refused = nl("list-plugins", "resnt*")
    assert (refused.code, refused.out) == (2, "")
    assert all(word in refused.err for word in ("component", "'resnt*'", "Did you mean", "'resnet18'"))
    refused = nl("list-plugins", "resnet18", "--kind", "loss", "--json")
    assert (refused.code, refused.out) == (2, "")
    assert "no loss like 'resnet18'" in refused.err
