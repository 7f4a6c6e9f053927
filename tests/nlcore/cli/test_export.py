"""``nl export``."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest
import torch


@pytest.mark.slow
def test_writes_a_file_and_says_how_far_it_is_from_nl_predict(nl: Any, tiny: tuple[str, ...]) -> None:
    nl("run", *tiny, "--name", "mine")
    done = nl("export", "mine", "--to", "torchscript")
    assert done.code == 0, done.err
    assert done.err == "written: mine.pt\n"
    assert "takes uint8 (N, H, W, 1), size 8×8; gives 10 probabilities" in done.out
    assert "largest difference from nl predict: " in done.out
    script = torch.jit.load("mine.pt")  # type: ignore[no-untyped-call]
    assert script(torch.zeros((3, 8, 8, 1), dtype=torch.uint8)).shape == (3, 10)
    as_json = nl("export", "mine", "--to", "torch_export", "-o", "other.pt2", "--json").json
    assert as_json["largest_difference"] <= 1e-4
    assert as_json["file"] == "other.pt2"
    assert Path("other.pt2").is_file()


@pytest.mark.slow
def test_bad_input_ends_with_a_sentence(nl: Any, tiny: tuple[str, ...]) -> None:
    nl("run", *tiny, "--name", "mine")
    for words, said in (
        (("export", "mine"), "Missing option '--to'"),
        (("export", "mine", "--to", "tflite"), "'tflite' is not one of"),
        (("export", "nowhere", "--to", "onnx"), "nowhere is no run"),
        (("export", "mine", "--to", "torchscript", "-o", "no/where.pt"), "there is no folder no"),
    ):
        done = nl(*words)
        assert done.code == 2
        assert said in done.err
    if importlib.util.find_spec("onnxscript") is None:
        assert "pip install 'nlcore[onnx]'" in nl("export", "mine", "--to", "onnx").err


@pytest.mark.slow
def test_what_takes_long_says_on_a_terminal_what_it_is_at(
    nl: Any, tiny: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    nl("run", *tiny, "--name", "mine")
    monkeypatch.setattr("nlcore.cli.working.SILENT_SECONDS", 0.0)
    assert nl("export", "mine", "--to", "torch_export").err == "written: mine.pt2\n"  # a pipe
    monkeypatch.setenv("FORCE_COLOR", "1")  # for rich, a terminal
    monkeypatch.setenv("TERM", "xterm")
    shown = nl("export", "mine", "--to", "torch_export")
    assert "finding the graph, for images of any size" in shown.err
    assert "written: mine.pt2" in shown.err
    assert "finding" not in shown.out
    assert nl("export", "mine", "--to", "torch_export", "--json").err == ""
    monkeypatch.setattr("nlcore.cli.working.SILENT_SECONDS", 600.0)
    assert nl("export", "mine", "--to", "torch_export").err == "written: mine.pt2\n"
