"""Pictures of many runs: what is drawn, how it is labelled, and that labels do not overlap."""

from __future__ import annotations

import io
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_runs import make_run, make_study
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.text import Annotation, Text
from PIL import Image
from scipy import stats

from nlcore.errors import UserError
from nlcore.studies.groups import group
from nlcore.studies.metrics import metric_of_epochs, metric_of_runs
from nlcore.studies.pictures import COLOURS, SUFFIXES, bars_figure, curves_figure, drawn_as
from nlcore.studies.read import read_runs


def curves(folder: Path, by: str, metric: str = "test_accuracy") -> Figure:
    """Return the picture of a folder's runs by epoch."""
    runs = read_runs(folder).runs
    return curves_figure(group(runs, by.split(",")), metric_of_epochs(metric, runs))


def bars(folder: Path, by: str) -> Figure:
    """Return the bars of a folder's runs."""
    runs = read_runs(folder).runs
    return bars_figure(group(runs, by.split(",")), metric_of_runs("last", runs))


def notes(figure: Figure, panel: int = 0) -> list[Annotation]:
    """Return the labels in a panel."""
    return [text for text in figure.axes[panel].texts if isinstance(text, Annotation)]


def title(figure: Figure) -> str:
    """Return the title of the whole picture, on one line."""
    return figure.get_suptitle().replace("\n", " ")


def bands(figure: Figure) -> list[Any]:
    """Return the corners of the bands in the first panel."""
    return [band.get_paths()[0].vertices for band in figure.axes[0].collections]


def test_lines_are_means_and_bands_standard_deviations(tmp_path: Path) -> None:
    """0.2 and 0.4 have the mean 0.3 and the standard deviation 0.1 · √2."""
    make_run(tmp_path, [0.2, 0.5], seed=1)
    make_run(tmp_path, [0.4, 0.5], seed=2)
    figure = curves(tmp_path, "loss")
    (line,), (band,) = figure.axes[0].lines, bands(figure)
    assert np.asarray(line.get_xydata()) == pytest.approx(np.array([[1, 0.3], [2, 0.5]]))
    first = band[band[:, 0] == 1][:, 1]
    assert (first.min(), first.max()) == pytest.approx((0.3 - 0.02**0.5, 0.3 + 0.02**0.5))


def test_every_line_is_labelled_at_its_end_in_its_colour(tmp_path: Path) -> None:
    make_study(tmp_path, {"gce": [0.5, 0.7], "mae": [0.2]})
    figure = curves(tmp_path, "loss")
    labels = {text.get_text(): to_hex(text.get_color()) for text in notes(figure)}
    assert labels == {"gce: 60.00": COLOURS[0], "mae: 20.00": COLOURS[1]}
    assert [to_hex(line.get_color()) for line in figure.axes[0].lines] == list(COLOURS[:2])


def test_labels_of_lines_that_end_together_do_not_overlap(tmp_path: Path) -> None:
    names = ("cross_entropy", "gce", "mae", "elr", "sce", "focal", "agce", "aul", "ael")
    make_study(tmp_path, {name: [0.9 + 0.0001 * place] for place, name in enumerate(names)})
    figure = curves(tmp_path, "loss")
    figure.draw_without_rendering()
    # A label's extent without the line that leads to it.
    boxes = sorted((Text.get_window_extent(text) for text in notes(figure)), key=lambda box: box.y0)
    assert len(boxes) == len(names)
    assert all(below.y1 <= above.y0 + 0.5 for below, above in itertools.pairwise(boxes))


def test_the_title_says_what_differs_and_what_is_common(tmp_path: Path) -> None:
    make_study(tmp_path, {"gce": [0.5, 0.6], "mae": [0.5, 0.6]}, epochs=7)
    said = title(curves(tmp_path, "loss"))
    assert said.startswith("test accuracy by loss: mean ± standard deviation over 2 runs dataset digits")
    assert "epochs 7" in said
    assert "seeds 1, 2" in said


