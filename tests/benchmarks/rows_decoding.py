"""The rows about training on files: photos of 500×375 as a network sees them, against two other ways to read them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import torch
from nlcore_builtins.datasets.decoding import BoxesStore, DecodingStore
from torch import Tensor
from torch.utils.data import DataLoader
from torchvision import transforms
from torchvision.datasets import ImageFolder
from torchvision.io import decode_jpeg, read_file
from torchvision.transforms.v2 import functional

from benchmarks.bench import Bench
from benchmarks.measure import Figure, Side, interleaved
from benchmarks.rows_predict import FILES, write_photo
from nlcore.data.device_images import Asked, DeviceImages
from nlcore.data.fitting import crop
from nlcore.data.views import Normalise, View
from nlcore.host.registry import registry
from nlcore.training.allocator import keeping_memory
from nlcore.training.hardware import available_cpus, using_threads

SIZE = 224
BATCH = 64
SMALLEST = 0.08  # share of a photo that a random box has at least, as in torchvision
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
CPU = torch.device("cpu")


def boxes_of_folder(bench: Bench) -> Figure:
    """Return the speed of random boxes, flipped, over that of ImageFolder in a DataLoader with a worker a CPU."""
    with tempfile.TemporaryDirectory() as name, using_threads(1):
        paths, workers = _photos(Path(name), bench), available_cpus()
        flip = View([registry().create("augmentation", "flip")], ["flip"])
        images = DeviceImages(BoxesStore(paths, SIZE, "white", crop, SMALLEST), Normalise(MEAN, STD, CPU), CPU)
        lengths = [len(part) for part in _batches(paths)]

        def ours() -> None:
            random = torch.Generator().manual_seed(1)
            asked = [Asked(flip, flip.draw(len(paths), random), seed=1)]
            with keeping_memory(CPU):  # as a run does
                for _ in images.in_order(torch.randperm(len(paths), generator=random), lengths, asked):
                    pass

        steps = [transforms.RandomResizedCrop(SIZE, (SMALLEST, 1.0)), transforms.RandomHorizontalFlip()]
        steps += [transforms.ToTensor(), transforms.Normalize(MEAN, STD)]
        folder = ImageFolder(name, transforms.Compose(steps))
        loader = DataLoader(folder, BATCH, shuffle=True, num_workers=workers, persistent_workers=True)

        def theirs() -> None:
            for _ in loader:
                pass

        sides = [Side("nlcore", ours, len(paths)), Side("ImageFolder", theirs, len(paths))]
        times = interleaved(sides, bench.rounds, CPU, bench.say)
        return replace(times.speed("nlcore", "ImageFolder"), threads=workers)


def crops_in_threads(bench: Bench) -> Figure:
    """Return the speed of centre crops over that of ``torchvision.io.decode_jpeg`` and a resize in as many threads."""
    with tempfile.TemporaryDirectory() as name, using_threads(1), ThreadPoolExecutor(available_cpus()) as pool:
        paths, normalise = _photos(Path(name), bench), Normalise(MEAN, STD, CPU)
        images = DeviceImages(DecodingStore(paths, SIZE, "white", crop), normalise, CPU)

        def ours() -> None:
            with keeping_memory(CPU):
                for _ in images.plain(torch.arange(len(paths)), BATCH):
                    pass

        def one(path: Path) -> Tensor:
            image = functional.resize(decode_jpeg(read_file(str(path))), [SIZE], antialias=True)
            cropped: Tensor = functional.center_crop(image, [SIZE, SIZE])
            return cropped

        def theirs() -> None:
            ahead = [pool.map(one, part) for part in _batches(paths)]
            for images_of_batch in ahead:
                normalise(torch.stack(list(images_of_batch)).contiguous(memory_format=torch.channels_last))

        sides = [Side("nlcore", ours, len(paths)), Side("decode_jpeg", theirs, len(paths))]
        times = interleaved(sides, bench.rounds, CPU, bench.say)
        return replace(times.speed("nlcore", "decode_jpeg"), threads=available_cpus())


def _photos(folder: Path, bench: Bench) -> list[Path]:
    """Write as many photos as `rows_predict.files` reads, into two folders; after `FILES` they come again."""
    for label in ("one", "other"):
        (folder / label).mkdir()
    photos: list[Path] = []
    for number in range(4 * sum(bench.sizes)):
        path = folder / ("one", "other")[number % 2] / f"{number}.jpg"
        if number < FILES:
            write_photo(path, number)
        else:
            path.hardlink_to(photos[number % FILES])
        photos.append(path)
    return sorted(photos)


def _batches(paths: list[Path]) -> Iterator[list[Path]]:
    for start in range(0, len(paths), BATCH):
        yield paths[start : start + BATCH]
