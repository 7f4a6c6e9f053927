"""Tables as they are laid out and written."""

from __future__ import annotations

import csv
import io
import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
from made_runs import make_run, make_study

from nlcore.studies.comparison import read_baseline
from nlcore.studies.formats import FORMATS
from nlcore.studies.groups import group
from nlcore.studies.layout import lay_out
from nlcore.studies.metrics import metric_of_runs
from nlcore.studies.read import read_runs

#: GCE is 0.1, 0.11 and 0.09 above cross-entropy: p = 0.0033.
CE, GCE = [0.50, 0.52, 0.51], [0.60, 0.63, 0.60]


def written(
    folder: Path, by: str, format: str = "text", baseline: str | None = None, metrics: str = "last,mean_last_10"
) -> str:
    """Return the table of a folder's runs."""
    runs = read_runs(folder).runs
    groups = group(runs, by.split(","))
    numbers = [metric_of_runs(name, runs) for name in metrics.split(",")]
    return FORMATS[format](lay_out(groups, numbers, read_baseline(baseline, groups) if baseline else None))


def rows(text: str) -> list[str]:
    """Return the lines of a text with single spaces; how wide columns are is not what is tested."""
    return [" ".join(line.split()) for line in text.splitlines()]


def test_a_list_of_all_numbers(tmp_path: Path) -> None:
    make_study(tmp_path, {"cross_entropy": CE, "gce": GCE})
    lines = rows(written(tmp_path, "loss"))
    assert "loss last mean_last_10" in lines
    assert "cross_entropy 51.00 ± 1.00 51.00 ± 1.00" in lines
    assert "gce 61.00 ± 1.73* 61.00 ± 1.73*" in lines
    assert "mean ± standard deviation over n runs; n = 3 in every cell" in lines
    above = " ".join(lines[:3])
    assert above.startswith("all runs: dataset digits, noise symmetric")
    assert "seeds 1, 2, 3" in above


def test_n_stands_in_the_cells_where_it_differs(tmp_path: Path) -> None:
    make_study(tmp_path, {"cross_entropy": CE, "gce": [0.6]})
    text = written(tmp_path, "loss", metrics="last")
    assert "51.00 ± 1.00 (3)" in text
    assert " 60.00 (1)" in text


def test_the_last_word_goes_across(tmp_path: Path) -> None:
    for rate, more in ((0.2, 0.3), (0.5, 0.0)):
        make_study(tmp_path, {"gce": [0.5 + more, 0.52 + more], "mae": [0.4 + more]}, noise__rate=rate)
    lines = rows(written(tmp_path, "loss,noise.rate", metrics="last"))
    assert "last: test accuracy of the last epoch, %; by noise.rate:" in lines
    assert "loss 0.2 0.5" in lines
    assert "gce 81.00 ± 1.41 (2) 51.00 ± 1.41 (2)" in lines
    assert "mae 70.00 (1) 40.00 (1)" in lines


def test_what_does_not_fit_across_is_a_list(tmp_path: Path) -> None:
    for epochs in range(1, 9):
        make_study(tmp_path, {"gce": [0.5, 0.52], "mae": [0.4, 0.43]}, epochs=epochs)
    lines = rows(written(tmp_path, "loss,epochs", metrics="last"))
    assert "gce 8 51.00 ± 1.41*" in lines


def test_a_missing_combination_is_a_dash(tmp_path: Path) -> None:
    make_run(tmp_path, [0.5], loss="gce", epochs=1)
    make_run(tmp_path, [0.4], loss="gce", epochs=2)
    make_run(tmp_path, [0.3], loss="mae", epochs=2)
    assert "mae – 30.00" in rows(written(tmp_path, "loss,epochs"))


def test_against_a_baseline(tmp_path: Path) -> None:
    """The half-width is t(0.975, 2) · 0.01 / √3 = 4.303 · 0.0058 = 0.0248; p of two rows is doubled for the smaller."""
    make_study(tmp_path, {"cross_entropy": CE, "gce": GCE})
    make_study(tmp_path, {"mae": [0.5, 0.6]}, labels="others")
    lines = rows(written(tmp_path, "loss", baseline="cross_entropy", metrics="last"))
    assert "loss last n difference p" in lines
    assert "cross_entropy 51.00 ± 1.00 3 baseline" in lines
    assert "gce 61.00 ± 1.73 3 +10.00 [7.52, 12.48] 0.003" in lines
    assert "mae 55.00 ± 7.07 2 – a" in lines
    assert "a: trained on other labels than the baseline" in lines
    assert "adjusted by Holm over 1 row" in " ".join(lines)


def test_one_pair_has_a_difference_and_nothing_else(tmp_path: Path) -> None:
    make_study(tmp_path, {"cross_entropy": [0.5], "gce": [0.6]})
    lines = rows(written(tmp_path, "loss", baseline="cross_entropy", metrics="last"))
    assert "loss last n difference" in lines
    assert "gce 60.00 1 +10.00" in lines
    assert "an interval needs two pairs" in " ".join(lines)


@pytest.mark.parametrize("by", ["loss", "loss,noise.rate"])
@pytest.mark.parametrize("baseline", [None, "importance_reweighting"])
def test_text_fits_80_columns(by: str, baseline: str | None, tmp_path: Path) -> None:
    study = {"importance_reweighting": [0.8, 0.9, 0.85], "backward_correction": [0.1, 0.9, 0.3], "gce": [0.2, 0.4, 0.9]}
    for rate in (0.25, 0.5) if "noise" in by else (0.5,):
        make_study(tmp_path, study, noise__rate=rate, result={"oracles": ["noise rate"]})
    text = written(tmp_path, by, baseline=baseline)
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text


