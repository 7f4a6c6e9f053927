"""What every test relies on: one torch thread, no plugins but ours, and the real CIFAR-10 where it is to be had."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

LAST = [Path(__file__).parent / name for name in ("docs", "benchmarks")]

os.environ["NL_PLUGINS"] = "nlcore"  # whatever else is installed beside us stays out
os.environ.setdefault("MPLBACKEND", "agg")
os.environ.pop("COLUMNS", None)  # tables are as wide as for a pipe, whoever runs the tests
os.environ["WANDB_MODE"] = "offline"  # tests send nothing anywhere
settings.register_profile("nlcore", deadline=None)  # no test asserts a time: machines are busy
settings.load_profile("nlcore")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Units first, the documentation and the benchmark last: ``pytest -x`` finds a slip early."""
    items.sort(key=lambda item: next((i for i, folder in enumerate(LAST, 1) if folder in item.path.parents), 0))


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    """More threads than free processors make training forty times slower, and other numbers."""
    import torch

    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _own_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run directories are made under the working directory by default."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session")
def cifar10_dir() -> Path:
    """Return the folder that holds the real CIFAR-10, or skip."""
    import platformdirs

    places = [os.environ.get("NL_DATA_DIR"), platformdirs.user_cache_dir("nlcore", appauthor=False)]
    for place in places:
        if place and (Path(place) / "cifar-10-batches-bin").is_dir():
            return Path(place).resolve()
    if os.environ.get("NL_REQUIRE_CIFAR10") == "1":
        pytest.fail("the real CIFAR-10 is required here (NL_REQUIRE_CIFAR10=1) and was not found")
    pytest.skip(f"no real CIFAR-10 in {' or '.join(str(place) for place in places if place)}; set NL_DATA_DIR")


@pytest.fixture(scope="session")
def cifar10n_file() -> Path:
    """Return CIFAR-10N's official file (for research use, so not shipped), or skip."""
    place = os.environ.get("NL_CIFAR10N")
    if place and Path(place).is_file():
        return Path(place).resolve()
    if os.environ.get("NL_REQUIRE_CIFAR10") == "1":
        pytest.fail("CIFAR-10N's file is required here (NL_REQUIRE_CIFAR10=1) and was not found")
    pytest.skip("no CIFAR-10N; set NL_CIFAR10N to the authors' CIFAR-10_human.pt")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Return Chromium, or skip."""
    playwright = pytest.importorskip("playwright.sync_api", reason="the package playwright is not installed")
    program = os.environ.get("NL_CHROMIUM") or shutil.which("chromium")
    if program is None:
        pytest.skip("no chromium; install it, or set NL_CHROMIUM to it")
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=program, args=["--no-sandbox"])  # CI runs as root
        yield opened
        opened.close()
