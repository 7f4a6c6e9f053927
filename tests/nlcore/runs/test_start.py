"""A run from its checks to its directory, with the real engine on handwritten digits and a tiny network."""

from __future__ import annotations

import csv
import hashlib
import inspect
import json
import os
import shutil
import sys
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers import TINY, install_plugin
from safetensors.torch import load_file
from sklearn.datasets import load_digits
from sklearn.metrics import roc_auc_score

import nlcore
from nlcore.config.experiment import resolve
from nlcore.config.recipe import read_recipe
from nlcore.contracts import Pass
from nlcore.host.registry import registry
from nlcore.rundir.result import Result
from nlcore.runs.start import plan_only
from nlcore.runs.terminal import Terminal
from nlcore.training.build import build, load_data

FILES = {
    "config.toml",
    "environment.json",
    "labels.npz",
    "noise.json",
    "metrics.jsonl",
    "weights.safetensors",
    "model.json",
    "summary.json",
    "confusion.csv",
    "curves.png",
    "confusion.png",
    "signature.json",
}

#: Losses that go wrong in the second epoch.
TROUBLE = """
import os
import torch
from nlcore import Component, hookimpl

NLCORE_API = 1

class Base:
    def begin_epoch(self, epoch, epochs, predict):
        self.epoch = epoch

    def __call__(self, logits, targets, index=None):
        losses = torch.nn.functional.cross_entropy(logits, targets, reduction="none")
        return self.second(losses) if self.epoch == 2 else losses

class Stopped(Base):
    def second(self, losses):
        if os.environ.get("STOP"):
            raise KeyboardInterrupt
        return losses

class Broken(Base):
    def second(self, losses):
        raise ZeroDivisionError("no such luck")

class Diverging(Base):
    def second(self, losses):
        return losses * float("inf")

@hookimpl
def nl_losses():
    names = {"stopped": "Stopped", "broken": "Broken", "diverging": "Diverging"}
    return [Component(name, "trouble_plugin:" + cls, "Goes wrong.") for name, cls in names.items()]
"""


def run(**settings: Any) -> Result:
    """Run a tiny experiment without a word."""
    return nlcore.run(quiet=True, **{**TINY, **settings})


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Result:
    """Return the result of a run with held-out data and averaged weights; tests do not change its directory."""
    runs_dir = tmp_path_factory.mktemp("finished")
    return run(runs_dir=runs_dir, epochs=3, validation=0.2, ema=0.9, noise_seed=5, seed=3, **{"noise.rate": 0.3})


@pytest.fixture
def copy(finished: Result, tmp_path: Path) -> Path:
    """Return a copy of the finished run's directory, called ``copy``."""
    return Path(shutil.copytree(finished.run_dir, tmp_path / "runs" / "copy"))


