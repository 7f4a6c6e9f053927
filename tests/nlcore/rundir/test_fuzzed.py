"""Run directories and checkpoints that somebody has written over: read rightly or refused with a sentence."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fuzzing import FUZZ
from hypothesis import given
from hypothesis import strategies as st

from nlcore import Result, RunError, UserError
from nlcore.rundir import checkpoint
from nlcore.rundir.model_file import ModelFile

#: The start of a checkpoint, so that what follows it is looked at.
MAGIC = b"nlcore checkpoint 1\n"

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
KEYS = st.sampled_from(
    [
        "status",
        "epochs",
        "seed",
        "noise_seed",
        "dataset",
        "loss",
        "test_accuracy",
        "memorisation",
        "per_class",
        "oracles",
        "preset",
        "message",
        "options",
        "format",
        "classes",
        "image_shape",
        "mean",
        "std",
        "num_samples",
        "recipe",
    ]
)


@pytest.mark.slow
@FUZZ
@given(content=st.dictionaries(KEYS, VALUES) | VALUES)
@pytest.mark.parametrize("name", ["summary.json", "model.json"])
def test_json_of_a_run(name: str, content: object, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("run")
    (folder / name).write_text(json.dumps(content), encoding="utf-8")
    said = ""
    try:
        _ = Result.read(folder) if name == "summary.json" else ModelFile.read(folder / name)
    except UserError as error:
        said = str(error)
    assert name in said if said else isinstance(content, dict)
    assert [path.name for path in folder.iterdir()] == [name]


@FUZZ
@given(head=st.sampled_from([b"", MAGIC, MAGIC + b"0" * 64 + b"\n"]), rest=st.binary(max_size=200))
def test_a_checkpoint(head: bytes, rest: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = Path(tmp_path_factory.mktemp("run"))
    (folder / "checkpoint-000001.pt").write_bytes(head + rest)
    said: list[str] = []
    with pytest.raises(RunError, match="damaged"):
        checkpoint.load_newest(folder, said.append)
    assert "damaged" in said[0]
