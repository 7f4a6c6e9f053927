"""``nl`` itself: what is meant by unknown words, tracebacks, and streams that take less than everything."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

MEANT = [
    ("run --loss ce", "Did you mean 'cross_entropy'?"),
    ("run --loss Cross-Entropy", "Did you mean 'cross_entropy'?"),
    ("run --loss mixup", "'mixup' is a strategy: --strategy mixup."),
    ("run --strategy gce", "'gce' is a loss: --loss gce."),
    ("run --dataset CIFAR10", "Did you mean 'cifar10'?"),
    ("run --noise 0.4", "A noise rate is given as --noise.rate 0.4."),
    ("run --model resnet34", "Did you mean --architecture?"),
    ("run --rate 0.4", "Did you mean --noise.rate?"),
    ("run --learning-rate 0.1", "Did you mean --lr?"),
    ("run --gpu 0", "Did you mean --device cuda?"),
    ("predict --gpu RUN photo.png", "Did you mean --device cuda?"),
    ("run --class-balanced", "Did you mean --sampling balanced?"),
    ("run --no-class-balanced", "Did you mean --sampling shuffled?"),
    ("sweep --weighted-sampler", "Did you mean --sampling balanced?"),
    ("audit --balanced-sampling", "Did you mean --sampling balanced?"),
    ("run --sampler weighted", "Did you mean --sampling?"),
    ("run --Epochs 3", "Did you mean --epochs?"),
    ("run --los.q 3", "Did you mean --loss.q?"),
    ("run --plugin mine.py", "nl --plugin FILE COMMAND"),
    ("train", "Did you mean nl run?"),
    ("tabel", "Did you mean nl table?"),
]


@pytest.mark.parametrize(("words", "said"), MEANT, ids=[words for words, _ in MEANT])
def test_what_is_meant_by_an_unknown_word(nl: Any, words: str, said: str) -> None:
    refused = nl(*words.split())
    assert (refused.code, refused.out) == (2, "")
    assert said in refused.err
    assert refused.err.count("Did you mean") <= 1


def test_a_parameter_without_its_kind_is_said_to_be_one(nl: Any) -> None:
    said = nl("run", "--alpha", "0.2").err
    assert "--strategy.alpha of disc, divide_mix" in said
    assert "Did you mean" not in said
    said = nl("noise", "--beta", "0.2").err  # this command has no losses
    assert "--loss.beta" not in said


@pytest.mark.parametrize("words", ["run --xyzzy 1", "xyzzy", "noise --lr 3", "run --loss xyzzy"])
def test_no_guess_rather_than_a_bad_one(nl: Any, words: str) -> None:
    refused = nl(*words.split())
    assert refused.code == 2
    assert "Did you mean" not in refused.err


@pytest.mark.parametrize("words", ["--debug show xyzzy", "show xyzzy --debug", "table nowhere --debug"])
def test_any_command_shows_a_traceback_on_request(nl: Any, words: str) -> None:
    refused = nl(*words.split())
    assert refused.code == 2
    assert "Traceback" in refused.err
    assert "Traceback" not in nl(*words.replace("--debug", "").split()).err


def test_strict_mode_shows_tracebacks(nl: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NL_STRICT", "1")
    assert "Traceback" in nl("show", "xyzzy").err


def test_help_says_where_debug_goes(nl: Any) -> None:
    assert "--debug" in nl("--help").out
    assert "--debug" not in nl("run", "--help").out


def run(*words: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Run ``nl`` in a process of its own."""
    command = [sys.executable, "-m", "nlcore", *words]
    return subprocess.run(command, capture_output=True, env=os.environ | environment, check=False)


@pytest.mark.slow
def test_a_stream_that_cannot_take_a_letter_gets_another() -> None:
    """The dataset's summary has a × in it."""
    shown = run("show", "cifar10", PYTHONIOENCODING="ascii:strict")
    assert (shown.returncode, shown.stderr) == (0, b"")
    plan = run("run", "--dataset", "digits", "--noise", "none", "--dry-run", PYTHONIOENCODING="ascii:strict")
    assert (plan.returncode, plan.stderr) == (0, b"Timing the first steps ...\n")
    assert rb"8\xd78" in plan.stdout


def test_a_file_name_that_is_no_text_is_named_all_the_same() -> None:
    named = run("table", os.fsdecode(b"caf\xe9"), PYTHONIOENCODING="utf-8:strict")
    assert named.returncode == 2
    assert b"There is no folder caf" in named.stderr
    assert b"Traceback" not in named.stderr


@pytest.mark.slow
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_has_seen_enough_ends_a_command_quietly(unbuffered: str, tmp_path: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "nlcore", "list-plugins"]
    environment = os.environ | {"PYTHONUNBUFFERED": unbuffered}
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, env=environment, check=False)
    os.close(write)
    assert (done.returncode, done.stderr) == (1, b"")
