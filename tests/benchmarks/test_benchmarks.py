"""The benchmark's one command, briefly: that every row comes out. No time is judged here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
ON_CPU = {
    "memory", "augmentation", "augmentation_share", "cpu_bare_step", "loss_soft_bootstrap", "loss_hard_bootstrap",
    "loss_gce", "loss_elr", "strategy_mixup", "strategy_co_teaching", "optimizer_muon", "setup", "predict_files",
    "boxes_of_folder", "crops_in_threads",
    "passes_jocor", "passes_two_views", "passes_elr_plus", "passes_ssr", "passes_divide_mix",
}  # fmt: skip
WHERE_IT_CAN = {
    "cpu_course_loop",
    "preset_quick",
    "threads_auto",
    "two_processes",
    "two_processes_memory",
}  # needs bf16, and several processors
ON_GPU = {"gpu_course_loop", "gpu_tuned_loop", "gpu_bare_step", "gpu_flops", "gpu_flops_512"}


def benchmark(*words: str) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if key != "NL_DATA_DIR"}
    command = [sys.executable, str(ROOT / "tests/benchmarks/run.py"), *words]
    return subprocess.run(command, capture_output=True, text=True, env=environment)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    out = tmp_path_factory.mktemp("benchmark") / "results.json"
    done = benchmark("--brief", "--out", str(out))
    assert done.returncode == 0, done.stdout + done.stderr
    loaded: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    assert all(row["name"] in done.stdout for row in loaded["rows"] + loaded["open"])
    return loaded


@pytest.mark.slow
def test_every_row_is_measured_or_open_with_a_reason(results: dict[str, Any]) -> None:
    measured, left_open = ({row["name"] for row in results[kind]} for kind in ("rows", "open"))
    assert measured | left_open == ON_CPU | WHERE_IT_CAN | ON_GPU
    assert measured >= ON_CPU
    assert not measured & left_open
    if not results["machine"]["gpu"]:
        assert left_open >= ON_GPU
    assert all(row["reason"] for row in results["open"])


@pytest.mark.slow
def test_a_row_says_all_that_is_needed_to_believe_it(results: dict[str, Any]) -> None:
    for row in results["rows"]:
        assert len(row["rounds"]) == (1 if "memory" in row["name"] else 2)
        assert min(row["rounds"]) > 0
        assert min(row["rounds"]) <= row["figure"] <= max(row["rounds"])
        assert row["met"] == (row["figure"] >= row["goal"] if row["at_least"] else row["figure"] <= row["goal"])
        assert row["threads"] >= 1
        assert len(row["load"]) == 2
        if row["name"] not in ("memory", "two_processes_memory", "setup", "threads_auto"):
            assert len(row["images_per_second"]) == (3 if row["name"] == "preset_quick" else 2)
    assert results["machine"]["torch"]
    assert results["machine"]["cpu_features"]
    assert "synthetic" in results["settings"]["data"]


@pytest.mark.slow
def test_the_page_s_table_is_made_from_the_results(results: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    import benchmark_page

    text = benchmark_page.markdown(results)
    for row in results["rows"]:
        line = next(line for line in text.splitlines() if f"(`{row['name']}`)" in line)
        assert row["text"] in line
        assert ("| yes |" if row["met"] else "| **no** |") in line
    for row in results["open"]:
        assert f"(`{row['name']}`): {row['reason']}" in text


@pytest.mark.slow
def test_an_unknown_row_is_a_wrong_usage() -> None:
    done = benchmark("--brief", "--rows", "memory,speed")
    assert done.returncode == 2
    assert "no row speed" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.cifar10
@pytest.mark.slow
def test_real_images_are_taken_from_their_folder(cifar10_dir: Path, tmp_path: Path) -> None:
    out = tmp_path / "results.json"
    done = benchmark("--brief", "--rows", "setup", "--data-dir", str(cifar10_dir), "--out", str(out))
    assert done.returncode == 0, done.stdout + done.stderr
    results = json.loads(out.read_text(encoding="utf-8"))
    assert results["settings"]["data"] == "real CIFAR-10"
    assert [row["name"] for row in results["rows"]] == ["setup"]
    assert str(cifar10_dir) not in out.read_text(encoding="utf-8")
