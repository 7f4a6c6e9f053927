"""Ray, the real one: two nodes on this machine, one of which is killed in the middle; slips are told within seconds."""

from __future__ import annotations

import importlib
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from helpers import TINY

import nlcore
from nlcore import UserError
from nlcore.contracts import Job, Outcome

pytest.importorskip("ray", reason="needs ray: pip install '.[test-all]'")

WORKS = """
import pathlib, time, ray
from nlcore.contracts import Outcome

def waits(job):
    begun = pathlib.Path(job.folder) / (job.name + ".begun")
    again = begun.exists()
    begun.write_text(ray.get_runtime_context().get_node_id())
    if job.name == "b":
        time.sleep(3)
        return Outcome("done", message="again" if again else "once")
    try:
        for _ in range(300 * (not again)):
            time.sleep(0.1)
    except KeyboardInterrupt:
        (pathlib.Path(job.folder) / (job.name + ".stopped")).touch()
        return Outcome("interrupted")
    return Outcome("done", message="again" if again else "once")
"""


@pytest.mark.slow
def test_what_a_lost_node_computed_goes_on_elsewhere(tmp_path: Path) -> None:
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    nodes = {node.node_id: node for node in (cluster.add_node(num_cpus=1), cluster.add_node(num_cpus=1))}
    told: dict[str, Outcome] = {}
    said: list[str] = []

    def lose_a_node() -> None:
        begun = [tmp_path / f"{name}.begun" for name in ("a", "b")]
        _until(lambda: all(file.exists() and file.read_text() for file in begun))
        lost = begun[0].read_text()
        cluster.remove_node(nodes[lost], allow_graceful=False)
        _until(lambda: begun[0].read_text() not in ("", lost))  # it has begun on the other node, once that is free

    killer = threading.Thread(target=lose_a_node)
    killer.start()
    try:
        executor = nlcore.create("executor", "ray", address=cluster.address)
        jobs = [Job(name, ({},), tmp_path) for name in ("a", "b")]
        waits = importlib.import_module("works").waits
        executor.execute(jobs, waits, lambda job, outcome: told.update({job.name: outcome}), said.append)
    finally:
        killer.join()
        cluster.shutdown()
    assert {name: (outcome.status, outcome.message) for name, outcome in told.items()} == {
        "a": ("done", "again"),
        "b": ("done", "once"),
    }
    assert said == ["a: its node was lost; it goes on elsewhere"]


@pytest.mark.slow
def test_a_study_runs_on_this_machine() -> None:
    settings: dict[str, Any] = {**TINY, "executor.cpus": 0.5}
    study = nlcore.sweep(executor="ray", quiet=True, seed=[1, 2], **settings)
    assert [result.status for result in study.results] == ["done", "done"], study.states
    assert [result.seed for result in study.results] == [1, 2]


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("127.0.0.1:9", "nobody listens there"),
        ("ray://127.0.0.1:9", "nobody listens there"),
        ("somewhere", "must be HOST:PORT"),
        ("127.0.0.1:99999", "nobody listens there"),
    ],
)
def test_an_address_where_nobody_is(address: str, said: str, tmp_path: Path) -> None:
    executor = nlcore.create("executor", "ray", address=address)
    began = time.monotonic()
    with pytest.raises(UserError, match=said):
        executor.execute([Job("a", ({},), tmp_path)], print, print, print)
    assert time.monotonic() - began < 20  # what a user would wait at most


def test_it_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    for name in ("ray", "submitit"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(UserError, match=r"pip install 'nlcore\[ray\]'"):
        nlcore.create("executor", "ray")
    with pytest.raises(UserError, match=r"pip install 'nlcore\[slurm\]'"):
        nlcore.create("executor", "slurm")


def _until(holds: Any) -> None:
    for _ in range(600):
        if holds():
            return
        time.sleep(0.1)
    raise AssertionError("it took more than a minute")
