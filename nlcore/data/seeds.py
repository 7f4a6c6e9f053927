"""
Random generators keyed by what they are for.

Every draw of a run comes from a generator named by (seed, purpose, epoch), so that any epoch can be replayed and adding
a draw in one place changes none elsewhere. All of them draw on the CPU: the same numbers whatever the device.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def derive_seed(seed: int, purpose: str, epoch: int = 0) -> int:
    """Return the 63-bit seed of the generator for this purpose and epoch."""
    digest = hashlib.sha256(f"{seed}/{purpose}/{epoch}".encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1


def generator(seed: int, purpose: str, epoch: int = 0) -> torch.Generator:
    """Return a CPU generator for this purpose and epoch."""
    import torch

    return torch.Generator().manual_seed(derive_seed(seed, purpose, epoch))
