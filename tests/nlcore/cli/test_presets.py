"""``nl presets``, and the presets that come with nlcore."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
import torch
from nlcore_builtins.presets import photos

import nlcore
from nlcore.host.registry import registry

NAMES = [entry.name for entry in registry().of_kind("preset")]


@pytest.mark.slow
def test_lists_them(nl: Any) -> None:
    listed = nl("presets")
    assert listed.code == 0
    assert [line.split()[0] for line in listed.out.splitlines()[1:]] == NAMES
    rows = nl("presets", "--json").json
    assert [row["name"] for row in rows] == NAMES
    assert all(row["summary"] and row["plugin"].startswith("nlcore ") for row in rows)


@pytest.mark.parametrize("name", ["best", "quick", "sop_plus-cifar100-asym40"])
def test_a_printed_preset_is_a_recipe_for_the_same(name: str, nl: Any) -> None:
    printed = nl("presets", name)
    assert printed.code == 0
    shown = nl("presets", name, "--json").json
    assert (shown["name"], shown["recipe"]) == (name, printed.out)
    Path("mine.toml").write_text(printed.out)
    assert tomllib.loads(printed.out)
    from_recipe, from_preset = (nl("run", *words, "--help").out for words in (("mine.toml",), ("--preset", name)))
    assert from_recipe == from_preset != nl("run", "--help").out


def test_an_unknown_preset(nl: Any) -> None:
    for words in (("presets", "quik"), ("run", "--preset", "quik")):
        refused = nl(*words)
        assert (refused.code, refused.out) == (2, "")
        assert "Did you mean 'quick'" in refused.err


@pytest.mark.slow
def test_a_preset_on_the_command_line_and_in_python_is_the_same_run(nl: Any) -> None:
    small = {"dataset": "digits", "architecture": "resnet18", "architecture.width": 4, "epochs": 1, "threads": 1}
    done = nl("run", "--preset", "quick", *(word for key, value in small.items() for word in (f"--{key}", str(value))))
    assert done.code == 0, done.err
    again = nlcore.run(preset="quick", quiet=True, **small)  # type: ignore[arg-type]
    assert again.status == "done"
    assert len(list(Path("runs").iterdir())) == 1


def test_what_a_preset_brought_is_named_where_the_data_do_not_take_it(
    nl: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("NL_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(photos, "_of_package", lambda name: [])
    (tmp_path / "weights").mkdir()
    torch.save({"conv1.weight": torch.zeros(1)}, tmp_path / "weights" / "resnet18-f37072fd.pth")
    refused = nl("run", "--preset", "photos", "--dataset", "digits", "--threads", "1")
    assert refused.code == 2
    said = " ".join(refused.err.split())
    assert "The architecture torchvision wants images of 3 channels" in said
    assert "architecture = torchvision comes from the preset photos; --architecture NAME gives another." in said
    drawn = nl("run", "--preset", "photos", "--dataset", "digits", "--architecture", "cnn9")
    assert drawn.code == 2
    assert "freeze = all comes from the preset photos." in " ".join(drawn.err.split())