def test_the_last_of_several_words_has_panels(tmp_path: Path) -> None:
    for rate in (0.2, 0.5):
        make_study(tmp_path, {"gce": [0.5], "mae": [0.4]}, noise__rate=rate)
    make_study(tmp_path, {"mae": [0.3]}, noise__rate=0.8)
    make_study(tmp_path, {"mae": [0.3]}, noise__rate=0.9)
    figure = curves(tmp_path, "loss,noise.rate")
    assert [axes.get_title() for axes in figure.axes] == [f"noise.rate {rate}" for rate in (0.2, 0.5, 0.8, 0.9)]
    assert [to_hex(text.get_color()) for text in notes(figure, 2)] == [COLOURS[1]]  # of mae, as in the other panels


def test_what_a_method_was_told_and_what_diverged_stands_beside_the_name(tmp_path: Path) -> None:
    make_run(tmp_path, [0.5], loss="gce", result={"oracles": ["noise rate"]})
    make_run(tmp_path, [0.5, 0.4], loss="mae", seed=1)
    make_run(tmp_path, [0.3], loss="mae", seed=2, result={"status": "diverged"})
    for figure in (curves(tmp_path, "loss"), bars(tmp_path, "loss")):
        labels = " ".join(text.get_text() for text in notes(figure))
        assert "(oracle)" in labels
        assert "(1 of 2 diverged)" in labels


def test_bars_are_means_with_their_95_percent_interval(tmp_path: Path) -> None:
    values = [0.5, 0.6, 0.62]
    make_study(tmp_path, {"gce": values, "mae": [0.4]})
    figure = bars(tmp_path, "loss")
    axes = figure.axes[0]
    assert [bar.get_width() for bar in axes.patches] == pytest.approx([np.mean(values), 0.4])  # type: ignore[attr-defined]
    dots, whisker, one = axes.lines
    assert np.asarray(dots.get_xdata()).tolist() == values
    expected = stats.t.interval(0.95, 2, np.mean(values), stats.sem(values))
    assert np.asarray(whisker.get_xdata()) == pytest.approx(np.array(expected))
    assert np.asarray(one.get_xdata()).tolist() == [0.4]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["gce", "mae"]


def test_more_than_can_be_told_apart_is_refused(tmp_path: Path) -> None:
    for epochs in range(1, 30):
        make_run(tmp_path, [0.5], epochs=epochs)
    with pytest.raises(UserError, match="29 names are more than a picture shows"):
        curves(tmp_path, "epochs")


@pytest.mark.slow
def test_each_format_is_what_its_suffix_says(tmp_path: Path) -> None:
    make_study(tmp_path, {"gce": [0.5, 0.6]})
    figure = curves(tmp_path, "loss")
    with Image.open(io.BytesIO(drawn_as(figure, ".png"))) as image:
        assert image.format == "PNG"
    assert b"<svg" in drawn_as(figure, ".svg")
    assert drawn_as(figure, ".pdf").startswith(b"%PDF")


@pytest.mark.slow
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_same_figure_is_the_same_bytes(suffix: str, tmp_path: Path) -> None:
    make_study(tmp_path, {"gce": [0.5, 0.6]})
    assert drawn_as(curves(tmp_path, "loss"), suffix) == drawn_as(curves(tmp_path, "loss"), suffix)


def test_equal_values_of_other_words_are_told_apart(tmp_path: Path) -> None:
    """A q of 0.7 and a beta of 0.7 are two lines, which say what they are."""
    make_run(tmp_path, [0.2, 0.5], loss="gce", loss__q=0.7)
    make_run(tmp_path, [0.4, 0.5], loss="soft_bootstrap", loss__beta=0.7)
    figure = curves(tmp_path, "loss.q,loss.beta,batch_size")
    assert len(figure.axes[0].lines) == 2
    shown = {note.get_text().partition(":")[0] for note in notes(figure)}
    assert shown == {"loss.q 0.7, batch_size 128", "loss.beta 0.7, batch_size 128"}
