"""The Python door, and what it costs to open it."""

from __future__ import annotations

import inspect
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import TINY

import nlcore

QUIET: dict[str, Any] = {**TINY, "quiet": True}

HEAVY = ("torch", "numpy", "matplotlib", "sklearn", "torchvision", "lightning_fabric", "PIL", "scipy")


def imported(code: str) -> set[str]:
    """Return which heavy packages a new Python has imported after this code."""
    report = f"import json, sys; print(json.dumps([name for name in {HEAVY} if name in sys.modules]))"
    done = subprocess.run([sys.executable, "-c", f"{code}\n{report}"], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize(
    "code",
    [
        "import nlcore",
        "import nlcore.host.registry; assert nlcore.host.registry.registry().find('architecture', 'resnet18')",
        "import nlcore, nlcore.config.experiment, nlcore.rundir.result, nlcore.parameters",
    ],
)
def test_what_is_heavy_is_not_imported_before_it_is_needed(code: str) -> None:
    assert imported(code) == set()


def test_what_is_heavy_would_be_noticed() -> None:
    assert imported("import numpy, PIL") == {"numpy", "PIL"}


@pytest.mark.parametrize(
    ("given", "count"),
    [({}, "1000"), ({"GOMP_SPINCOUNT": "7"}, "7"), ({"OMP_WAIT_POLICY": "ACTIVE"}, "None")],
)
def test_threads_that_wait_leave_their_core_to_others(given: dict[str, str], count: str) -> None:
    code = "import nlcore, os; print(os.environ.get('GOMP_SPINCOUNT'))"
    rest = {key: value for key, value in os.environ.items() if key not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")}
    done = subprocess.run(
        [sys.executable, "-c", code], env={**rest, **given}, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == count


def test_the_package_has_what_it_says() -> None:
    assert all(hasattr(nlcore, name) for name in nlcore.__all__)
    assert {"run", "load", "create", "Result", "Component", "hookimpl", "parameter", "UserError"} <= set(nlcore.__all__)
    assert nlcore.NLCORE_API == 1


def test_create_takes_parameters_as_keywords() -> None:
    assert nlcore.create("loss", "gce", q=0.3).q == 0.3
    assert nlcore.create("loss", "gce").q == 0.7
    assert nlcore.create("noise", "symmetric", rate="0.25", redraw="exclusive").rate == 0.25


@pytest.mark.parametrize(
    ("kind", "name", "params", "error", "said"),
    [
        ("loss", "gce", {"q": 2}, nlcore.ParameterError, r"loss\.q = 2: must be a number in \(0, 1\] \(def"),
        ("loss", "gce", {"beta": 2}, nlcore.ParameterError, r"loss\.beta.*It has q"),
        ("loss", "cross_entropy", {"q": 2}, nlcore.ParameterError, "It has none"),
        ("noise", "symmetric", {"redraw": "other"}, nlcore.ParameterError, "must be inclusive or exclusive"),
        ("loss", "resnet18", {}, nlcore.UserError, "no loss 'resnet18'"),
        ("model", "resnet18", {}, nlcore.UserError, "no kind 'model'"),
    ],
)
def test_create_says_what_is_wrong(
    kind: str, name: str, params: dict[str, Any], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        nlcore.create(kind, name, **params)


def test_run_takes_a_recipe_and_what_else_is_given_goes_before_it(tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.toml"
    recipe.write_text('lr = 0.05\nseed = 4\nnoise-seed = 9\n[loss]\nname = "gce"\nq = 0.4\n[noise]\nrate = 0.2\n')
    settings = {**QUIET, "seed": 6, "runs_dir": tmp_path / "elsewhere", "name": "mine", "loss.q": 0.6}
    result = nlcore.run(recipe, **settings)
    assert result.run_dir == tmp_path / "elsewhere" / "mine"
    assert (result.seed, result.noise_seed, result.components["loss"]) == (6, 9, "gce")
    config = (result.run_dir / "config.toml").read_text()
    assert "lr = 0.05" in config
    assert "q = 0.6" in config
    assert "rate = 0.2" in config


@pytest.mark.slow
def test_paths_may_be_text(tmp_path: Path) -> None:
    result = nlcore.run(**QUIET, runs_dir=str(tmp_path / "text"), seed=7)
    assert result.run_dir.parent == tmp_path / "text"
    assert isinstance(result.run_dir, os.PathLike)
    model = nlcore.load(str(result.run_dir))
    assert model.predict(np.zeros((1, 8, 8, 1), np.uint8)).shape == (1, 10)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"epoch": 3}, "Did you mean 'epochs'"),
        ({"epochs": 0}, "epochs = 0: must be a whole number at least 1"),
        ({"loss": "gec"}, "no loss 'gec'"),
        ({"loss.beta": 1}, "loss 'cross_entropy' has no parameter 'beta'"),
        ({"loss_q": 0.7}, r"Did you mean 'loss\.q' \(in Python: \*\*\{'loss\.q': \.\.\.\}\)"),
        ({"learning_rate": 0.7}, "Did you mean 'lr'"),
        ({"alpha": 0.2}, r"parameter of components: .*'strategy\.alpha' .* of .*mixup"),
        ({"loss": {"name": "gce", "q": 0.7}}, r"loss='gce', \*\*\{'loss\.q': 0\.7\}"),
        ({"loss": nlcore.create("loss", "gce")}, r"loss: give its name.*docs/plugins\.md"),
        ({"noise": 0.4}, "noise: give its name"),
    ],
)
def test_run_says_what_is_wrong(settings: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(nlcore.UserError, match=said):
        nlcore.run(**{**QUIET, **settings})
    assert list(tmp_path.iterdir()) == []


def test_run_says_which_recipe_is_not_there() -> None:
    with pytest.raises(nlcore.UserError, match=r"no recipe missing\.toml"):
        nlcore.run("missing.toml")


def test_every_door_is_documented_and_typed() -> None:
    for door in (nlcore.run, nlcore.load, nlcore.create):
        assert inspect.getdoc(door)
        assert inspect.signature(door).return_annotation is not inspect.Signature.empty


LOSS = """
from nlcore import Component, hookimpl

NLCORE_API = 1


@hookimpl
def nl_losses():
    return [Component("of_a_cell", "cell_of_mine:OfACell", "A loss that a notebook's cell wrote.")]


class OfACell:
    def __call__(self, logits, targets, index=None):
        return FACTOR * logits.logsumexp(1)


FACTOR = 1
"""


@pytest.fixture
def cell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return a file with a loss, which is used nowhere else."""
    monkeypatch.setenv("NL_PLUGIN_PATH", "")
    file = tmp_path / "cell_of_mine.py"
    file.write_text(LOSS)
    yield file
    sys.modules.pop("cell_of_mine", None)


def test_a_file_is_a_plugin_and_after_an_edit_the_edited_one(cell: Path) -> None:
    import torch

    def value() -> float:
        return float(nlcore.create("loss", "of_a_cell")(torch.zeros(1, 1), torch.zeros(1, dtype=torch.int64)) + 1)

    nlcore.use_plugin(cell)
    assert value() == 1.0
    cell.write_text(LOSS.replace("FACTOR * logits.logsumexp(1)", "logits.sum(1) + 6"))
    assert value() == 1.0  # until it is said
    nlcore.use_plugin(cell.name)  # from the working directory
    assert value() == 7.0
    assert os.environ["NL_PLUGIN_PATH"] == str(cell)


@pytest.mark.slow
def test_an_edited_loss_is_another_run(cell: Path) -> None:
    nlcore.use_plugin(cell)
    first = nlcore.run(**QUIET, loss="of_a_cell")
    cell.write_text(LOSS.replace("FACTOR = 1", "FACTOR = 2"))
    nlcore.use_plugin(cell)
    second = nlcore.run(**QUIET, loss="of_a_cell")
    losses = [one.metrics[0]["train_loss"] for one in (first, second)]
    assert first.run_dir != second.run_dir
    assert losses[1] != pytest.approx(losses[0])


def test_a_file_that_does_not_work_is_no_plugin_and_others_still_are(cell: Path, tmp_path: Path) -> None:
    other = tmp_path / "other_of_mine.py"
    other.write_text(LOSS.replace("of_a_cell", "of_another").replace("cell_of_mine", "other_of_mine"))
    nlcore.use_plugin(other)
    nlcore.use_plugin(cell)
    cell.write_text("this is no Python")
    with pytest.raises(nlcore.PluginError, match=r"cell_of_mine\.py cannot be loaded: SyntaxError"):
        nlcore.use_plugin(cell)
    assert nlcore.create("loss", "of_another")
    with pytest.raises(nlcore.UserError, match="There is no loss 'of_a_cell'"):
        nlcore.create("loss", "of_a_cell")
    with pytest.raises(nlcore.PluginError, match="there is no such file"):
        nlcore.use_plugin("missing.py")
    sys.modules.pop("other_of_mine")


def test_samples_are_those_of_the_command() -> None:
    from click.testing import CliRunner

    from nlcore.cli.main import cli
    from nlcore.rundir.plots import as_png

    words = ["samples", "--dataset", "digits", "--noise-seed", "3", "-o", "sheet.png", "--quiet"]
    assert CliRunner().invoke(cli, words, prog_name="nl").exit_code == 0
    sheet = nlcore.samples(dataset="digits", noise_seed=3, epochs=7, quiet=True)
    assert as_png(sheet) == Path("sheet.png").read_bytes()
    with pytest.raises(nlcore.UserError, match="There is no noise 'symetric'"):
        nlcore.samples(dataset="digits", noise="symetric")
