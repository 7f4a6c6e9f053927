"""Training on a CPU keeps the memory that each step frees, so that the system need not clear it anew."""

from __future__ import annotations

import contextlib
import ctypes
import math
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
# A block that starts at a multiple of 64 bytes, as torch's do, is cut out of one that is 96 bytes larger. Where
# something small has come to lie right behind it, what it leaves when it is freed is too small for the next one like
# it, which the system then has to provide. This happens to one to three of the first four: later, small things lie in
# what was left.
FIRST = 8

needs_glibc = pytest.mark.skipif(
    sys.platform != "linux" or not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="the C library is not glibc"
)


def cleared(blocks: int = 1) -> float:
    """Return how many large blocks' pages the system clears when one of so many is taken, written and freed."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(blocks * (LARGE // 4))
    return (resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) * resource.getpagesize() / LARGE


def cleared_again_and_again() -> list[float]:
    """Return what is cleared for the first blocks, and for as many afterwards."""
    return [cleared() for _ in range(2 * FIRST)]


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
        assert max(cleared_again_and_again()[FIRST:]) < 0.1
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

    watched_plugin.look = cleared_again_and_again
    settings: dict[str, Any] = {"dataset": "digits", "architecture.width": 4, "strategy": "watched", "epochs": 2}
    settings |= {"threads": 1, "device": "cpu", "runs_dir": str(tmp_path / "runs"), "quiet": True}
    with pytest.raises(nlcore.RunError, match="no more") if fails else contextlib.nullcontext():
        nlcore.run(**settings)
    first, last = watched_plugin.seen
    assert max(first[FIRST:] + last[FIRST:]) < 0.1
    held = resident()
    larger = 1 + math.ceil(sum(first + last))  # than all that the run took, so that no gap that it left holds it
    assert cleared(larger) > 0.9 * larger
    assert resident() < held + 0.1 * LARGE
