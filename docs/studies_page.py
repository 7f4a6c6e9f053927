"""
The study that ``docs/studies.md`` shows tables of: made from finished runs once, and laid out as run directories again.

``python docs/studies_page.py RUNS`` reads a folder of finished runs and writes ``docs/studies.json``, and the pictures
beside it. The page's commands then run over what the former holds, so that nothing is trained to write the page.
"""

from __future__ import annotations

import contextlib
import json
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

from nlcore.rundir.directory import RunDirectory

RESULTS = Path(__file__).with_name("studies.json")
_COLUMNS = ("epoch", "test_accuracy", "memorised")
_DIFFER = ("seed", "noise", "loss")
_SUMMARY = ("test_accuracy", "memorisation", "noise_rate", "labels_sha256", "seconds", "options")


def over_runs(command: str) -> None:
    """Write a console block with a command and what it prints in a folder whose ``runs`` are the study's."""
    from shown import shown

    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        write(Path("runs"))
        shown(command)


def write(folder: Path) -> None:
    """Write the study's runs as directories, with what tables need."""
    study = json.loads(RESULTS.read_text(encoding="utf-8"))
    for name, run in study["runs"].items():
        directory = RunDirectory(folder / name)
        directory.create()
        directory.write_config(study["config"] | run["config"])
        directory.write_json("environment.json", study["environment"])
        directory.write_json("summary.json", study["summary"] | {**run["summary"], "seed": run["config"]["seed"]})
        rows = zip(*run["metrics"], strict=True)
        directory.write_metrics([dict(zip(_COLUMNS, row, strict=True)) for row in rows])


def read(folder: Path) -> dict[str, Any]:
    """Return what the page needs of finished runs that differ in noise, loss and seed."""
    runs: dict[str, Any] = {}
    for path in sorted(folder.iterdir()):
        directory = RunDirectory(path)
        config = tomllib.loads((path / "config.toml").read_text(encoding="utf-8"))
        summary = directory.summary()
        name = f"{summary['loss']}-{config['noise']['rate']}-{summary['seed']}"
        if summary["status"] != "done":
            raise SystemExit(f"{path} is {summary['status']}")
        metrics = directory.metrics()
        runs[name] = {
            "config": {key: config[key] for key in _DIFFER},
            "summary": {key: summary[key] for key in (*_SUMMARY, "loss")},
            "metrics": [[row[column] for row in metrics] for column in _COLUMNS],
        }
    about = directory.read_json("environment.json")
    content = {"nlcore": about["fingerprint"]["nlcore"], "components": {}, "files_sha256": {}}
    content |= {"dataset_sha256": about["fingerprint"]["dataset_sha256"], "config": {"dataset": config["dataset"]}}
    return {
        "config": {key: value for key, value in config.items() if key not in _DIFFER},
        "environment": {"precision": about["precision"], "fingerprint": content},
        "summary": {key: value for key, value in summary.items() if key not in (*_SUMMARY, "per_class", "run_dir")},
        "runs": runs,
    }


def draw(folder: Path) -> None:
    """Draw the page's pictures of finished runs."""
    from nlcore.studies.groups import group
    from nlcore.studies.metrics import metric_of_epochs, metric_of_runs
    from nlcore.studies.pictures import bars_figure, curves_figure, drawn_as
    from nlcore.studies.read import read_runs

    runs = read_runs(folder).runs
    groups = group(runs, ["loss", "noise.rate"])
    curves = curves_figure(groups, metric_of_epochs("test_accuracy", runs))
    bars = bars_figure(groups, metric_of_runs("memorised", runs))
    for name, figure in (("curves", curves), ("bars", bars)):
        RESULTS.with_name(f"studies-{name}.png").write_bytes(drawn_as(figure, ".png"))


if __name__ == "__main__":
    study = read(Path(sys.argv[1]))
    lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(run)}" for name, run in study.pop("runs").items())
    around = json.dumps({**study, "runs": {}}, indent=1)
    RESULTS.write_text(around.replace('"runs": {}', f'"runs": {{\n{lines}\n }}') + "\n", encoding="utf-8")
    draw(Path(sys.argv[1]))
