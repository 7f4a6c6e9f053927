"""A run that was stopped ends with the same bits as one that was not."""

from __future__ import annotations

import errno
import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import toy
from made_runs import forget
from nlcore_builtins.losses.elr import ELR

import nlcore
from nlcore.rundir import checkpoint, durable
from nlcore.runs import fingerprint
from nlcore.runs.start import execute
from nlcore.runs.terminal import Terminal
from nlcore.training.bound_loss import BoundLoss
from nlcore.training.context import Context
from nlcore.training.ema import WeightEMA
from nlcore.training.observers import Observer
from nlcore.training.trainer import Trainer

LOSSES = ("cross_entropy", "soft_bootstrap", "hard_bootstrap", "gce", "elr", "selc")
STRATEGIES = ("standard", "mixup", "co_teaching")


@pytest.fixture(autouse=True)
def _toy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    toy.install(monkeypatch, tmp_path)


def run(name: str, **settings: Any) -> Path:
    """Run to the end; return the directory."""
    return nlcore.run(quiet=True, name=name, **{**toy.SETTINGS, **settings}).run_dir


class StopsIn(Observer):
    """Stops a run within an epoch, after its last step."""

    def __init__(self, number: int) -> None:
        self.number = number

    def progress(self, epoch: int, step: int, steps: int, images_per_second: float, elapsed: float) -> None:
        """Stop it."""
        if epoch == self.number and step == steps:
            raise KeyboardInterrupt


def stopped(name: str, epoch: int = 2, **settings: Any) -> Path:
    """Begin a run and stop it within an epoch, after its last step."""
    with pytest.raises(KeyboardInterrupt):
        execute([{"name": name, **toy.SETTINGS, **settings}], Terminal(quiet=True), observers=[StopsIn(epoch)])
    return Path("runs") / name


