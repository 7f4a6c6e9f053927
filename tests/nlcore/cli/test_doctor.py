"""``nl doctor``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from helpers import install_plugin, plugin_source

import nlcore
from nlcore.training.hardware import available_cpus

GOOD = plugin_source(nl_losses={"one": "m:C", "two": "m:C"})


@pytest.fixture(autouse=True)
def _no_data(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NL_DATA_DIR", str(tmp_path / "data"))


def of(report: dict[str, Any], distribution: str) -> dict[str, Any]:
    """Return what is said about the one plugin of a distribution."""
    (found,) = (plugin for plugin in report["plugins"] if plugin["distribution"] == distribution)
    return dict(found)


@pytest.mark.slow
def test_all_is_well(nl: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    install_plugin(monkeypatch, tmp_path, "good-one", "print('hello')\n" + GOOD, version="2.1")
    checked = nl("doctor", "--json")
    assert checked.code == 0
    report = checked.json
    assert report["environment"]["nlcore"] == nlcore.__version__
    assert all(report["environment"][name] for name in ("python", "torch", "torchvision", "lightning-fabric", "numpy"))
    assert report["hardware"]["reason"] == ""
    assert report["hardware"]["processors"] == available_cpus()
    assert report["hardware"]["devices"][-1]["device"] == "cpu"
    good = of(report, "good-one")
    assert (good["version"], good["entry_point"], good["api"]) == ("2.1", "good_one", 1)
    assert (good["state"], good["components"], good["imports_torch"]) == ("ok", 2, False)
    assert good["import_seconds"] >= 0
    ours = [plugin for plugin in report["plugins"] if plugin["distribution"] == "nlcore"]
    names = {
        *("architectures", "augmentations", "datasets", "losses", "noise"),
        *("detectors", "estimators", "executors", "optimizers", "presets", "protocols", "strategies", "trackers"),
    }
    assert {plugin["entry_point"] for plugin in ours} == names
    assert not any(plugin["imports_torch"] for plugin in ours)


@pytest.mark.slow
def test_what_failed_and_what_is_blocked(nl: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    touch = f"import pathlib\npathlib.Path({str(tmp_path / 'ran')!r}).touch()"
    install_plugin(monkeypatch, tmp_path, "old-one", GOOD.replace("NLCORE_API = 1", "NLCORE_API = 7"), version="0.3")
    install_plugin(monkeypatch, tmp_path, "broken-one", "import no_such_module_anywhere")
    install_plugin(monkeypatch, tmp_path, "left-out", touch)
    monkeypatch.setenv("NL_PLUGINS", "old-one,broken-one")
    checked = nl("doctor")
    assert (checked.code, checked.err) == (1, "")  # the table says it, not a line for each
    (line,) = (line for line in checked.out.splitlines() if line.startswith("old-one"))
    assert all(word in line for word in ("old-one 0.3", " 7 ", "failed", "NLCORE_API = 7"))
    assert "Traceback" not in checked.out
    (line,) = (line for line in checked.out.splitlines() if line.startswith("left-out"))
    assert "blocked by NL_PLUGINS" in line
    assert not (tmp_path / "ran").exists()
    shown = nl("doctor", "--traceback")
    assert shown.code == 1
    assert shown.out.count("Traceback") == 2
    assert "No module named 'no_such_module_anywhere'" in shown.out
    report = nl("doctor", "--json").json
    assert (of(report, "old-one")["api"], of(report, "old-one")["state"]) == (7, "failed")
    assert of(report, "broken-one")["import_seconds"] is None
    assert of(report, "left-out")["state"] == "blocked"


@pytest.mark.slow
def test_a_plugin_that_imports_torch_works_and_is_told_what_it_costs(
    nl: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    install_plugin(monkeypatch, tmp_path, "slow-start", "import torch\n" + GOOD)
    assert nlcore.host.registry.registry().find("loss", "one").distribution == "slow-start"
    checked = nl("doctor")
    assert checked.code == 0
    (line,) = (line for line in checked.out.splitlines() if line.startswith("slow-start") and "imports torch" in line)
    assert "s slower; move the import into the component's module" in line
    (row,) = (line for line in checked.out.splitlines() if line.startswith("slow-start") and "ok, 2" in line)
    seconds = float(row.split(" s  ")[0].split()[-1])
    assert seconds > 0.2  # what importing torch takes, wherever it is
    assert f"{seconds:.1f} s slower" in line


def test_it_says_what_it_knows_while_it_works(
    nl: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shown: list[str] = []

    def cost(plugin: Any) -> tuple[float, bool]:
        shown.append(capsys.readouterr().out)
        return 0.001, False

    monkeypatch.setattr("nlcore.cli.doctor.import_cost", cost)
    nl("doctor")
    assert all(f"\n{word}" in f"\n{shown[0]}" for word in ("environment", "hardware", "data", "plugin"))
    assert all(lines.startswith("nlcore ") and lines.count("\n") == 1 for lines in shown[1:])


@pytest.mark.slow
def test_data_that_are_there(nl: Any, tmp_path: Path) -> None:
    (tmp_path / "data" / "cifar-10-batches-py").mkdir(parents=True)
    data = nl("doctor", "--json").json["data"]
    assert data["directory"] == str(tmp_path / "data")
    assert data["found"] == {"cifar-10-batches-bin": False, "cifar-10-batches-py": True}


@pytest.mark.slow
def test_a_torch_that_does_not_work_is_reported(nl: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)  # importing it raises
    checked = nl("doctor")
    assert checked.code == 1
    assert "failed      ModuleNotFoundError: import of torch halted" in checked.out
    assert "losses" in checked.out


@pytest.mark.slow
def test_a_file_that_fails_is_shown_with_its_traceback(nl: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NL_PLUGIN_PATH", "")
    Path("bad_shown.py").write_text("1 / 0\n")
    checked = nl("--plugin", "bad_shown.py", "doctor", "--traceback")
    assert checked.code == 1
    assert "failed: ZeroDivisionError: division by zero" in checked.out
    assert 'bad_shown.py", line 1' in checked.out