def test_oracles_and_diverged_runs_are_marked(tmp_path: Path) -> None:
    make_run(tmp_path, [0.5], loss="gce", seed=1, result={"oracles": ["noise rate"]})
    make_run(tmp_path, [0.4], loss="mae", seed=1)
    make_run(tmp_path, [0.3], loss="mae", seed=2, result={"status": "diverged"})
    lines = rows(written(tmp_path, "loss", metrics="last,best_oracle"))
    assert "gce a 50.00 (1) 50.00 (1)" in lines
    assert any(line.startswith("mae b") for line in lines)
    assert "a: oracle: noise rate" in lines
    assert "b: 1 of 2 runs diverged: counted with the epochs before that" in lines
    assert "best_oracle: best test accuracy of all epochs, oracle, %" in " ".join(lines)


def test_shares_are_in_percent_and_other_numbers_are_not(tmp_path: Path) -> None:
    make_run(tmp_path, [0.5], result={"seconds": 1234.56})
    assert "1 50.00 1,234.6" in rows(written(tmp_path, "seed", metrics="last,seconds"))


def test_markdown(tmp_path: Path) -> None:
    make_study(tmp_path, {"cross_entropy": CE, "gce": GCE})
    lines = rows(written(tmp_path, "loss", "md", metrics="last"))
    assert lines[4:8] == [
        "| loss | last |",
        "| --- | ---: |",
        "| cross\\_entropy | 51.00 ± 1.00 |",
        "| gce | **61.00 ± 1.73** |",
    ]
    assert lines[-1].startswith("* **bold**: the best of the rows that differ in loss alone")


def test_latex(tmp_path: Path) -> None:
    make_study(tmp_path, {"cross_entropy": CE, "gce": GCE}, result={"oracles": ["noise rate"]})
    text = written(tmp_path, "loss", "latex", metrics="last")
    begin, end = text.index(r"\begin{tabular}"), text.index(r"\end{tabular}")
    assert text[begin:end].splitlines() == [
        r"\begin{tabular}{lr}",
        r"\toprule",
        r"loss & last \\",
        r"\midrule",
        r"cross\_entropy\textsuperscript{a} & 51.00 $\pm$ 1.00 \\",
        r"gce\textsuperscript{a} & \textbf{61.00 $\pm$ 1.73} \\",
        r"\bottomrule",
    ]
    assert r"last epoch, \%:" in text
    assert r"\textsuperscript{a} oracle: noise rate" in text


def test_latex_spans_what_goes_across_and_writes_minus_signs(tmp_path: Path) -> None:
    for epochs in (1, 2):
        make_study(tmp_path, {"gce": [0.5]}, epochs=epochs, columns={"train_loss": [-1.5]})
    text = written(tmp_path, "loss,epochs", "latex", metrics="train_loss")
    assert "& \\multicolumn{2}{c}{epochs} \\\\\n\\cmidrule(l){2-3}\nloss & 1 & 2 \\\\" in text
    assert r"gce & $-$1.500 & $-$1.500 \\" in text


def test_html_is_well_formed_and_escaped(tmp_path: Path) -> None:
    make_study(tmp_path, {"cross_entropy": CE, "gce": GCE}, result={"oracles": ["a < b & c"]})
    root = ET.fromstring(written(tmp_path, "loss", "html", metrics="last"))
    assert [cell.text for cell in root.iter("th")] == ["loss", "last", "cross_entropy", "gce"]
    cells = [(cell.get("class"), cell.text) for cell in root.iter("td")]
    assert cells == [("number", "51.00 ± 1.00"), ("number best", "61.00 ± 1.73")]
    assert any("a < b & c" in "".join(item.itertext()) for item in root.iter("li"))


def records(text: str, format: str) -> list[dict[str, Any]]:
    """Return the rows of CSV, or of JSON with its words beside the rest."""
    if format == "csv":
        return list(csv.DictReader(io.StringIO(text)))
    return [{**row, **row["words"]} for row in json.loads(text)["rows"]]


@pytest.mark.parametrize("format", ["csv", "json"])
def test_csv_and_json_have_every_digit(format: str, tmp_path: Path) -> None:
    make_study(tmp_path, {"cross_entropy": [1 / 3, 1 / 7, 0.2], "gce": [0.5, 0.6]})
    make_study(tmp_path, {"mae": [0.1]}, labels="others")
    found = {row["loss"]: row for row in records(written(tmp_path, "loss", format, "cross_entropy", "last"), format)}
    base, gce, mae = found["cross_entropy"], found["gce"], found["mae"]
    assert float(base["mean"]) == (1 / 3 + 1 / 7 + 0.2) / 3
    assert int(base["n"]) == 3
    assert float(gce["difference"]) == pytest.approx((0.5 - 1 / 3 + 0.6 - 1 / 7) / 2, rel=1e-15)
    assert float(gce["low"]) < float(gce["difference"]) < float(gce["high"])
    assert float(gce["p"]) == float(gce["p_holm"])
    assert int(gce["pairs"]) == 2
    assert mae["difference"] in (None, "")
    assert mae["std"] in (None, "")
    assert mae["no_difference"] == "trained on other labels than the baseline"
