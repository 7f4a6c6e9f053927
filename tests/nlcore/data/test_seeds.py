"""Generators keyed by seed, purpose and epoch."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys

import torch

from nlcore.data.seeds import derive_seed, generator


def test_the_same_arguments_give_the_same_stream() -> None:
    one, other = generator(5, "dropout", 3), generator(5, "dropout", 3)
    assert torch.equal(torch.rand(1000, generator=one), torch.rand(1000, generator=other))


def test_any_other_argument_gives_another_stream() -> None:
    arguments = list(itertools.product((0, 1, 11, 2**40), ("pass/0", "pass/1", "pass/0/beside", ""), (0, 1, 11)))
    firsts = [torch.randint(2**62, (1,), generator=generator(*which)).item() for which in arguments]
    assert len(set(firsts)) == len(arguments)


def test_arguments_do_not_run_into_each_other() -> None:
    assert derive_seed(1, "2", 3) != derive_seed(12, "", 3)
    assert derive_seed(1, "pass/1", 1) != derive_seed(1, "pass", 11)
    assert derive_seed(1, "pass/1", 1) != derive_seed(1, "pass/1/1", 0)


def test_a_key_fits_an_int64_that_is_not_negative() -> None:
    keys = [derive_seed(seed, "purpose", epoch) for seed in range(50) for epoch in range(50)]
    assert min(keys) >= 0
    assert max(keys) < 2**63
    assert max(keys) > 2**61  # and fills it


def test_keys_are_the_same_in_every_process() -> None:
    code = "from nlcore.data.seeds import derive_seed; print(derive_seed(7, 'weights', 2))"
    environment = {**os.environ, "PYTHONHASHSEED": "12345"}
    printed = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert int(printed.stdout) == derive_seed(7, "weights", 2)


def test_the_global_generator_is_left_alone() -> None:
    before = torch.get_rng_state()
    torch.rand(10, generator=generator(1, "anything"))
    assert torch.equal(torch.get_rng_state(), before)
