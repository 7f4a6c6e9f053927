"""Tables as text: what stands above the rows, and below, where 80 columns are too few."""

from __future__ import annotations

import itertools
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from made_runs import make_run

from nlcore.studies.groups import group
from nlcore.studies.layout import lay_out
from nlcore.studies.metrics import metric_of_runs
from nlcore.studies.read import read_runs
from nlcore.studies.text import as_text

SIX = ("loss", "strategy", "noise", "noise.rate", "optimizer.lr", "architecture.width")


def text(folder: Path, by: tuple[str, ...], *metrics: str) -> str:
    """Return the table of a folder's runs."""
    runs = read_runs(folder).runs
    return as_text(lay_out(group(runs, by), [metric_of_runs(name, runs) for name in metrics]))


def make_many(folder: Path) -> None:
    """Write eight times two runs, which differ in six words; their mean accuracies are 11 %, 12 % and so on to 18 %."""
    numbers = itertools.count(11)
    for loss, noise, rate in itertools.product(("cross_entropy", "gce"), ("pair_flip", "symmetric"), (0.2, 0.5)):
        strategy, width = ("co_teaching", 8) if loss == "gce" else ("standard", 16)
        words: dict[str, Any] = {
            "strategy": strategy,
            "noise": noise,
            "noise__rate": rate,
            "architecture__width": width,
        }
        mean = next(numbers)
        for seed, value in ((1, mean - 1), (2, mean + 1)):
            make_run(folder, [value / 100], loss=loss, optimizer__lr=rate / 10, epochs=1, seed=seed, **words)


def test_what_fits_is_one_table(tmp_path: Path) -> None:
    make_run(tmp_path, [0.25], loss="gce", epochs=1)
    assert "\nloss   last\ngce   25.00\n" in text(tmp_path, ("loss",), "last")


def test_the_first_of_many_words_stand_above_the_rows(tmp_path: Path) -> None:
    """The standard deviation of two numbers 2 apart is √2."""
    make_many(tmp_path)
    table = text(tmp_path, SIX, "last", "mean_last_10").split("\n\n")[1].partition("epochs, %:\n")[2]
    assert table.splitlines() == [
        "  noise.rate  optimizer.lr  architecture.width          last  mean_last_10",
        "loss cross_entropy, strategy standard, noise pair_flip",
        "  0.2         0.02          16                  11.00 ± 1.41  11.00 ± 1.41",
        "  0.5         0.05          16                  12.00 ± 1.41  12.00 ± 1.41",
        "loss cross_entropy, strategy standard, noise symmetric",
        "  0.2         0.02          16                  13.00 ± 1.41  13.00 ± 1.41",
        "  0.5         0.05          16                  14.00 ± 1.41  14.00 ± 1.41",
        "loss gce, strategy co_teaching, noise pair_flip",
        "  0.2         0.02          8                   15.00 ± 1.41  15.00 ± 1.41",
        "  0.5         0.05          8                   16.00 ± 1.41  16.00 ± 1.41",
        "loss gce, strategy co_teaching, noise symmetric",
        "  0.2         0.02          8                   17.00 ± 1.41  17.00 ± 1.41",
        "  0.5         0.05          8                   18.00 ± 1.41  18.00 ± 1.41",
    ]


MANY = ("last", "mean_last_10", "best_oracle", "seconds", "images_per_second", "peak_memory")


@pytest.mark.parametrize("by", [SIX[:number] for number in range(1, 7)])
@pytest.mark.parametrize("metrics", [MANY[:1], MANY[:3], MANY])
def test_no_word_and_no_number_is_folded_or_lost(by: tuple[str, ...], metrics: tuple[str, ...], tmp_path: Path) -> None:
    for loss, number in (("cross_entropy", 10), ("importance_reweighting", 11), ("gce", 12)):
        make_run(tmp_path, [number / 100], loss=loss, epochs=1)
    found = text(tmp_path, by, *metrics)
    assert max(map(len, found.splitlines())) <= 80
    body = found.split(":\n", 1)[1]
    for word in (*by, *metrics, "cross_entropy", "importance_reweighting", "gce"):
        assert word in body.replace(",", " ").split()
    shown = 3 if len(metrics) > 1 else 1  # of one epoch, all three accuracies are the same
    assert [body.split().count(number) for number in ("10.00", "11.00", "12.00")] == [shown] * 3


def test_numbers_that_do_not_fit_stand_in_a_table_below(tmp_path: Path) -> None:
    for loss in ("cross_entropy", "gce", "mae"):
        make_run(tmp_path, [0.5], loss=loss, epochs=1)
    found = text(tmp_path, ("loss",), *MANY, "noise_rate")
    tables = [part for part in found.split("\n\n") if "\ngce " in part]
    assert len(tables) == 2
    assert [part.count("cross_entropy") for part in tables] == [1, 1]


def test_letters_of_another_width_stand_under_each_other(tmp_path: Path) -> None:
    """In a terminal, each of these letters takes two columns."""
    folder = Path(tempfile.mkdtemp())  # a short path, for both columns to fit
    for name, value in (("数字", 0.5), ("x", 0.25)):
        (folder / name).mkdir()
        make_run(
            tmp_path / "runs",
            [value],
            dataset="image_folder",
            dataset__folder=str(folder / name),
            loss="mae",
            epochs=1,
        )
    lines = text(tmp_path / "runs", ("dataset.folder",), "last").splitlines()
    shutil.rmtree(folder)
    wide, narrow = (next(line for line in lines if line.endswith(end)) for end in ("50.00", "25.00"))
    assert len(narrow) == len(wide) + 2
