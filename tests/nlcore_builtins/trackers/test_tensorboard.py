"""The tracker ``tensorboard``, read back with TensorBoard's own reader."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from nlcore_builtins.trackers.tensorboard import TensorBoard
from PIL import Image
from tracking import known, run_and_resume, tell

pytest.importorskip("tensorboard")


def read(run_dir: Path) -> Any:
    """Return TensorBoard's view of a directory, with all that it holds."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(run_dir), size_guidance={"tensors": 0, "scalars": 0, "images": 0})
    events.Reload()
    return events


def text(events: Any, tag: str) -> list[str]:
    """Return what was written as a text."""
    return [event.tensor_proto.string_val[0].decode() for event in events.Tensors(f"{tag}/text_summary")]


@pytest.mark.slow
def test_a_run_that_is_resumed_goes_on_in_the_same_curves() -> None:
    result = run_and_resume("tensorboard")
    events = read(result.run_dir)
    rows = [known(row) for row in result.metrics]
    assert set(events.Tags()["scalars"]) == set(rows[0]) - {"epoch"}
    for name in events.Tags()["scalars"]:
        assert [event.step for event in events.Scalars(name)] == [1, 2]
        values = [event.value for event in events.Scalars(name)]
        assert values == pytest.approx([row[name] for row in rows], rel=1e-6)  # stored as float32
    assert "1 epoch," in text(events, "plan")[0]
    assert "2 epochs," in text(events, "plan")[-1]
    config = (result.run_dir / "config.toml").read_text()
    assert text(events, "config")[-1] == f"```toml\n{config}```"
    assert set(events.Tags()["images"]) == {"samples", "curves", "confusion"}
    for name in events.Tags()["images"]:
        shown = Image.open(io.BytesIO(events.Images(name)[-1].encoded_image_string))
        with Image.open(result.run_dir / f"{name}.png") as file:
            assert np.array_equal(np.asarray(shown), np.asarray(file.convert("RGB")))
    assert events.Images("curves")[-1].step == 2


@pytest.mark.parametrize("done", [0, 1])
def test_an_epoch_that_was_not_saved_is_written_anew(done: int, tmp_path: Path) -> None:
    again = {epoch: accuracy for epoch, accuracy in {1: 0.125, 2: 0.5625, 3: 0.625}.items() if epoch > done}
    tell(TensorBoard(), tmp_path, 0, {1: 0.25, 2: 0.5, 3: 0.75}, None)
    tell(TensorBoard(), tmp_path, done, again, "done")
    found = {event.step: event.value for event in read(tmp_path).Scalars("test_accuracy")}
    assert found == ({1: 0.25} if done else {}) | again
    assert len(read(tmp_path).Scalars("test_accuracy")) == 3


def test_pictures_of_an_earlier_end_are_not_shown_again(tmp_path: Path) -> None:
    Image.new("RGB", (2, 2)).save(tmp_path / "curves.png")
    tell(TensorBoard(), tmp_path, 1, {2: 0.5}, "interrupted")
    assert read(tmp_path).Tags()["images"] == []
