"""Small archives in the layouts of the data sets with real label noise, written for tests."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

FOOD = [f"dish_{number:03}" for number in range(101)]
SYNSETS = [f"n{1440764 + number:08}" for number in range(1000)]
CLOTHES = ["T-Shirt", "Shirt", "Knitwear", "Chiffon", "Sweater", "Hoodie", "Windbreaker", "Jacket", "Downcoat", "Suit"]
CLOTHES += ["Shawl", "Dress", "Vest", "Underwear"]


def photograph(path: Path, seed: int = 0, size: tuple[int, int] = (20, 14)) -> Path:
    """Write an image of (W, H) pixels without loss, whatever the file is called."""
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    written = io.BytesIO()
    Image.fromarray(pixels).save(written, "PNG")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(written.getvalue())
    return path


def lines(path: Path, content: Sequence[str]) -> None:
    """Write a list."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in content), encoding="utf-8")


def animal10n(directory: Path) -> Path:
    """Write three training and one test image of each class; return the archive's folder."""
    root = directory / "raw_image_ver" / "raw_image"
    for folder, count in (("training", 3), ("testing", 1)):
        for number in range(10 * count):
            name = f"{number % 10}_img_{number}.jpg"
            photograph(root / folder / name, 100 * count + number, (64, 64))
    return root


def food101n(directory: Path) -> Path:
    """Write two training images and one test image of each dish, the latter as Food-101; return Food-101N's folder."""
    root, tests = directory / "Food-101N_release", directory / "food-101"
    lines(root / "meta" / "classes.txt", ["class_name", *FOOD])
    names = [f"{dish}/{number:032x}.jpg" for dish in reversed(FOOD) for number in range(2)]
    lines(root / "meta" / "imagelist.tsv", ["class_name/key", *names])
    lines(tests / "meta" / "test.txt", [f"{dish}/7" for dish in FOOD])
    for seed, name in enumerate(names):
        photograph(root / "images" / name, seed)
    for seed, dish in enumerate(FOOD):
        photograph(tests / "images" / dish / "7.jpg", 1000 + seed)
    return root


def clothing1m(directory: Path) -> Path:
    """Write four noisy images and one of each clean list for each class; return the archive's folder."""
    root = directory / "Clothing1M"
    lines(root / "category_names_eng.txt", CLOTHES)
    parts = {"noisy_train": 4, "clean_train": 1, "clean_val": 1, "clean_test": 1}
    keys: dict[str, list[str]] = {}
    for part, count in parts.items():
        keys[part] = [f"images/{n % 10}/{n % 7:02}/{part},{n}.jpg" for n in range(14 * count)]
        lines(root / f"{part}_key_list.txt", keys[part])
        for seed, key in enumerate(keys[part]):
            photograph(root / key, seed + 100 * len(part))
    noisy = [f"{key} {n % 14}" for n, key in enumerate(keys["noisy_train"])]
    clean = [f"{key} {13 - n % 14}" for part in list(parts)[1:] for n, key in enumerate(keys[part])]
    lines(root / "noisy_label_kv.txt", [*reversed(noisy), "images/0/00/of_no_list.jpg 3"])
    lines(root / "clean_label_kv.txt", clean)
    return root


def mini_webvision(directory: Path) -> Path:
    """Write three training images and two of each test set for each of 50 classes; return the archive's folder."""
    root, ilsvrc = directory / "WebVision", directory / "imagenet" / "val"
    lines(root / "info" / "synsets.txt", [f"{synset} thing {n}, of kind {n}" for n, synset in enumerate(SYNSETS)])
    train = [(f"google/q{n % 60:04}/{n}.jpg", n % 50) for n in range(150)]
    lines(root / "info" / "train_filelist_google.txt", [f"{name} {label}" for name, label in [*train, ("x.jpg", 50)]])
    tests = [(f"val{n:06}.jpg", n % 50) for n in range(100)]
    lines(root / "info" / "val_filelist.txt", [f"{name} {label}" for name, label in [*tests, ("val9.jpg", 999)]])
    for seed, (name, _) in enumerate(train):
        photograph(root / name, seed)
    for seed, (name, _) in enumerate(tests):
        photograph(root / "val_images_256" / name, 500 + seed)
    for seed in range(100):
        photograph(ilsvrc / SYNSETS[seed % 50] / f"ILSVRC2012_val_{seed:08}.JPEG", 700 + seed)
    return root


def red_mini_imagenet(directory: Path) -> Path:
    """Write, of each class, four own images and one from the web, and a test image; return the archive's folder."""
    root = directory / "mini-imagenet"
    own = [(f"{SYNSETS[99 - n % 100]}{n // 100 + 1:08}.jpg", n % 100) for n in range(400)]
    web = [(f"{n:016x}.jpg", n) for n in range(100)]
    lines(root / "split" / "red_noise_nl_0.2", [f"{name} {label}" for name, label in [*own, *web]])
    tests = [(f"ILSVRC2012_val_{n:08}.jpg", n) for n in range(100)]
    lines(root / "split" / "clean_validation", [f"{name} {label}" for name, label in tests])
    for seed, (name, _) in enumerate([*own, *web]):
        photograph(root / "all_images" / name, seed, (9, 9))
    for seed, (name, _) in enumerate(tests):
        photograph(root / "validation" / name, 900 + seed, (9, 9))
    return root


#: Those that write an archive into a data directory, by the data set's name.
ARCHIVES = {
    "animal10n": animal10n,
    "food101n": food101n,
    "clothing1m": clothing1m,
    "mini_webvision": mini_webvision,
    "red_mini_imagenet": red_mini_imagenet,
}