@pytest.fixture
def trouble(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    install_plugin(monkeypatch, tmp_path, "trouble-plugin", TROUBLE)


def summary(run_dir: Path) -> dict[str, Any]:
    """Return what a run's summary says."""
    content: dict[str, Any] = json.loads((run_dir / "summary.json").read_text())
    return content


def same_weights(one: Path, other: Path) -> bool:
    """Tell whether two runs ended with the same bits."""
    states = [load_file(path / "weights.safetensors") for path in (one, other)]
    return states[0].keys() == states[1].keys() and all(
        torch.equal(states[0][key], states[1][key]) for key in states[0]
    )


def again(finished: Result, **more: Any) -> dict[str, Any]:
    """Return the settings of the finished run."""
    return {**read_recipe(finished.run_dir / "config.toml"), **more}


# -------------------------------------------------------------------------------------------------------- the result


@pytest.mark.slow
def test_a_result_says_what_was_run(finished: Result) -> None:
    assert finished.status == "done"
    assert (finished.components["dataset"], finished.components["noise"], finished.components["architecture"]) == (
        "digits",
        "symmetric",
        "resnet18",
    )
    assert (finished.components["loss"], finished.components["strategy"]) == ("cross_entropy", "standard")
    assert (finished.seed, finished.noise_seed, finished.epochs) == (3, 5, 3)
    assert finished.oracles == ()
    assert finished.message is None
    assert finished.seconds is not None
    assert finished.seconds > 0
    assert finished.images_per_second is not None
    assert finished.images_per_second > 0
    assert finished.peak_memory is not None
    assert 0.1 < finished.peak_memory < 100  # torch alone takes more than a tenth of a GB


@pytest.mark.slow
def test_a_summary_is_the_result_as_json(finished: Result) -> None:
    content = summary(finished.run_dir)
    asked_for = (
        "run_dir status dataset noise architecture loss strategy seed noise_seed epochs noise_rate test_accuracy "
        "seconds images_per_second peak_memory"
    )
    assert set(asked_for.split()) <= set(content)
    assert set(content["test_accuracy"]) == {"last", "mean_last_10", "selected", "best_oracle"}
    assert content == finished.to_json()
    assert Result.read(finished.run_dir) == finished


def test_the_accuracies_are_those_of_the_metrics(finished: Result) -> None:
    rows = [json.loads(line) for line in (finished.run_dir / "metrics.jsonl").read_text().splitlines()]
    test = [row["test_accuracy"] for row in rows]
    best_epoch = max(range(3), key=lambda number: rows[number]["validation_accuracy"])
    assert finished.test_accuracy == {
        "last": test[2],
        "mean_last_10": pytest.approx(sum(test) / 3),
        "selected": test[best_epoch],
        "best_oracle": max(test),
    }
    assert all(round(value * 355, 6).is_integer() for value in test)  # a fraction of 355 test images


def test_each_class_of_the_test_set_is_counted(finished: Result) -> None:
    """Of the true classes 35 or 36 images each; their accuracies make up that of the last epoch, plain and balanced."""
    classes = finished.per_class
    assert [one["name"] for one in classes] == list("0123456789")
    bundle = load_digits()
    assert [one["count"] for one in classes] == [int((bundle.target == digit).sum()) // 5 for digit in range(10)]
    right = sum(one["count"] * one["accuracy"] for one in classes)
    assert right / 355 == pytest.approx(finished.test_accuracy["last"])
    balanced = sum(one["accuracy"] for one in classes) / 10
    assert balanced == pytest.approx(finished.metrics[-1]["test_balanced_accuracy"])


@pytest.mark.slow
def test_a_selection_is_measured_and_stored() -> None:
    """The AUC of co-teaching's losses against which labels are right, and a row for each training label."""
    result = run(strategy="co_teaching", epochs=2, **{"strategy.num_gradual": 1})
    row = result.metrics[-1]
    assert 0 <= row["selection_auc"] <= 1
    assert row["correction_accuracy"] is None  # it suggests no labels
    with (result.run_dir / "selection.csv").open() as file:
        lines = list(csv.DictReader(file))
    with np.load(result.run_dir / "labels.npz") as file:
        right = dict(zip(file["ids"].tolist(), (file["given"] == file["true"]).tolist(), strict=True))
        given = dict(zip(file["ids"].tolist(), file["given"].tolist(), strict=True))
    assert [int(line["label"]) for line in lines] == [given[int(line["id"])] for line in lines]
    auc = roc_auc_score([right[int(one["id"])] for one in lines], [float(one["clean_probability"]) for one in lines])
    assert auc == pytest.approx(row["selection_auc"], abs=1e-3)


def test_the_noise_rate_is_that_of_the_labels(finished: Result) -> None:
    with np.load(finished.run_dir / "labels.npz") as file:
        assert finished.noise_rate == np.mean(file["given"] != file["true"])
    # 30 % of 1,442 labels redrawn over ten classes: 27 % wrong, give or take four standard deviations.
    assert finished.noise_rate == pytest.approx(0.27, abs=4 * (0.3 * 0.09 / 1442) ** 0.5)


def test_the_confusion_of_labels_is_recorded(finished: Result) -> None:
    """Counts over training and held-out samples, beside what was declared: 30 % redrawn from all ten classes."""
    with np.load(finished.run_dir / "labels.npz") as file:
        true, given = file["true"], file["given"]
    record = json.loads((finished.run_dir / "noise.json").read_text())
    assert record["counts"] == [[int(((true == i) & (given == j)).sum()) for j in range(10)] for i in range(10)]
    assert record["samples"] == 1442
    assert record["rate"] == finished.noise_rate
    np.testing.assert_allclose(record["declared_transition"], 0.7 * np.eye(10) + 0.03)
    assert record["declared_rate"] == pytest.approx(0.27)


def test_the_labels_have_a_fingerprint(finished: Result) -> None:
    with np.load(finished.run_dir / "labels.npz") as file:
        pairs = sorted(zip(file["ids"].tolist(), file["given"].tolist(), strict=True))
    text = "\n".join(f"{sample},{label}" for sample, label in pairs)
    assert finished.labels_sha256 == hashlib.sha256(text.encode()).hexdigest()


# ------------------------------------------------------------------------------------------------------ the directory


def test_a_run_directory_is_complete(finished: Result) -> None:
    files = {path.name: path for path in finished.run_dir.iterdir() if not path.name.startswith(".")}
    assert set(files) == {*FILES, "checkpoint-000003.pt"}  # the last one, to go on to more epochs
    assert all(path.stat().st_size > 0 for path in files.values())


def test_metrics_have_one_row_an_epoch(finished: Result) -> None:
    keys = (
        "epoch train_loss test_accuracy test_balanced_accuracy clean_accuracy memorised corrected "
        "validation_accuracy lr seconds_train seconds_evaluation images_per_second "
        "selection_auc selection_precision selection_recall correction_accuracy"
    )
    of_a_selection = "selection_auc selection_precision selection_recall correction_accuracy"
    assert [row["epoch"] for row in finished.metrics] == [1, 2, 3]
    for row in finished.metrics:
        assert set(row) == {*keys.split(), *of_a_selection.split()}
        assert all(row[key] is None for key in of_a_selection.split())  # plain training has no opinion
        assert row["lr"] == 0.1
        assert all(0 <= row[key] <= 1 for key in keys.split() if "accuracy" in key and "correction" not in key)
        assert row["selection_auc"] is None  # standard training has no opinion


def test_the_noise_can_be_drawn_again_from_its_seed(finished: Result) -> None:
    with np.load(finished.run_dir / "labels.npz") as file:
        order = np.argsort(file["ids"])
        ids, given, true, held_out = (file[name][order] for name in ("ids", "given", "true", "validation"))
    assert np.array_equal(true, load_digits().target[ids])
    noise = nlcore.create("noise", "symmetric", rate=0.3)
    assert np.array_equal(given, noise.corrupt(true, 10, np.random.default_rng(5)))
    # Of each given label the same share is held out.
    assert all(held_out[given == label].sum() == round(0.2 * (given == label).sum()) for label in range(10))


@pytest.mark.slow
def test_the_noise_depends_on_its_own_seed_alone(finished: Result) -> None:
    other = run(noise_seed=5, seed=4, validation=0.2, strategy="mixup", **{"noise.rate": 0.3})
    assert other.labels_sha256 == finished.labels_sha256
    assert run(noise_seed=6, **{"noise.rate": 0.3}).labels_sha256 != finished.labels_sha256


def test_the_configuration_has_every_parameter(finished: Result) -> None:
    config = tomllib.loads((finished.run_dir / "config.toml").read_text())
    assert config["noise"] == {
        "name": "symmetric",
        "rate": 0.3,
        "redraw": "inclusive",
        "draws": "exact",
        "dialect": "none",
    }
    assert (config["epochs"], config["validation"], config["ema"], config["batch_size"]) == (3, 0.2, 0.9, 128)


def test_the_environment_says_what_the_run_was_made_with(finished: Result) -> None:
    content = json.loads((finished.run_dir / "environment.json").read_text())
    assert content["packages"]["torch"].partition("+")[0] == torch.__version__.partition("+")[0]
    assert (content["device"], content["precision"], content["threads"]) == ("cpu", "fp32", 1)
    loss = content["fingerprint"]["components"]["loss"][0]
    source = Path(str(inspect.getsourcefile(type(nlcore.create("loss", "cross_entropy")))))
    assert (loss["name"], loss["version"]) == ("nlcore/cross_entropy", nlcore.__version__)
    assert loss["source_sha256"] == hashlib.sha256(source.read_bytes()).hexdigest()
    assert content["fingerprint"]["labels_sha256"] == finished.labels_sha256


@pytest.mark.slow
def test_two_networks_have_weights_of_their_own() -> None:
    result = run(strategy="co_teaching")
    weights = load_file(result.run_dir / "weights.safetensors")
    assert {key.partition(".")[0] for key in weights} == {"network1", "network2"}
    assert not torch.equal(weights["network1.head.weight"], weights["network2.head.weight"])
    assert all(value.is_contiguous() for value in weights.values())
    assert result.num_weights == sum(
        value.numel() for key, value in weights.items() if "running" not in key and "num_batches" not in key
    )


@pytest.mark.slow
def test_a_seed_gives_the_same_numbers_again(tmp_path: Path) -> None:
    results = [run(runs_dir=tmp_path / name) for name in ("one", "two")]
    assert results[0].run_dir.name == results[1].run_dir.name
    assert same_weights(*(result.run_dir for result in results))
    assert results[0].test_accuracy == results[1].test_accuracy


# ------------------------------------------------------------------------------------------ runs that are there already


@pytest.mark.slow
def test_cuda_graphs_change_nothing_on_a_cpu(finished: Result, tmp_path: Path) -> None:
    other = run(**again(finished, cuda_graphs=True, runs_dir=str(tmp_path)))
    assert other.run_dir != finished.run_dir
    assert same_weights(other.run_dir, finished.run_dir)


def test_a_finished_run_is_reported_and_not_run_again(finished: Result, capsys: pytest.CaptureFixture[str]) -> None:
    def times() -> dict[Path, int]:  # but that of what tells how the run may be asked for
        return {path: path.stat().st_mtime_ns for path in finished.run_dir.iterdir() if path.name != "signature.json"}

    before = times()
    result = nlcore.run(finished.run_dir / "config.toml", runs_dir=finished.run_dir.parent)
    assert result == finished
    assert times() == before
    assert "this run is done already" in capsys.readouterr().err


def test_a_name_belongs_to_one_configuration(finished: Result, copy: Path) -> None:
    settings = again(finished, name="copy", runs_dir=str(copy.parent))
    assert nlcore.run(quiet=True, **settings).status == "done"
    with pytest.raises(
        nlcore.UserError, match=r"copy is a different run: .*loss.*optimizer\.lr is 0\.1 there, 0\.2 here.*--name"
    ):
        nlcore.run(quiet=True, **{**settings, "lr": 0.2, "loss": "gce"})
    assert summary(copy)["loss"] == "cross_entropy"


@pytest.mark.slow
def test_starting_over_takes_another_directory(finished: Result, copy: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in copy.iterdir()}
    settings = again(finished, name="copy", runs_dir=str(copy.parent))
    result = nlcore.run(quiet=True, fresh=True, **settings)
    assert result.run_dir == copy.parent / "copy-2"
    assert same_weights(result.run_dir, copy)
    assert {path: path.stat().st_mtime_ns for path in copy.iterdir()} == before


@pytest.mark.slow
def test_runs_of_other_settings_data_or_labels_have_directories_of_their_own() -> None:
    names = {
        plan_only(resolve({**TINY, **more}), Terminal(quiet=True))["run"]
        for more in ({}, {"lr": 0.2}, {"noise_seed": 2}, {"noise.rate": 0.4}, {"validation": 0.1}, {"batch_size": 64})
    }
    assert len(names) == 6
    places = ({"data_dir": "elsewhere"}, {"no_download": True}, {"checkpoint_every": 2})
    assert {plan_only(resolve({**TINY, **more}), Terminal(quiet=True))["run"] for more in places} <= names


# ----------------------------------------------------------------------------------- wrong input leaves nothing behind


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"batch_size": 1443}, r"batch_size = 1443.*1,442 images"),
        ({"batch_size": 1200, "validation": 0.5}, r"batch_size = 1200"),
        ({"device": "cuda:99"}, r"device = cuda:99: there is .*--device cpu"),
        ({"device": "gpu"}, "device = gpu: must be auto, cpu, cuda or cuda:N"),
        ({"threads": "0"}, "threads = 0: must be auto or a whole number"),
        ({"threads": "all"}, "threads = all"),
        ({"validation": 0.0001}, "validation = 0.0001: .*less than one image"),
        ({"dataset": "cifar10", "no_download": True, "data_dir": "nowhere"}, "CIFAR-10 is not there"),
    ],
)
def test_wrong_input_is_said_and_no_directory_is_made(settings: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(nlcore.UserError, match=said):
        run(**settings)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_batch_may_be_the_whole_training_set() -> None:
    assert run(batch_size=1442).status == "done"


def test_runs_cannot_be_put_into_a_file(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("notes")
    with pytest.raises(nlcore.UserError, match="runs is a file"):
        run()
    assert (tmp_path / "runs").read_text() == "notes"


def test_runs_cannot_be_put_where_nothing_may_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(nlcore.UserError, match="no permission to write"):
        run()
    assert list(tmp_path.iterdir()) == []


# -------------------------------------------------------------------------------------------- runs that do not end well


@pytest.mark.usefixtures("trouble")
def test_a_run_that_diverges_says_so_and_is_not_run_again(capsys: pytest.CaptureFixture[str]) -> None:
    result = run(loss="diverging", epochs=3)
    assert result.status == "diverged"
    assert result.message is not None
    assert "epoch 2" in result.message
    assert "lower --lr" in result.message
    assert [row["epoch"] for row in result.metrics] == [1]
    assert result.test_accuracy["last"] == result.metrics[0]["test_accuracy"]
    assert not (result.run_dir / "weights.safetensors").exists()
    assert nlcore.run(**{**TINY, "loss": "diverging", "epochs": 3}) == result
    assert "this run is diverged already" in capsys.readouterr().err


def test_a_learning_rate_that_is_far_too_high_diverges() -> None:
    result = run(lr=1e12)
    assert result.status == summary(result.run_dir)["status"] == "diverged"
    assert result.test_accuracy["last"] is None


@pytest.mark.slow
@pytest.mark.usefixtures("trouble")
def test_a_run_that_is_stopped_says_so_and_goes_on_to_the_same_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STOP", "1")
    with pytest.raises(KeyboardInterrupt):
        run(loss="stopped", epochs=3, name="mine")
    mine = tmp_path / "runs" / "mine"
    assert summary(mine)["status"] == "interrupted"
    assert "epoch 1" in summary(mine)["message"]
    assert summary(mine)["test_accuracy"]["last"] == Result.read(mine).metrics[0]["test_accuracy"]
    assert [row["epoch"] for row in Result.read(mine).metrics] == [1]
    with pytest.raises(nlcore.UserError, match=r"no trained weights \(status: interrupted\)"):
        nlcore.load(mine)
    monkeypatch.delenv("STOP")
    result = run(loss="stopped", epochs=3, name="mine")
    assert (result.status, result.message) == ("done", None)
    assert [row["epoch"] for row in result.metrics] == [1, 2, 3]
    straight = run(loss="stopped", epochs=3, name="straight")
    assert same_weights(result.run_dir, straight.run_dir)
    assert result.test_accuracy == straight.test_accuracy


@pytest.mark.slow
@pytest.mark.usefixtures("trouble")
def test_a_run_that_fails_says_why(tmp_path: Path) -> None:
    who = r"The loss trouble-plugin/broken \(version 1\.0\) failed in Broken\.second: ZeroDivisionError: no such luck\."
    with pytest.raises(nlcore.ComponentError, match=who + ".*epoch 1 is intact.*nl resume") as error:
        run(loss="broken", epochs=3, name="mine")
    assert isinstance(error.value.__cause__.__cause__, ZeroDivisionError)  # type: ignore[union-attr]
    content = summary(tmp_path / "runs" / "mine")
    assert content["status"] == "failed"
    assert "no such luck" in content["message"]
    with pytest.MonkeyPatch.context() as strict:
        strict.setenv("NL_STRICT", "1")
        with pytest.raises(ZeroDivisionError):  # as it is, for whoever mends the plugin
            run(loss="broken", epochs=3, name="other")


# --------------------------------------------------------------------------------------------------- plan and oracles


def plan(**settings: Any) -> dict[str, str]:
    """Return what would happen."""
    return plan_only(resolve({**TINY, **settings}), Terminal(quiet=True))


def test_a_plan_says_what_will_happen_and_writes_nothing(tmp_path: Path) -> None:
    said = plan(validation=0.2, strategy="mixup", epochs=2)
    assert "355 test images" in said["data"]
    assert "8×8×1" in said["data"]
    assert "45.00% declared" in said["noise"]
    assert "2 epochs, batches of 128" in said["training"]
    assert "cpu, fp32, 1 thread" in said["hardware"]
    assert "oracle" not in said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_method_that_is_told_the_noise_rate_is_an_oracle(capsys: pytest.CaptureFixture[str]) -> None:
    result = nlcore.run(**TINY, strategy="co_teaching")
    assert result.oracles == ("noise rate",)
    assert summary(result.run_dir)["oracles"] == ["noise rate"]
    assert any(line.startswith("oracle") and "noise rate" in line for line in capsys.readouterr().err.splitlines())


@pytest.mark.slow
def test_a_method_that_is_told_nothing_is_none() -> None:
    said = plan(strategy="co_teaching", **{"strategy.forget_rate": 0.2})
    assert "oracle" not in said
    assert "2 networks" in said["architecture"]
    assert "noise rate" in plan(strategy="co_teaching")["oracle"]


@pytest.mark.slow
def test_progress_goes_to_stderr_and_quiet_is_quiet(capfd: pytest.CaptureFixture[str]) -> None:
    nlcore.run(**TINY, seed=11)
    loud = capfd.readouterr()
    assert loud.out == ""
    assert "epoch 1/1" in loud.err
    assert "digits" in loud.err
    run(seed=12)
    assert capfd.readouterr() == ("", "")


#: A strategy that has something to say when it is made and in its second epoch, whose second pass is empty.
TALKER = """
import torch
from nlcore import Component, hookimpl
from nlcore.contracts import Pass

NLCORE_API = 1

class Talker:
    def setup(self, ctx):
        self.ctx, self.network = ctx, ctx.network()
        self.loss = ctx.loss(self.network)
        self.optimizer = ctx.optimizer(self.network, self.loss)
        ctx.report("talker: few epochs")

    def begin_epoch(self, epoch):
        if epoch == 2:
            self.ctx.report("talker: halfway")

    def passes(self, epoch):
        return [Pass()] if epoch == 1 else [Pass(), Pass(indices=torch.zeros(0, dtype=torch.int64))]

    def step(self, batch):
        losses = self.loss(self.network(batch.images), batch.targets, batch.index)
        return self.ctx.minimise(self.optimizer, losses.mean())

    def predict(self, images):
        return self.network(images)

@hookimpl
def nl_strategies():
    return [Component("talker", "talker:Talker", "Says things.")]
"""


@pytest.mark.slow
def test_what_a_method_says_is_kept_with_the_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    install_plugin(monkeypatch, tmp_path, "talker", TALKER)
    result = nlcore.run(**{**TINY, "strategy": "talker", "epochs": 2})
    said = ["talker: few epochs", "talker: halfway", "epoch 2: pass 2 of 2 has no samples"]
    shown = capsys.readouterr().err
    assert all(text in shown for text in said)
    assert json.loads((result.run_dir / "environment.json").read_text())["notes"] == said
    nlcore.resume(result.run_dir, epochs=3)
    assert json.loads((result.run_dir / "environment.json").read_text())["notes"] == [
        *said,
        "epoch 3: pass 2 of 2 has no samples",
    ]


#: An architecture whose weights want images with another mean and deviation than the dataset's.
NORMALISED = """
from nlcore import Component, hookimpl
from nlcore.testing.toy import TinyNet

NLCORE_API = 1

class Tiny:
    normalisation = ((0.25,), (0.5,))

    def build(self, num_classes, image_shape):
        network = TinyNet(num_classes, image_shape[0])
        network.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
        return network

class Coloured(Tiny):
    normalisation = ((0.5, 0.5, 0.5), (0.2, 0.2, 0.2))

seen = []

@hookimpl
def nl_architectures():
    return [Component("tiny_normalised", "normalised:Tiny", "Wants its own normalisation."),
            Component("coloured", "normalised:Coloured", "Wants coloured images.")]
"""


def test_images_are_normalised_as_the_network_wants(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    install_plugin(monkeypatch, tmp_path, "normalised", NORMALISED)
    settings = {key: value for key, value in TINY.items() if key != "architecture.width"}
    result = nlcore.run(**{**settings, "architecture": "tiny_normalised", "augmentation": "none"})
    seen = sys.modules["normalised"].seen
    pixels = seen[0] * 0.5 + 0.25
    assert torch.allclose(pixels * 255, (pixels * 255).round(), atol=1e-3)
    about = json.loads((result.run_dir / "model.json").read_text())
    assert (about["mean"], about["std"]) == ([0.25], [0.5])
    images = np.asarray(nlcore.dataset("digits").test.images)[:2]
    seen.clear()
    nlcore.load(result.run_dir).predict(images)
    torch.testing.assert_close(seen[0], (torch.from_numpy(images).permute(0, 3, 1, 2) / 255 - 0.25) / 0.5)
    with pytest.raises(nlcore.UserError, match="wants images of 3 channels"):
        nlcore.run(**{**settings, "architecture": "coloured"})


@pytest.mark.slow
def test_a_strong_view_that_is_the_weak_one_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    asked = {**TINY, "strategy": "two_views", "epochs": 2}
    same: dict[str, Any] = {"strong": "crop_flip", "strong.padding": 1, "strong.flip": False}
    nlcore.run(**asked, **same)
    assert capsys.readouterr().err.count("strong view is the weak one") == 1
    nlcore.run(**asked, strong="crop_flip+cutout")
    nlcore.run(**{**TINY, "strategy": "standard", **same})
    assert "strong view is the weak one" not in capsys.readouterr().err


@pytest.mark.slow
def test_the_plan_shows_a_strong_view_that_is_asked_for_or_changed() -> None:
    assert "strong" not in plan(strategy="mixup")["augmentation"]
    assert "strong: crop_flip (padding 1, flip false) + randaugment (" in plan(strategy="two_views")["augmentation"]
    assert "strong" not in plan(strategy="two_views", **{"strategy.lambda_c": 0.0})["augmentation"]
    assert "m 25" in plan(strategy="two_views", **{"strong.m": 25})["augmentation"]
    assert "m 25" in plan(strategy="mixup", **{"strong.m": 25})["augmentation"]
    assert "strong" in plan(strategy="divide_mix", **{"strategy.views": "strong"})["augmentation"]


@pytest.mark.slow
@pytest.mark.parametrize("name", [one.name for one in registry().of_kind("strategy")])
def test_strategies_that_ask_for_the_strong_view_say_so(name: str) -> None:
    strategy = nlcore.create("strategy", name)
    phases: tuple[dict[str, Any], ...] = getattr(strategy, "checked_with", ({},))
    for own in phases:
        asked: list[str] = []
        experiment = resolve({**TINY, "epochs": 3, "strategy": name, **{f"strategy.{k}": v for k, v in own.items()}})
        trainer = build(experiment, load_data(experiment, print))
        iterate = trainer.batches.iterate

        def watched(one: Pass, *where: Any, iterate: Any = iterate, asked: list[str] = asked) -> Any:
            asked.extend([*one.view_names, *(one.paired.view_names if one.paired else ())])
            return iterate(one, *where)

        trainer.batches.iterate = watched  # type: ignore[method-assign,assignment]
        trainer.run([])
        assert "weak" in asked or "strong" in asked
        assert ("strong" in asked) == getattr(trainer.strategy, "asks_for_strong", False)


@pytest.mark.slow
def test_true_labels_that_a_strategy_does_not_read_are_no_oracle(capsys: pytest.CaptureFixture[str]) -> None:
    assert "oracle" not in plan(trusted=20)
    nlcore.run(**TINY, trusted=20)
    assert "does not use the 20 images whose true labels" in capsys.readouterr().err
