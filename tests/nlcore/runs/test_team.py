"""Runs in several real processes: the same numbers, one writer, and whatever ends any of them loses nothing."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import toy
from helpers import install_plugin, plugin_source, squares

import nlcore
from nlcore.errors import RunError, UserError

pytestmark = pytest.mark.slow  # starting another process takes as long as importing torch

#: Without batch statistics and dropout, so that one process and two differ by the order of sums alone.
SETTINGS: dict[str, Any] = {**toy.SETTINGS, "architecture.dropout": 0.0, "devices": 2, "sync_batch_norm": True}


@pytest.fixture(autouse=True)
def _toy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    toy.install(monkeypatch, tmp_path)
    monkeypatch.chdir(tmp_path)


def command(*words: str, **environment: str) -> subprocess.Popen[str]:
    """Start ``nl`` with the toy's plugin, at the head of a process group of its own."""
    return subprocess.Popen(
        [sys.executable, *(words if words[0] == "-m" else ("-m", "nlcore", *words))],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def words(settings: dict[str, Any], **more: Any) -> list[str]:
    """Return settings as they are typed."""
    typed = ["run"]
    for key, value in {**settings, **more}.items():
        name = f"--{key if '.' in key else key.replace('_', '-')}"
        typed += [name] if value is True else [name, str(value)]
    return typed


def others_of(process: int) -> list[int]:
    """Return the processes that a process has started for its run."""
    listed = subprocess.run(["ps", "-eo", "pid,ppid,args"], capture_output=True, text=True, check=True).stdout
    found = [line.split(None, 2) for line in listed.splitlines()[1:]]
    return [int(pid) for pid, parent, args in found if int(parent) == process and "nlcore.runs.member" in args]


def wait_for(what: Callable[[], Any], seconds: float = 60) -> Any:
    """Wait until something is there, and return it."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = what()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError("It did not come.")


def gone(process: int) -> bool:
    """Tell whether there is no such process any more, or only its exit code."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def metrics(run_dir: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run_dir / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.parametrize(("sampling", "epoch_batches"), [("shuffled", "none"), ("balanced", "none"), ("balanced", 2)])
def test_two_processes_give_the_numbers_of_one(sampling: str, epoch_batches: str | int) -> None:
    settings = {**SETTINGS, "sampling": sampling, "epoch_batches": epoch_batches}
    one = nlcore.run(quiet=True, **{**settings, "devices": 1})
    two = nlcore.run(quiet=True, **settings)
    assert two.run_dir != one.run_dir
    assert two.num_weights == one.num_weights
    for here, there in zip(metrics(one.run_dir), metrics(two.run_dir), strict=True):
        assert there["train_loss"] == pytest.approx(here["train_loss"], rel=1e-3)
        assert there["test_accuracy"] == pytest.approx(here["test_accuracy"], abs=0.03)
    assert two.status == "done"


def test_it_is_recognised_and_its_model_is_loaded_in_one_process() -> None:
    first = nlcore.run(quiet=True, **SETTINGS)
    written = {file: file.stat().st_mtime_ns for file in first.run_dir.iterdir()}
    assert nlcore.run(quiet=True, **SETTINGS).run_dir == first.run_dir
    assert {file: file.stat().st_mtime_ns for file in first.run_dir.iterdir()} == written
    assert nlcore.load(first.run_dir)(squares(48)[0]).shape == (48, 4)


def straight_and_stopped(tmp_path: Path, stop: Callable[[subprocess.Popen[str]], None]) -> tuple[Path, Path]:
    """Return a run of many epochs that was let be, and the same one that was stopped in the middle and went on."""
    many = {**SETTINGS, "architecture.dropout": 0.3, "epochs": 60}
    straight = nlcore.run(quiet=True, runs_dir="straight", **many).run_dir
    process = command(*words(many, runs_dir="stopped", quiet=True))
    place = tmp_path / "stopped" / straight.name / "metrics.jsonl"
    wait_for(lambda: place.is_file() and place.read_text().count("\n") >= 3)
    stop(process)
    stopped = nlcore.run(quiet=True, runs_dir="stopped", **many).run_dir
    return straight, stopped


@pytest.mark.parametrize("who", ["first", "second"])
def test_a_run_goes_on_to_the_same_bits_after_one_of_its_processes_was_killed(tmp_path: Path, who: str) -> None:
    def stop(process: subprocess.Popen[str]) -> None:
        [other] = wait_for(lambda: others_of(process.pid))
        os.kill(process.pid if who == "first" else other, signal.SIGKILL)
        said = process.communicate(timeout=60)[0]
        wait_for(lambda: gone(other))
        if who == "second":
            assert process.returncode == 1
            assert "Process 2 of this run was ended by SIGKILL. The run has stopped; the checkpoint of epoch" in said

    straight, stopped = straight_and_stopped(tmp_path, stop)
    assert toy.equal(toy.outcome(straight), toy.outcome(stopped))


def test_ctrl_c_ends_all_of_them_cleanly(tmp_path: Path) -> None:
    def stop(process: subprocess.Popen[str]) -> None:
        [other] = wait_for(lambda: others_of(process.pid))
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        said = process.communicate(timeout=60)[0]
        assert process.returncode == 130, said
        wait_for(lambda: gone(other))
        [run] = (tmp_path / "stopped").iterdir()
        assert json.loads((run / "summary.json").read_text())["status"] == "interrupted"

    straight, stopped = straight_and_stopped(tmp_path, stop)
    assert toy.equal(toy.outcome(straight), toy.outcome(stopped))


def test_resumed_with_fewer_processes(tmp_path: Path) -> None:
    first = nlcore.run(quiet=True, **SETTINGS)
    longer = nlcore.resume(first.run_dir, epochs=5, devices=1, quiet=True)
    assert longer.status == "done"
    assert len(metrics(first.run_dir)) == 5


def test_an_estimate_is_made_once_and_shared() -> None:
    auto = {**SETTINGS, "noise": "symmetric", "strategy": "co_teaching", "strategy.forget_rate": "auto"}
    one = nlcore.run(quiet=True, **{**auto, "devices": 1})
    two = nlcore.run(quiet=True, **auto)
    estimates = [
        json.loads((run.run_dir / "environment.json").read_text())["estimated_noise"]["rate"] for run in (one, two)
    ]
    assert estimates[0] == estimates[1]


def test_other_samples_in_another_process_are_noticed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    source = plugin_source(nl_strategies={"draws": "draws_plugin:Draws"}) + (
        "\nimport os\nimport torch\nfrom nlcore.contracts import Pass\n"
        "from nlcore_builtins.strategies.standard import Standard\n"
        "class Draws(Standard):\n"
        '    """Chooses by what differs between processes."""\n'
        "    def passes(self, epoch):\n"
        "        random = torch.Generator().manual_seed(os.getpid())\n"
        "        return [Pass(indices=torch.randperm(96, generator=random)[:64])]\n"
    )
    install_plugin(monkeypatch, tmp_path, "draws-plugin", source)
    with pytest.raises(RunError, match=r"The strategy Draws chose other samples in another process in epoch 1\. Draw"):
        nlcore.run(quiet=True, **SETTINGS, strategy="draws")


def test_a_run_that_diverges_ends_in_all_of_them() -> None:
    result = nlcore.run(quiet=True, **{**SETTINGS, "lr": 1e30})
    assert result.status == "diverged"


def test_a_fault_of_the_user_is_told_before_anything_is_trained(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="batch_size = 500: the training set has only 96 images"):
        nlcore.run(quiet=True, **{**SETTINGS, "batch_size": 500})
    assert not (tmp_path / "runs").exists()


def test_a_strategy_that_fails_in_one_process_alone_fails_the_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    source = plugin_source(nl_strategies={"fails": "fails_plugin:Fails"}) + (
        "\nfrom nlcore_builtins.strategies.standard import Standard\n"
        "import atexit, os, sys\n"
        "class Fails(Standard):\n"
        '    """Fails where it did not begin."""\n'
        "    def begin_epoch(self, epoch):\n"
        "        if 'nlcore.runs.member' in sys.orig_argv and epoch == 2:\n"
        "            atexit.register(os.abort)\n"  # as threads of the connection do now and then
        "            raise MemoryError('nothing is left')\n"
    )
    install_plugin(monkeypatch, tmp_path, "fails-plugin", source)
    with pytest.raises(RunError, match=r"Process 2 of this run has ended: MemoryError: nothing is left.*epoch 1 is"):
        nlcore.run(quiet=True, **SETTINGS, strategy="fails")


# ------------------------------------------------------------------------------ processes that others start


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port: int = listening.getsockname()[1]
        return port


def test_torchrun(tmp_path: Path) -> None:
    here = {key: value for key, value in SETTINGS.items() if key != "devices"}
    run = command(
        "-m",
        *("torch.distributed.run", "--nproc-per-node", "2", "--master-port", str(free_port())),
        *("-m", "nlcore", *words(here, runs_dir="launched", quiet=True)),
    )
    said = run.communicate(timeout=120)[0]
    assert run.returncode == 0, said
    assert said.count("test accuracy") == 1  # one of them speaks
    [made] = (tmp_path / "launched").iterdir()
    two = nlcore.run(quiet=True, **SETTINGS)
    assert made.name == two.run_dir.name
    assert toy.equal(toy.outcome(made), toy.outcome(two.run_dir))
    one = nlcore.run(quiet=True, **{**here, "runs_dir": "launched"})  # another run than two processes did
    assert one.run_dir.name != made.name


def test_two_machines(tmp_path: Path) -> None:
    settings = {**SETTINGS, "devices": 1, "num_nodes": 2}
    port = str(free_port())
    nodes = [
        command(
            *words(settings, runs_dir=f"node{number}", quiet=True),
            MASTER_ADDR="127.0.0.1",
            MASTER_PORT=port,
            NODE_RANK=str(number),
        )
        for number in (0, 1)
    ]
    said = [node.communicate(timeout=120)[0] for node in nodes]
    assert [node.returncode for node in nodes] == [0, 0], said
    assert "test accuracy" in said[0]
    assert said[1] == ""
    assert not (tmp_path / "node1").exists()
    [made] = (tmp_path / "node0").iterdir()
    two = nlcore.run(quiet=True, **SETTINGS)
    for one, other in zip(metrics(made), metrics(two.run_dir), strict=True):
        assert one["train_loss"] == other["train_loss"]


def test_several_machines_need_to_find_each_other() -> None:
    with pytest.raises(UserError, match="num_nodes = 2: start the same command on each machine with MASTER_ADDR"):
        nlcore.run(quiet=True, **{**SETTINGS, "num_nodes": 2})


def test_a_study_or_an_audit_is_started_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"RANK": "0", "WORLD_SIZE": "2", "LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "2"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UserError, match=r"torchrun has started several of nl sweep\. Start it once"):
        nlcore.sweep(quiet=True, **{**SETTINGS, "devices": 1, "seed": [1, 2]})
    with pytest.raises(UserError, match="torchrun has started several of nl audit"):
        nlcore.audit(quiet=True, dataset="toy")


def test_another_number_of_processes_than_torchrun_has_started(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"RANK": "0", "WORLD_SIZE": "4", "LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "4"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UserError, match="devices = 2: torchrun has started 4 processes on each of 1 machines"):
        nlcore.run(quiet=True, **SETTINGS)
