"""``nl run``: what it prints, writes and refuses."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

KEYS = {
    "run_dir", "status", "dataset", "noise", "architecture", "loss", "strategy", "seed", "noise_seed", "epochs",
    "noise_rate", "test_accuracy", "seconds", "images_per_second",
}  # fmt: skip


def test_json_is_the_last_line_of_stdout(nl: Any, tiny: tuple[str, ...]) -> None:
    done = nl("run", *tiny, "--loss", "gce", "--loss.q=0.5", "--json")
    assert done.code == 0
    assert done.json.keys() >= KEYS
    assert done.json["test_accuracy"].keys() == {"last", "mean_last_10", "selected", "best_oracle"}
    assert (done.json["status"], done.json["loss"], done.json["epochs"]) == ("done", "gce", 1)
    assert 0.4 < done.json["noise_rate"] < 0.5
    assert 0 <= done.json["test_accuracy"]["last"] <= 1
    config = (Path(done.json["run_dir"]) / "config.toml").read_text()
    assert "q = 0.5" in config


@pytest.mark.slow
def test_the_plan_comes_first_and_messages_go_to_stderr(nl: Any, tiny: tuple[str, ...]) -> None:
    done = nl("run", *tiny)
    for word in ("data ", "noise ", "architecture ", "loss ", "strategy ", "training ", "hardware ", "epoch 1/1"):
        assert word in done.err
    assert "1 thread" in done.err
    assert "fp32" in done.err
    assert "test accuracy" in done.out
    assert nl("run", *tiny, "--seed", "2", "--quiet").err == ""


@pytest.mark.slow
def test_an_oracle_is_named(nl: Any, tiny: tuple[str, ...]) -> None:
    told = nl("run", *tiny, "--strategy", "co_teaching", "--dry-run")
    assert "oracle" in told.out
    assert "noise rate" in told.out
    given = nl("run", *tiny, "--strategy", "co_teaching", "--strategy.forget_rate", "0.4", "--dry-run")
    assert "oracle" not in given.out


@pytest.mark.slow
def test_dry_run_writes_nothing(nl: Any, tiny: tuple[str, ...], tmp_path: Path) -> None:
    plan = nl("run", *tiny, "--dry-run")
    assert plan.code == 0
    assert "45.08% of the labels wrong" in plan.out
    assert re.search(r"^time +about \d", plan.out, re.MULTILINE)
    assert list(tmp_path.iterdir()) == []
    as_json = nl("run", *tiny, "--dry-run", "--json")
    assert as_json.json["config"]["dataset"]["name"] == "digits"


@pytest.mark.slow
def test_a_finished_run_is_reported(nl: Any, tiny: tuple[str, ...]) -> None:
    first = nl("run", *tiny, "--json").json
    written = (Path(first["run_dir"]) / "metrics.jsonl").read_bytes()
    again = nl("run", *tiny, "--json")
    assert again.code == 0
    assert again.json == first
    assert "already" in again.err
    assert (Path(first["run_dir"]) / "metrics.jsonl").read_bytes() == written


@pytest.mark.slow
def test_fresh_starts_over_in_a_directory_of_its_own(nl: Any, tiny: tuple[str, ...]) -> None:
    first, second = nl("run", *tiny, "--json").json, nl("run", *tiny, "--fresh", "--json").json
    assert second["run_dir"] == first["run_dir"] + "-2"
    assert second["test_accuracy"] == first["test_accuracy"]


@pytest.mark.slow
def test_a_name_that_stands_for_something_else_is_refused(nl: Any, tiny: tuple[str, ...]) -> None:
    nl("run", *tiny, "--name", "mine")
    refused = nl("run", *tiny, "--name", "mine", "--lr", "0.2")
    assert refused.code == 2
    assert "optimizer.lr is 0.1 there, 0.2 here" in refused.err
    assert "--fresh" in refused.err


@pytest.mark.slow
def test_labels_from_a_file(nl: Any, tiny: tuple[str, ...]) -> None:
    first = nl("run", *tiny, "--noise-seed", "7", "--json").json
    again = nl("run", *tiny, "--labels", f"{first['run_dir']}/labels.npz", "--json").json
    assert again["noise"] == "stored"
    for key in ("labels_sha256", "noise_rate", "test_accuracy"):
        assert again[key] == first[key]


def test_divergence_is_said_and_exits_1(nl: Any, tiny: tuple[str, ...]) -> None:
    wild = nl("run", *tiny, "--lr", "1e30", "--json")
    assert wild.code == 1
    assert wild.json["status"] == "diverged"
    assert wild.json["test_accuracy"]["last"] is None
    again = nl("run", *tiny, "--lr", "1e30")
    assert again.code == 1
    assert "diverged" in again.out


@pytest.mark.slow
def test_recipe_and_command_line(nl: Any, tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(
        'dataset = "digits"\nepochs = 3\nbatch-size = 64\nthreads = "1"\n'
        '[loss]\nname = "soft_bootstrap"\nbeta = 0.9\n[noise]\nname = "symmetric"\nrate = 0.2\n'
    )
    plan = nl("run", str(recipe), "--epochs", "2", "--loss.beta", "0.8", "--dry-run", "--json").json["config"]
    assert (plan["epochs"], plan["batch_size"], plan["noise"]["rate"]) == (2, 64, 0.2)
    assert plan["loss"] == {"name": "soft_bootstrap", "beta": 0.8, "detach": True}
    other = nl("run", str(recipe), "--loss", "hard_bootstrap", "--dry-run", "--json").json["config"]
    assert other["loss"] == {"name": "hard_bootstrap", "beta": 0.8}


@pytest.mark.parametrize(
    ("recipe", "words", "said"),
    [
        ("decay_weights_only = true", ("--no-decay-weights-only",), "no decay of biases"),
        ("sampling = 'balanced'", ("--sampling", "shuffled"), "classes balanced"),
    ],
)
def test_the_command_line_switches_off_what_a_recipe_switches_on(
    recipe: str, words: tuple[str, ...], said: str, nl: Any, tiny: tuple[str, ...], tmp_path: Path
) -> None:
    (tmp_path / "mine.toml").write_text(recipe)
    on, off = (nl("run", "mine.toml", *tiny, "--dry-run", *more) for more in ((), words))
    assert (on.code, said in on.out) == (0, True)
    assert (off.code, said in off.out) == (0, False)


def test_help_shows_what_the_chosen_components_give(nl: Any, tmp_path: Path) -> None:
    text = nl("run", "--loss", "gce", "--strategy", "mixup", "--help").out
    assert "--loss.q FLOAT" in text
    assert "--strategy.alpha FLOAT" in text
    assert "--loss.beta" not in text
    recipe = tmp_path / "recipe.toml"
    recipe.write_text('epochs = 7\n[loss]\nname = "soft_bootstrap"\nbeta = 0.6\n')
    text = nl("run", str(recipe), "--help").out
    assert "[7]" in text
    assert "[0.6]" in text


WRONG = [
    (("--loss", "sof_bootstrap"), ["sof_bootstrap", "soft_bootstrap", "nl list-plugins --kind loss"]),
    (("--loss.bta", "0.5", "--loss", "soft_bootstrap"), ["loss.bta", "'beta'"]),
    (("--loss", "gce", "--loss.q", "7"), ["loss.q", "7", "(0, 1]"]),
    (("--loss", "gce", "--loss.q", "much"), ["loss.q", "much", "a number"]),
    (("--loss", "gce", "--loss.q"), ["loss.q = True", "must be a number"]),
    (("--loss", "gce", "--loss.q", "--epochs", "1"), ["loss.q = True", "must be a number"]),
    (("--noise.rate", "1.2"), ["noise.rate", "1.2", "[0, 1]"]),
    (("--noise.rate", "nan"), ["noise.rate", "nan"]),
    (("--noise.redraw", "both"), ["noise.redraw", "inclusive", "exclusive"]),
    (("--epochs", "0"), ["epochs", "0", "at least 1"]),
    (("--epochs", "two"), ["epochs", "two", "whole number"]),
    (("--batch-size", "5000"), ["batch_size", "5000", "1,442"]),
    (("--validation", "1"), ["validation", "[0, 1)"]),
    (("--lr-schedule", "stepp"), ["lr_schedule", "one_cycle"]),
    (("--device", "cuda:99"), ["cuda:99", "--device cpu"]),
    (("--device", "tpu"), ["tpu", "cuda:N"]),
    (("--threads", "0"), ["threads", "auto"]),
    (("--threads", "9999"), ["threads", "9999", "processors"]),
    (("--name", "a/b"), ["name", "a/b"]),
    (("--name", ".."), ["name", "folder"]),
    (("--name", "x" * 300), ["name", "200"]),
    (("--runs-dir", "x" * 300), ["run directory"]),
    (("--validation", "0.999"), ["validation", "nothing to train on"]),
    (("--labels", ""), ["no file of labels"]),
    (("--labels", "x.npz", "--noise", "none"), ["labels", "leave --noise"]),
    (("--precision", "fp16"), ["precision", "bf16"]),
    (("--epoch", "3"), ["--epoch", "--epochs"]),
    (("missing.toml",), ["missing.toml"]),
    (("--strategy", "co_teaching", "--noise", "symmetric", "--strategy.forget_rate", "1"), ["forget_rate", "[0, 1)"]),
]


@pytest.mark.parametrize(("words", "said"), WRONG, ids=[" ".join(words) for words, _ in WRONG])
def test_bad_input_gets_a_sentence_and_exit_code_2(nl: Any, words: tuple[str, ...], said: list[str]) -> None:
    refused = nl("run", "--dataset", "digits", *words)
    assert refused.code == 2
    assert all(word in refused.err for word in said), refused.err
    assert "Traceback" not in refused.err
    assert not Path("runs").exists()


def test_bad_recipes(nl: Any, tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.toml"
    for text, said in (
        ("epochs = 3\nlr = = 2\n", "line 2"),
        ("epoch = 3\n", "epochs"),
        ("[los]\nname = 'gce'\n", "[loss]"),
        ("[loss]\nname = 'gce'\nqq = 1\n", "qq"),
        ("epochs = true\n", "epochs"),
        ("loss = 3\n", "loss"),
    ):
        recipe.write_text(text)
        refused = nl("run", str(recipe))
        assert refused.code == 2, text
        assert said in refused.err, refused.err


@pytest.mark.slow
def test_a_recipe_may_give_labels_and_a_number_of_threads(nl: Any, tiny: tuple[str, ...], tmp_path: Path) -> None:
    first = nl("run", *tiny, "--json").json
    (tmp_path / "recipe.toml").write_text(
        f'labels = "{first["run_dir"]}/labels.npz"\nthreads = 1\nepochs = 1\ndataset = "digits"\n'
    )
    plan = nl("run", "recipe.toml", "--dry-run", "--json").json
    assert plan["config"]["threads"] == "1"
    assert plan["config"]["noise"]["file"] == str(tmp_path / first["run_dir"] / "labels.npz")


def test_debug_shows_the_traceback_and_keeps_the_exit_code(nl: Any) -> None:
    refused = nl("run", "--dataset", "digits", "--epochs", "0", "--debug")
    assert refused.code == 2
    assert "Traceback" in refused.err


def test_a_dry_run_downloads_nothing(nl: Any, tmp_path: Path) -> None:
    refused = nl("run", "--data-dir", str(tmp_path / "empty"), "--dry-run")
    assert refused.code == 2
    assert not (tmp_path / "empty").exists()


def test_runs_dir_that_is_a_file(nl: Any, tiny: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for place in ("file", "file/below"):
        assert nl("run", *tiny, "--runs-dir", place, "--dry-run").code == 2
        refused = nl("run", *tiny, "--runs-dir", place)
        assert refused.code == 2
        assert "is a file" in refused.err
        assert "--runs-dir" in refused.err


def test_cifar10_that_is_not_there(nl: Any, tmp_path: Path) -> None:
    refused = nl("run", "--data-dir", str(tmp_path / "nowhere"), "--no-download")
    assert refused.code == 2
    assert str(tmp_path / "nowhere") in refused.err
    assert "--data-dir" in refused.err


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_ends_a_run_cleanly_with_130(number: signal.Signals, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "nlcore", "run", "--dataset", "digits", "--epochs", "500", "--threads", "1"]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    assert process.stderr
    seen = []
    for line in process.stderr:
        seen.append(line)
        if line.startswith("epoch 2/"):
            break
    process.send_signal(number)
    process.wait()
    assert process.returncode == 130, seen
    (run_dir,) = (tmp_path / "runs").iterdir()
    summary = json.loads((run_dir / "summary.json").read_text())
    assert summary["status"] == "interrupted"
    said = process.stderr.read()
    assert "Traceback" not in said
    assert "batches since the checkpoint of epoch" in said
    assert f"nl resume {Path('runs') / run_dir.name}" in said


@pytest.mark.cifar10
@pytest.mark.slow
def test_real_cifar10_learns(nl: Any, cifar10_dir: Path) -> None:
    options = ("--architecture.width", "8", "--dataset.per_class", "200", "--noise.rate", "0.2", "--epochs", "4")
    done = nl("run", "--data-dir", str(cifar10_dir), *options, "--lr-schedule", "one_cycle", "--threads", "1", "--json")
    assert done.code == 0
    assert done.json["noise_rate"] == pytest.approx(0.18, abs=0.02)
    assert done.json["test_accuracy"]["last"] > 0.25  # chance is 0.1


@pytest.mark.slow
@pytest.mark.cifar10
def test_the_plan_of_the_default_run(nl: Any, cifar10_dir: Path) -> None:
    plan = nl("run", "--data-dir", str(cifar10_dir), "--threads", "1", "--dry-run").out
    data = ("20,000 training", "10,000 test", "32×32×3", "45.00% declared", "airplane 2,050")
    training = ("20 epochs, batches of 128", "sgd with lr 0.1, momentum 0.9, weight decay 0.0005 (constant)")
    for said in (*data, "11,173,962 weights", *training):
        assert said in plan


@pytest.mark.parametrize("words", [
    ("run", "--dataset", "image_folder", "--dataset.folder", "~nobody-at-all/x"),
    ("run", "--dataset", "digits", "--init", "~nobody-at-all/x"),
    ("run", "--data-dir", "~nobody-at-all/x", "--no-download"),
    ("run", "~nobody-at-all/recipe.toml"),
    ("--plugin", "~nobody-at-all/x.py", "list-plugins"),
    ("check", "~nobody-at-all/x.py"),
    ("predict", "~nobody-at-all/x", "a.png"),
    ("table", "~nobody-at-all/x"),
])  # fmt: skip
def test_the_home_of_an_unknown_user_is_a_place_that_is_not_there(nl: Any, words: tuple[str, ...]) -> None:
    refused = nl(*words)
    assert refused.code == 2
    assert "nobody-at-all" in refused.err.replace("\n", "")
