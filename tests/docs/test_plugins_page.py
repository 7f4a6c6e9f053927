"""The plugins that docs/plugins.md shows are built from the page and used."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nlcore

PAGE = Path(__file__).parents[2] / "docs" / "plugins.md"


def blocks() -> list[str]:
    """Return the page's files, in order."""
    return re.findall(r"```(?:toml|python)\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


@pytest.fixture
def example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Install the page's three files as a distribution."""
    project, hooks, loss = blocks()[:3]
    metadata = tomllib.loads(project)["project"]
    package = tmp_path / "site" / "nlcore_capped"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(hooks)
    (package / "loss.py").write_text(loss)
    info = tmp_path / "site" / f"{metadata['name'].replace('-', '_')}-{metadata['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {metadata['name']}\nVersion: {metadata['version']}\n")
    points = "\n".join(f"{name} = {value}" for name, value in metadata["entry-points"]["nlcore"].items())
    (info / "entry_points.txt").write_text(f"[nlcore]\n{points}\n")
    monkeypatch.syspath_prepend(package.parent)
    monkeypatch.setenv("NL_PLUGINS", metadata["name"])


@pytest.mark.slow
@pytest.mark.usefixtures("example")
def test_the_example_plugin_works() -> None:
    import torch

    loss = nlcore.create("loss", "capped_ce", c=1.5)
    values = loss(torch.tensor([[0.0, 9.0], [0.0, 0.0]]), torch.tensor([0, 1]))
    np.testing.assert_allclose(values, [1.5, np.log(2)], rtol=1e-6)
    options: dict[str, Any] = {"loss.c": 2.0, "architecture.width": 4}
    result = nlcore.run(dataset="digits", loss="capped_ce", epochs=1, threads="1", quiet=True, **options)
    assert result.status == "done"
    with pytest.raises(nlcore.ParameterError, match=r"loss\.c = 0: must be a number above 0"):
        nlcore.create("loss", "capped_ce", c=0)


def test_the_single_file_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    (tmp_path / "capped.py").write_text(blocks()[3], encoding="utf-8")
    monkeypatch.setenv("NL_PLUGIN_PATH", "capped.py")
    try:
        loss = nlcore.create("loss", "capped_ce", c=1.5)
    finally:
        sys.modules.pop("capped", None)
    values = loss(torch.tensor([[0.0, 9.0], [0.0, 0.0]]), torch.tensor([0, 1]))
    np.testing.assert_allclose(values, [1.5, np.log(2)], rtol=1e-6)
