"""Files that memory does not hold: decoded ahead of training, a few batches at a time, whatever goes wrong."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import weakref
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from helpers import without_clock
from nlcore_builtins.datasets.decoding import DecodingStore
from numpy.typing import NDArray
from PIL import Image

import nlcore
from nlcore import RunError
from nlcore.contracts import Labels
from nlcore.data.device_images import DeviceImages
from nlcore.data.fitting import Placing, squash
from nlcore.data.views import Normalise

CPU = torch.device("cpu")
AS_IS = Normalise((0.0,) * 3, (1.0,) * 3, CPU)
SECONDS = 20.0  # to wait for what is sure to come


def files(folder: Path, count: int) -> list[Path]:
    """Write so many images of 4×4, each of a grey of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{number:03}.png" for number in range(count)]
    for number, path in enumerate(paths):
        Image.fromarray(np.full((4, 4, 3), number, np.uint8)).save(path)
    return paths


class Gate:
    """Counts the images that threads begin to read, and lets so many pass as it is told."""

    def __init__(self) -> None:
        self.begun = 0
        self._allowed = 0
        self._changed = threading.Condition()

    def __call__(self, image: tuple[int, int], result: tuple[int, int]) -> Placing:
        """Wait until this image may pass; what becomes of it is nothing special."""
        with self._changed:
            self.begun += 1
            mine = self.begun
            self._changed.notify_all()
            assert self._changed.wait_for(lambda: mine <= self._allowed, SECONDS)
        return squash(image, result)

    def allow(self, count: int) -> None:
        """Let so many pass altogether."""
        with self._changed:
            self._allowed = count
            self._changed.notify_all()

    def wait_for(self, begun: int) -> bool:
        """Wait until so many have begun."""
        with self._changed:
            return self._changed.wait_for(lambda: self.begun >= begun, SECONDS)


def grey(batch: torch.Tensor) -> list[int]:
    return (255 * batch[:, 0, 0, 0]).round().int().tolist()


def test_the_next_batch_is_decoded_while_one_is_used_and_none_after_it(tmp_path: Path) -> None:
    gate = Gate()
    store = DecodingStore(files(tmp_path, 12), 4, "white", gate)
    gate.allow(4)
    batches = DeviceImages(store, AS_IS, CPU).plain(torch.arange(12), 4)
    first = next(batches)  # and nobody asks for more
    assert gate.wait_for(5)
    gate.allow(12)
    assert gate.wait_for(8)
    assert gate.begun == 8
    assert grey(first) == [0, 1, 2, 3]
    assert [grey(batch) for batch in batches] == [[4, 5, 6, 7], [8, 9, 10, 11]]


class Watched(DecodingStore):
    """Counts the batches that are alive when another one is asked for."""

    alive: ClassVar[list[weakref.ref[NDArray[np.uint8]]]] = []
    most = 0

    def fetch(self, indices: Labels) -> NDArray[np.uint8]:
        """Return the images at these positions, and remember them while somebody holds them."""
        images = super().fetch(indices)
        self.alive.append(weakref.ref(images))
        type(self).most = max(self.most, sum(one() is not None for one in self.alive))
        return images


def test_no_more_than_three_batches_are_held(tmp_path: Path) -> None:
    """The one in use, the next one, and the one after it that takes its place."""
    store = Watched(files(tmp_path, 40), 4, "white", squash)
    for _ in DeviceImages(store, AS_IS, CPU).plain(torch.arange(40), 2):
        pass
    assert len(store.alive) == 20
    assert 1 <= store.most <= 3


def test_a_file_that_is_gone_is_one_sentence_where_its_batch_is_used(tmp_path: Path) -> None:
    paths = files(tmp_path, 12)
    batches = DeviceImages(DecodingStore(paths, 4, "white", squash), AS_IS, CPU).plain(torch.arange(12), 4)
    paths[9].unlink()
    paths[10].write_text("no image")
    assert [len(next(batches)), len(next(batches))] == [4, 4]
    with pytest.raises(RunError, match=re.escape(f"The image {paths[9]} can no longer be read: No such file")):
        next(batches)


def words(name: str, epochs: int) -> list[str]:
    """Return those of a run on boxes of the files in photos/, which are decoded anew for each batch."""
    data = ["--dataset", "image_folder", "--dataset.folder", "photos", "--dataset.size", "8", "--dataset.memory", "0"]
    small = ["--architecture.width", "2", "--batch-size", "4", "--threads", "1", "--device", "cpu"]
    boxes = ["--dataset.random_box", "0.3", "--augmentation", "flip"]
    return ["run", *data, *boxes, *small, "--name", name, "--epochs", str(epochs)]


@pytest.mark.slow
def test_a_run_on_files_is_interrupted_and_goes_on_to_the_same_bits() -> None:
    for name in ("cat", "dog"):
        files(Path("photos") / name, 20)
    command = [sys.executable, "-m", "nlcore", *words("stopped", 40)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("epoch 2/"):
            break
    process.send_signal(signal.SIGINT)
    _, rest = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "Traceback" not in rest
    resumed = nlcore.resume("runs/stopped", quiet=True)
    subprocess.run([sys.executable, "-m", "nlcore", *words("straight", 40), "--quiet"], check=True)
    straight = Path("runs/straight")
    rows = [json.loads(line) for line in (straight / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [without_clock(row) for row in resumed.metrics] == [without_clock(row) for row in rows]
    weights = [(place / "weights.safetensors").read_bytes() for place in (resumed.run_dir, straight)]
    assert weights[0] == weights[1]


MEASURE = r"""
import json, re, sys
from pathlib import Path
import nlcore
from nlcore.contracts import DatasetContext
import PIL.JpegImagePlugin, nlcore_builtins.datasets.image_folder, nlcore.data.image_files

def peak():
    return 1024 * int(re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())[1])

before = peak()
dataset = nlcore.create("dataset", "image_folder", folder="many", **json.loads(sys.argv[1]))
dataset.files(DatasetContext(Path()))
data = dataset.load(DatasetContext(Path(), download=False))
if not hasattr(data.train.images, "shape"):
    data.train.images.fetch(data.train.labels[:64])
print(len(data.train.labels) + len(data.test.labels), peak() - before, type(data.train.images).__name__)
"""


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize(
    ("count", "size", "memory", "kept"),
    [(200_000, 16, 0.3, "DecodingStore"), (50_000, 32, 0.65, "ndarray")],
    ids=["on demand", "in memory"],
)
def test_so_many_files_take_no_more_memory_than_was_allowed(count: int, size: int, memory: float, kept: str) -> None:
    """Pixels for training are 12 × 16² × 200,000 = 614 MB, too many, and 12 × 32² × 50,000 = 614 MB, just enough."""
    rng = np.random.default_rng(0)
    for label in range(10):
        folder = Path("many") / f"class {label}"
        folder.mkdir(parents=True)
        first = folder / "image-00000.jpg"
        Image.fromarray(rng.integers(0, 256, (8, 8, 3), np.uint8)).save(first)
        for number in range(1, count // 10):
            os.link(first, folder / f"image-{number:05}.jpg")
    given = json.dumps({"size": size, "memory": memory})
    done = subprocess.run([sys.executable, "-c", MEASURE, given], capture_output=True, text=True, check=True)
    found, taken, images = done.stdout.split()
    assert (int(found), images) == (count, kept)
    assert int(taken) <= memory * 1e9
