"""Pictures as SVG in a page: their colours, their ids, and that they say nothing but what is drawn."""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path
from xml.etree import ElementTree

import pytest
from made_runs import make_run, make_study

from nlcore.report.curves import Curves, curves_of
from nlcore.report.rows import rows_of
from nlcore.studies.metrics import metric_of_runs
from nlcore.studies.pictures import COLOURS
from nlcore.studies.read import read_runs


def curves(folder: Path, *metrics: str) -> list[Curves]:
    """Return the curves of a folder's runs."""
    runs = read_runs(folder).runs
    return curves_of(rows_of(runs, ()).groups, [metric_of_runs(name, runs) for name in metrics], runs)


def luminance(colour: str) -> float:
    """Return the relative luminance of ``#rrggbb`` (WCAG 2.2)."""
    shares = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in shares)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two colours (WCAG 2.2)."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_accuracy_and_memorised_labels_are_drawn_and_what_else_was_asked_for(tmp_path: Path) -> None:
    columns = {"memorised": [0.1, 0.2], "train_loss": [2.0, 1.0]}
    make_run(tmp_path, [0.5, 0.6], columns=columns)
    titles = [one.title.partition(" by ")[0] for one in curves(tmp_path, "last", "train_loss")]
    assert titles == ["test accuracy", "wrong labels memorised", "mean of what was minimised"]


def test_what_was_not_measured_is_not_drawn(tmp_path: Path) -> None:
    make_run(tmp_path, [0.5, 0.6])
    assert [one.title.partition(" by ")[0] for one in curves(tmp_path)] == ["test accuracy"]


def test_more_lines_than_a_picture_shows_are_left_out_with_the_reason(tmp_path: Path) -> None:
    for epochs in range(1, 30):
        make_run(tmp_path, [0.5], epochs=epochs)
    (only,) = curves(tmp_path)
    assert (only.svg, only.title) == ("", "test accuracy")
    assert "29 names are more than a picture shows" in only.why_not


def test_colours_are_those_of_the_page(tmp_path: Path) -> None:
    losses = ("cross_entropy", "gce", "mae", "sce", "focal", "agce", "aul")
    make_study(tmp_path, {loss: [0.5] for loss in losses})
    svg = curves(tmp_path)[0].svg
    assert {f"--c{place}" for place in range(len(COLOURS) - 1)} == set(re.findall(r"var\((--c\d)", svg))
    assert "currentColor" in svg  # the seventh colour is black
    assert "#ffffff" not in svg
    assert "#000000" not in svg


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_colour_can_be_read_on_the_page_and_on_what_is_raised(scheme: str) -> None:
    """4.5 is what WCAG asks of text, for labels have the colours of their lines."""
    style = resources.files("nlcore.report").joinpath("templates", "report.css").read_text(encoding="utf-8")
    light, dark = re.findall(r":root \{(.*?)\}", style, re.DOTALL)
    colours = dict(re.findall(r"(--\w+): (#[0-9a-f]{6});", light if scheme == "light" else dark))
    assert {f"--c{place}" for place in range(len(COLOURS) - 1)} <= colours.keys()
    for name in colours.keys() - {"--page", "--raised", "--line", "--shade"}:
        assert contrast(colours[name], colours["--page"]) >= 4.5, name
    for name in ("--ink", "--faint", "--link"):
        assert contrast(colours[name], colours["--raised"]) >= 4.5, name
    # The darkest cell of a confusion matrix: half of --shade on the page.
    mixed = [(int(colours["--shade"][i : i + 2], 16) + int(colours["--page"][i : i + 2], 16)) // 2 for i in (1, 3, 5)]
    assert contrast(colours["--ink"], "#{:02x}{:02x}{:02x}".format(*mixed)) >= 4.5


def test_ids_differ_between_pictures_and_are_all_there(tmp_path: Path) -> None:
    make_run(tmp_path, [0.5, 0.6], columns={"memorised": [0.1, 0.2]})
    seen: set[str] = set()
    for one in curves(tmp_path):
        elements = list(ElementTree.fromstring(one.svg).iter())
        ids = [element.get("id") for element in elements if element.get("id")]
        assert len(ids) == len(set(ids))
        assert not seen & set(map(str, ids))
        seen |= set(map(str, ids))
        used = re.findall(r'(?:href="|url\()#([\w-]+)', one.svg)
        assert used
        assert set(used) <= set(map(str, ids))


def test_the_title_stands_above_the_picture_and_is_read_aloud(tmp_path: Path) -> None:
    make_study(tmp_path, {"gce": [0.5, 0.6], "mae": [0.5, 0.6]}, epochs=7)
    (only,) = curves(tmp_path)
    assert only.title == "test accuracy by loss: mean ± standard deviation over 2 runs"
    assert "epochs 7" in only.about
    root = ElementTree.fromstring(only.svg)
    assert (root.get("role"), root.get("aria-label")) == ("img", only.title)


def test_no_text_of_a_user_is_markup(tmp_path: Path) -> None:
    """Matplotlib repeats what it draws in comments, and reads what stands between two $ as a formula."""
    for accuracy in (0.5, 0.6):
        make_run(tmp_path, [accuracy])
    (tmp_path / "run-0001").rename(tmp_path / "--><script>$\\frac$")
    (only,) = curves(tmp_path)
    assert "script" not in only.svg
    assert "<!--" not in only.svg
    assert "http" not in only.svg
