"""
Make a folder of photos with everything that real ones have: wrong labels, copies, files that are broken, rare classes.

    python docs/make_photos.py photos

2,000 images of CIFAR-10 (downloaded where it is not there yet), one folder per class, the largest class ten times as
large as the smallest. 8 % lie in a wrong folder, mostly that of a similar class; the truth is in ``photos-truth.csv``
beside the folder.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np
from PIL import Image

import nlcore

COUNT, WRONG, RATIO = 2_000, 0.08, 10
#: airplane→ship, automobile→truck, bird→airplane, cat→dog, deer→horse, dog→cat, frog→bird, horse→deer, ship→airplane,
#: truck→automobile
SIMILAR = (8, 9, 0, 5, 7, 3, 2, 4, 0, 1)


def main(folder: Path) -> None:
    """Write the folder, and the truth beside it."""
    rng = np.random.default_rng(0)
    data = nlcore.dataset("cifar10").train
    share = RATIO ** -np.linspace(0, 1, 10)
    counts = np.round(COUNT * share / share.sum()).astype(int)
    chosen = np.concatenate([rng.permutation(np.flatnonzero(data.labels == k))[:n] for k, n in enumerate(counts)])
    true = data.labels[chosen]
    given = true.copy()
    wrong = rng.choice(len(chosen), round(WRONG * len(chosen)), replace=False)
    similar = np.array(SIMILAR)[true[wrong]]
    anywhere = (true[wrong] + rng.integers(1, 10, len(wrong))) % 10
    given[wrong] = np.where(rng.random(len(wrong)) < 0.75, similar, anywhere)
    classes = nlcore.dataset("cifar10").classes
    rows = []
    for number, (position, k, y) in enumerate(zip(chosen, given, true, strict=True)):
        place = folder / classes[k] / f"{number:04}.{'png' if number % 2 else 'jpg'}"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(data.images[position]).save(place, **({} if number % 2 else {"quality": 95}))
        rows.append((place.relative_to(folder).as_posix(), classes[k], classes[y]))
    for number in range(0, 20, 2):  # copies under another label, and under the same
        place = folder / rows[number][0]
        other = classes[(int(given[number]) + 1) % 10] if number < 10 else rows[number][1]
        copy = folder / other / f"copy-{place.name}"
        copy.write_bytes(place.read_bytes())
        rows.append((copy.relative_to(folder).as_posix(), other, rows[number][2]))
    (folder / classes[0] / "half.jpg").write_bytes((folder / rows[0][0]).read_bytes()[:300])
    (folder / classes[1] / "empty.png").write_bytes(b"")
    (folder / classes[2] / "text.jpg").write_text("This is no picture.")
    Image.new("RGB", (32, 32), "grey").save(folder / classes[3] / "grey.png")
    rows.append((f"{classes[3]}/grey.png", classes[3], ""))
    with folder.with_name(f"{folder.name}-truth.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("id", "given", "true"), *rows])


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("folder", nargs="?", type=Path, default=Path("photos"), help="to make  [photos]")
    try:
        main(arguments.parse_args().folder)
    except nlcore.UserError as error:  # CIFAR-10 cannot be had
        arguments.exit(1, f"Error: {error}\n")