@pytest.mark.slow
@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("loss", LOSSES)
def test_every_pair_ends_with_the_same_bits(loss: str, strategy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    choice: dict[str, Any] = {"loss": loss, "strategy": strategy, "epochs": 2}
    straight = run("straight", **choice)
    torn = stopped("torn", **choice)
    assert json.loads((torn / "summary.json").read_text())["status"] == "interrupted"
    nlcore.resume(torn, quiet=True)
    assert toy.equal(toy.outcome(straight), toy.outcome(torn))


#: Losses with a state that decides what the third epoch does, and how to make it do so by then.
STATES: dict[str, dict[str, Any]] = {
    "truncated_gce": {"loss.start": 1, "loss.k": 0.3},
    "forward_correction": {"loss.warm_up": 0},
    "backward_correction": {"loss.warm_up": 1, "loss.percentile": 100.0, "lr": 0.1},
    "sop": {},
    "peer": {"loss.warm_up": 0, "loss.ramp": 1, "loss.alpha": 0.5},
    "cores": {"loss.warm_up": 0, "loss.ramp": 2, "loss.sieve": 1},
    "anl_ce": {},
    "selc": {"loss.start": 0.0},
}


@pytest.mark.slow
@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("loss", STATES)
def test_a_losss_state_ends_with_the_same_bits(loss: str, strategy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    choice = {"loss": loss, "strategy": strategy, "epochs": 3, **STATES[loss]}
    straight, torn = run("straight", **choice), stopped("torn", epoch=3, **choice)
    nlcore.resume(torn, quiet=True)
    assert toy.equal(toy.outcome(straight), toy.outcome(torn))


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["cross_entropy", "logit_adjusted", "class_weighted"])
def test_balanced_classes_are_drawn_again_to_the_same_bits(loss: str) -> None:
    choice: dict[str, Any] = {"loss": loss, "sampling": "balanced"}
    straight, torn = run("straight", **choice), stopped("torn", **choice)
    nlcore.resume(torn, quiet=True)
    assert toy.equal(toy.outcome(straight), toy.outcome(torn))
    assert not toy.equal(toy.outcome(straight), toy.outcome(run("other", loss=loss)))


@pytest.mark.slow
@pytest.mark.parametrize(
    "choice",
    [
        {"loss": "elr", "sampling": "balanced"},
        {"loss": "sop"},
        {"loss": "selc", "loss.start": 0.0},
        {"strategy": "divide_mix", "strategy.warm_up": 1, "strategy.history": 2, "sampling": "balanced"},
        {"strategy": "unicon", "strategy.warm_up": 1},
        {"strategy": "elr_plus", "strategy.ema_ramp": 2},
    ],
    ids=lambda choice: str(choice.get("loss", choice.get("strategy"))),
)
def test_epochs_that_leave_samples_out_are_drawn_again_to_the_same_bits(choice: dict[str, Any]) -> None:
    """In the middle of the third of four epochs, each of two of the three batches."""
    settings = {"epochs": 4, "epoch_batches": 2, **choice}
    straight, torn = run("straight", **settings), stopped("torn", epoch=3, **settings)
    nlcore.resume(torn, quiet=True)
    assert toy.equal(toy.outcome(straight), toy.outcome(torn))


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["truncated_gce", "forward_correction", "backward_correction", "sop", "selc"])
def test_a_losss_state_that_is_not_restored_is_noticed(loss: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from nlcore.host.registry import registry

    choice = {"loss": loss, "epochs": 3, **STATES[loss]}
    straight, torn = run("straight", **choice), stopped("torn", epoch=3, **choice)
    cls = registry().load(registry().find("loss", loss))
    with monkeypatch.context() as patch:
        patch.setattr(cls, "load_state_dict", lambda self, state: None)
        nlcore.resume(torn, quiet=True)
    assert not toy.equal(toy.outcome(straight), toy.outcome(torn))


@pytest.mark.slow
def test_muons_momentum_ends_with_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    """And is missed where it is not restored."""
    straight, torn = run("straight", optimizer="muon"), stopped("torn", optimizer="muon")
    lost = shutil.copytree(torn, torn.with_name("lost"))
    nlcore.resume(torn, quiet=True)
    assert toy.equal(toy.outcome(straight), toy.outcome(torn))
    with monkeypatch.context() as patch:
        _unrestored_momentum(patch)
        nlcore.resume(lost, quiet=True)
    assert not toy.equal(toy.outcome(straight), toy.outcome(lost))


@pytest.mark.slow
def test_another_seed_is_not_the_same() -> None:
    assert not toy.equal(toy.outcome(run("one", seed=1)), toy.outcome(run("two", seed=2)))


def _unrestored_momentum(patch: pytest.MonkeyPatch) -> None:
    load = Context.load_state_dict

    def without(self: Context, state: Any) -> None:
        empty = [{**saved, "state": {}} for saved in state["optimizers"]]
        load(self, {**state, "optimizers": empty})

    patch.setattr(Context, "load_state_dict", without)


def _unrestored_memory(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(ELR, "load_state_dict", lambda self, state: None)


def _unrestored_average(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(WeightEMA, "load_state_dict", lambda self, state: None)


def _unrestored_epoch(patch: pytest.MonkeyPatch) -> None:
    train = Trainer.run
    patch.setattr(Trainer, "run", lambda self, observers, done=0: train(self, observers, 0))


@pytest.mark.slow
@pytest.mark.parametrize("forget", [_unrestored_momentum, _unrestored_memory, _unrestored_average, _unrestored_epoch])
def test_the_comparison_notices_what_is_not_restored(
    forget: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    straight, torn = run("straight", loss="elr"), stopped("torn", loss="elr")
    with monkeypatch.context() as patch:
        forget(patch)
        nlcore.resume(torn, quiet=True)
    assert not toy.equal(toy.outcome(straight), toy.outcome(torn))


@pytest.mark.slow
def test_a_losss_generator_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def noisy(self: BoundLoss, logits: Any, targets: Any, index: Any) -> Any:
        import torch

        return self.loss(logits, targets, index) * torch.rand(len(logits), generator=self._generator)

    monkeypatch.setattr(BoundLoss, "__call__", noisy)
    straight, torn = run("straight"), stopped("torn")
    nlcore.resume(torn, quiet=True)
    assert toy.equal(toy.outcome(straight), toy.outcome(torn))


def test_the_same_command_goes_on(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    straight, torn = run("straight"), stopped("torn")
    assert run("torn") == torn
    assert toy.equal(toy.outcome(straight), toy.outcome(torn))


@pytest.mark.slow
def test_checkpoints_may_be_fewer(monkeypatch: pytest.MonkeyPatch) -> None:
    straight = run("straight")
    torn = stopped("torn", epoch=3, checkpoint_every=2)
    assert [path.name for path in torn.glob("*.pt")] == ["checkpoint-000002.pt"]
    nlcore.resume(torn, quiet=True)
    assert toy.equal(toy.outcome(straight), toy.outcome(torn))


@pytest.mark.slow
def test_rows_past_the_checkpoint_and_a_torn_line_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    straight, torn = run("straight"), stopped("torn")
    with (torn / "metrics.jsonl").open("a") as file:
        file.write('{"epoch": 2, "train_loss": 1.0, "test_accuracy": 0.5}\n{"epoch": 3, "tr')
    nlcore.resume(torn, quiet=True)
    assert toy.equal(toy.outcome(straight), toy.outcome(torn))


@pytest.mark.slow
def test_more_epochs(monkeypatch: pytest.MonkeyPatch) -> None:
    straight, short = run("straight", epochs=3), run("short", epochs=2)
    assert nlcore.resume(short, quiet=True, epochs=3).epochs == 3
    assert toy.equal(toy.outcome(straight), toy.outcome(short))
    with pytest.raises(nlcore.UserError, match="more may be given, not fewer"):
        nlcore.resume(short, quiet=True, epochs=1)
    with pytest.raises(nlcore.UserError, match="epochs is 3 there, 2 here"):
        run("short", epochs=2)  # never takes the longer run's result for its own


@pytest.mark.slow
def test_fewer_processors_than_before_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    torn = stopped("torn")
    environment = json.loads((torn / "environment.json").read_text())
    (torn / "environment.json").write_text(json.dumps(environment | {"threads": 4096}))
    messages: list[str] = []
    monkeypatch.setattr("nlcore.runs.terminal.Terminal.line", lambda self, text: messages.append(text))
    assert nlcore.resume(torn, quiet=True).status == "done"
    assert any("threads: was 4096" in message and "last bits" in message for message in messages)


@pytest.mark.slow
@pytest.mark.parametrize("word", ["epoch_batches", "sampling", "init", "validation", "decay_weights_only"])
def test_a_setting_that_came_after_the_run_was_made_has_its_default(word: str) -> None:
    """An upgrade strands no run: it goes on, and its command finds it."""
    torn = stopped("torn", epoch=1)
    forget(torn, word)
    assert nlcore.resume(torn, quiet=True).status == "done"
    assert run("torn") == torn
    with pytest.raises(nlcore.UserError, match=r"trusted is 0 there, 8 here"):
        run("torn", trusted=8)


def test_nothing_else_may_change(monkeypatch: pytest.MonkeyPatch) -> None:
    torn = stopped("torn")
    with pytest.raises(nlcore.UserError, match="lr cannot change"):
        nlcore.resume(torn, quiet=True, lr=0.1)


def test_a_finished_run_is_left_alone(capsys: pytest.CaptureFixture[str]) -> None:
    done = run("done")
    before = {path.name: path.read_bytes() for path in done.iterdir() if path.is_file()}
    assert nlcore.resume(done).status == "done"
    assert "already" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in done.iterdir() if path.is_file()} == before


@pytest.mark.slow
def test_fresh_starts_over_in_a_directory_of_its_own() -> None:
    first, second = run("same"), nlcore.run(quiet=True, fresh=True, name="same", **toy.SETTINGS).run_dir
    assert (first.name, second.name) == ("same", "same-2")
    assert toy.equal(toy.outcome(first), toy.outcome(second))


@pytest.mark.slow
def test_an_edited_method_never_gets_an_old_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = nlcore.run(quiet=True, **toy.SETTINGS).run_dir
    assert nlcore.run(quiet=True, **toy.SETTINGS).run_dir == first

    monkeypatch.setattr(fingerprint, "source_sha256", lambda cls: "edited")
    assert nlcore.run(quiet=True, **toy.SETTINGS).run_dir != first
    with pytest.raises(nlcore.UserError, match="source code of the loss"):
        nlcore.resume(first, quiet=True)


# What can become of a checkpoint.


def _damage(path: Path, how: str) -> None:
    content = bytearray(path.read_bytes())
    if how == "truncated":
        content = content[: len(content) // 2]
    elif how == "empty":
        content.clear()
    else:
        content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.slow
@pytest.mark.parametrize("how", ["truncated", "empty", "bit flipped"])
def test_a_damaged_checkpoint_gives_way_to_the_one_before(
    how: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    straight, torn = run("straight"), stopped("torn", epoch=3)
    first, second = sorted(torn.glob("*.pt"))
    _damage(second, how)
    nlcore.resume(torn)
    assert f"{second} is damaged" in capsys.readouterr().err
    assert toy.equal(toy.outcome(straight), toy.outcome(torn))
    assert first.name == "checkpoint-000001.pt"


def test_all_checkpoints_damaged(monkeypatch: pytest.MonkeyPatch) -> None:
    torn = stopped("torn", epoch=3)
    for path in torn.glob("*.pt"):
        _damage(path, "bit flipped")
    with pytest.raises(nlcore.RunError, match="damaged"):
        nlcore.resume(torn, quiet=True)


class Malicious:
    """Makes a file when it is unpickled."""

    def __reduce__(self) -> Any:
        return os.mkdir, ("owned",)


@pytest.mark.parametrize("with_digest", [False, True])
def test_a_malicious_pickle_is_refused_and_not_run(with_digest: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    import hashlib
    import io

    import torch

    torn = stopped("torn", epoch=2)
    (path,) = torn.glob("*.pt")
    if with_digest:
        payload = io.BytesIO()
        torch.save({"training": Malicious()}, payload)
        digest = hashlib.sha256(payload.getvalue()).hexdigest().encode()
        path.write_bytes(b"nlcore checkpoint 1\n" + digest + b"\n" + payload.getvalue())
    else:
        path.write_bytes(pickle.dumps(Malicious()))
    with pytest.raises(nlcore.RunError, match="damaged"):
        nlcore.resume(torn, quiet=True)
    assert not Path("owned").exists()


# What can become of a write.

FILES = ("config.toml", "environment.json", "labels.npz", "noise.json", "summary.json", "metrics.jsonl",
         "checkpoint-000002.pt", "weights.safetensors")  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES])
@pytest.mark.parametrize("name", FILES)
def test_a_write_that_fails_is_said_and_loses_nothing(name: str, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    straight = run("straight")
    opened = Path.open

    def refuse(self: Path, mode: str = "r", *rest: Any, **more: Any) -> Any:
        if name in self.name and "r" not in mode and "torn" in str(self):
            raise OSError(number, os.strerror(number), str(self))
        return opened(self, mode, *rest, **more)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", refuse)
        with pytest.raises(nlcore.RunError) as error:
            run("torn")
    assert name in str(error.value)
    assert os.strerror(number) in str(error.value)
    torn = run("torn")  # the disk has space again
    assert toy.equal(toy.outcome(straight), toy.outcome(torn))
    assert not list(torn.glob(".*.tmp"))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["curves.png", "confusion.csv", "confusion.png"])
def test_what_comes_after_the_last_epoch_never_loses_the_run(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    opened = Path.open

    def refuse(self: Path, mode: str = "r", *rest: Any, **more: Any) -> Any:
        if name in self.name and "r" not in mode:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self))
        return opened(self, mode, *rest, **more)

    monkeypatch.setattr(Path, "open", refuse)
    result = nlcore.run(name="done", **toy.SETTINGS)
    assert result.status == "done"
    assert f"{name} was left out" in capsys.readouterr().err
    assert nlcore.load(result.run_dir).classes


@pytest.mark.slow
def test_a_backend_that_is_none_does_not_fail_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MPLBACKEND", "bogus")
    program = "import toy, nlcore; print(nlcore.run(quiet=True, name='bogus', **toy.SETTINGS).status)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=_environment())
    assert done.stdout.strip() == "done", done.stderr


@pytest.mark.slow
def test_a_real_size_limit() -> None:
    straight = run("straight", epochs=2)
    program = """
import resource, signal, toy, nlcore
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (6000, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
try:
    nlcore.run(quiet=True, name="torn", **{**toy.SETTINGS, "epochs": 2})
except nlcore.RunError as error:
    print(error)
"""
    said = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=_environment()
    ).stdout
    assert "checkpoint-000001.pt could not be written: File too large" in said
    torn = run("torn", epochs=2)
    assert toy.equal(toy.outcome(straight), toy.outcome(torn))


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


def test_out_of_memory_says_what_to_lower(monkeypatch: pytest.MonkeyPatch) -> None:
    def exhaust(self: Trainer, number: int, observers: Any) -> Any:
        raise RuntimeError("[enforce fail at alloc_cpu.cpp:1] DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(Trainer, "train_epoch", exhaust)
    with pytest.raises(nlcore.RunError, match=r"Out of memory: lower --batch-size \(now 32\)"):
        run("torn")


@pytest.mark.slow
def test_a_second_process_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torn = stopped("torn")
    program = f"""
import sys
from pathlib import Path
from nlcore.rundir.lock import locked
with locked(Path({str(torn.absolute())!r}), print):
    print("locked", flush=True)
    sys.stdin.read()
"""
    other = subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=_environment()
    )
    assert other.stdout
    try:
        assert other.stdout.readline() == "locked\n"
        with pytest.raises(nlcore.UserError, match=rf"process {other.pid} on .+"):
            nlcore.resume(torn, quiet=True)
    finally:
        other.send_signal(signal.SIGKILL)
        other.wait()
    messages: list[str] = []
    monkeypatch.setattr("nlcore.runs.terminal.Terminal.line", lambda self, text: messages.append(text))
    nlcore.resume(torn, quiet=True)
    assert any(f"taken over from process {other.pid}" in message for message in messages)


@pytest.mark.slow
def test_leftovers_of_killed_writes_are_swept_up(monkeypatch: pytest.MonkeyPatch) -> None:
    torn = stopped("torn")
    (torn / ".checkpoint-000002.pt.123.tmp").write_bytes(b"half")
    nlcore.resume(torn, quiet=True)
    assert not list(torn.glob(".*.tmp"))


def test_what_cannot_be_saved_safely_is_said_in_the_first_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ELR, "state_dict", lambda self: {"t": object()})
    with pytest.raises(nlcore.RunError, match="tensors and primitives"):
        run("torn", loss="elr")


def test_a_finished_run_whose_checkpoint_is_gone_is_not_redone() -> None:
    done = run("done", epochs=2)
    for path in done.glob("*.pt"):
        path.unlink()
    before = (done / "metrics.jsonl").read_bytes()
    with pytest.raises(nlcore.UserError, match="checkpoint is gone"):
        nlcore.resume(done, quiet=True, epochs=3)
    assert (done / "metrics.jsonl").read_bytes() == before


@pytest.mark.slow
def test_an_upgrade_is_said_and_does_not_stop_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    torn = stopped("torn")
    content = json.loads((torn / "environment.json").read_text())
    content["packages"]["nlcore"] = content["fingerprint"]["nlcore"] = "0.0.9"
    for used in (part for parts in content["fingerprint"]["components"].values() for part in parts):
        used["version"] = "0.0.9"
    (torn / "environment.json").write_text(json.dumps(content))
    messages: list[str] = []
    monkeypatch.setattr("nlcore.runs.terminal.Terminal.line", lambda self, text: messages.append(text))
    assert nlcore.resume(torn, quiet=True).status == "done"
    assert any("nlcore was 0.0.9" in message for message in messages)


def test_an_oracle_stays_one(monkeypatch: pytest.MonkeyPatch) -> None:
    from nlcore_builtins.strategies.standard import Standard

    def ask_once(self: Any, epoch: int) -> None:
        if epoch == 1:
            self.ctx.declared_noise()

    monkeypatch.setattr(Standard, "begin_epoch", ask_once, raising=False)
    torn = stopped("torn")
    assert nlcore.resume(torn, quiet=True).oracles == ("noise rate",)


def test_a_recipe_is_never_overwritten(tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "mine"
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text("# my own\n")
    with pytest.raises(nlcore.UserError, match="holds files"):
        run("mine")
    assert (folder / "config.toml").read_text() == "# my own\n"


@pytest.mark.slow
def test_labels_from_a_relative_path_are_found_from_elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    run("first", epochs=1)
    torn = stopped("torn", labels="runs/first/labels.npz").absolute()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert nlcore.resume(torn, quiet=True).components["noise"] == "stored"


@pytest.mark.parametrize("content", ["{}", "[]", "{", '{"fingerprint": {}}'])
def test_a_directory_that_is_not_whole_gets_a_sentence(content: str, monkeypatch: pytest.MonkeyPatch) -> None:
    torn = stopped("torn")
    (torn / "environment.json").write_text(content)
    with pytest.raises(nlcore.UserError, match=r"environment\.json"):
        nlcore.resume(torn, quiet=True)


@pytest.mark.slow
def test_a_checkpoint_that_was_moved_away_starts_over(monkeypatch: pytest.MonkeyPatch) -> None:
    straight, torn = run("straight"), stopped("torn")
    for path in torn.glob("*.pt"):
        path.unlink()
    nlcore.resume(torn, quiet=True)
    assert toy.equal(toy.outcome(straight), toy.outcome(torn))


@pytest.mark.slow
def test_a_moved_run_directory_can_be_resumed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    straight, torn = run("straight"), stopped("torn")
    elsewhere = tmp_path / "elsewhere"
    shutil.move(torn, elsewhere)
    nlcore.resume(elsewhere, quiet=True)
    assert toy.equal(toy.outcome(straight), toy.outcome(elsewhere))
    assert checkpoint.load_newest(elsewhere, print) is not None
    durable.remove_leftovers(elsewhere)
