"""Training on a CPU keeps the memory that each step frees, so that the system need not clear it anew."""

from __future__ import annotations

import contextlib
import ctypes
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers import install_plugin, plugin_source

import nlcore
from nlcore.training.allocator import keeping_memory

if sys.platform == "linux":
    import resource

LARGE = 512 * 1024**2  # bytes: above all that glibc keeps by itself, and than what else is free in its heap

needs_glibc = pytest.mark.skipif(
    sys.platform != "linux" or not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="the C library is not glibc"
)


def cleared() -> float:
    """Return the share of a large block's pages that the system clears when it is taken, written and freed."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(LARGE // 4)
    return (resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) * resource.getpagesize() / LARGE


def resident() -> int:
    """Return how many bytes of the process lie in memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


@needs_glibc
def test_freed_memory_is_kept_inside_and_given_back_in_the_end() -> None:
    if cleared() < 0.9:
        pytest.skip("the system provides memory in pages of another size")
    with keeping_memory(torch.device("cuda")):
        assert cleared() > 0.9
    with keeping_memory(torch.device("cpu")):
        cleared()
        assert cleared() < 0.1
        held = resident()
    assert resident() < held - 0.9 * LARGE
    assert cleared() > 0.9


@needs_glibc
@pytest.mark.parametrize("fails", [False, True])
def test_a_run_keeps_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, fails: bool) -> None:
    source = plugin_source(nl_strategies={"watched": "watched_plugin:Watched"}) + (
        "\nimport nlcore\nfrom nlcore_builtins.strategies.standard import Standard\n"
        "look = None\n"
        "seen = []\n"
        "class Watched(Standard):\n"
        '    """Looks at the system in each epoch."""\n'
        "    def begin_epoch(self, epoch):\n"
        "        seen.append(look())\n"
        f"        if epoch == 2 and {fails}:\n"
        "            raise nlcore.RunError('no more')\n"
    )
    install_plugin(monkeypatch, tmp_path, "watched-plugin", source)
    import watched_plugin  # type: ignore[import-not-found]

    watched_plugin.look = cleared
    settings: dict[str, Any] = {"dataset": "digits", "architecture.width": 4, "strategy": "watched", "epochs": 2}
    settings |= {"threads": 1, "device": "cpu", "runs_dir": str(tmp_path / "runs"), "quiet": True}
    with pytest.raises(nlcore.RunError, match="no more") if fails else contextlib.nullcontext():
        nlcore.run(**settings)
    assert watched_plugin.seen[-1] < 0.1
    held = resident()
    assert cleared() > 0.9
    assert resident() < held + 0.1 * LARGE
