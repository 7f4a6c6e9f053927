"""Which runs a study has: combinations, ranges, a study's file, and what is refused."""

from __future__ import annotations

import itertools
import pickle
import shlex
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from helpers import install_plugin, plugin_source

from nlcore.errors import UserError
from nlcore.studies.grid import Cell, Grid, axis, read_study, split
from nlcore.textfiles import TextInFile


def study(tmp_path: Path, text: str) -> Grid:
    (tmp_path / "study.toml").write_text(text)
    return read_study(tmp_path / "study.toml")


def typed(given: dict[str, object], file: Grid | None = None) -> tuple[dict[str, object], dict[str, Sequence[object]]]:
    """Return what a command line gives once, and what it gives several times."""
    return split(given, file or Grid())


def settings(cell: Cell) -> dict[str, object]:
    return {key: value for layer in cell.layers for key, value in layer.items()}


def test_every_combination_is_a_run_and_seeds_vary_first() -> None:
    once, axes = typed({"seed": "1-2", "loss": "gce,elr", "noise.rate": "0.2,0.5", "epochs": "3"})
    cells = Grid().over(once, axes).cells()
    assert [settings(cell) for cell in cells] == [
        {"loss": loss, "noise.rate": rate, "seed": seed, "epochs": "3"}
        for loss, rate, seed in itertools.product(("gce", "elr"), ("0.2", "0.5"), ("1", "2"))
    ]
    assert [cell.name for cell in cells][1] == "loss gce, noise.rate 0.2, seed 2"


def test_a_run_of_a_study_is_asked_for_as_nl_run_would() -> None:
    """So that each recognises the other's."""
    once, axes = typed({"seed": "1-2", "epochs": "3"})
    assert [cell.layers for cell in Grid().over(once, axes).cells()] == [
        ({"seed": "1", "epochs": "3"},),
        ({"seed": "2", "epochs": "3"},),
    ]


def test_ranges_are_of_whole_numbers_alone() -> None:
    assert typed({"noise_seed": "1-3,7"})[1] == {"noise_seed": ["1", "2", "3", "7"]}
    assert typed({"loss.name": "1-3"})[0] == {"loss.name": "1-3"}
    assert axis("seed", "8-10") == [8, 9, 10]
    assert axis("seed", range(3)) == [0, 1, 2]
    assert axis("seed", np.arange(2)) == [0, 1]
    assert axis("seed", np.array(3)) == [3]


@pytest.mark.parametrize(
    "given",
    [
        {"lr_milestones": "0.5,0.75"},
        {"tracker": "csv,tensorboard"},
        {"runs_dir": "here, and there"},
        {"noise": "asymmetric", "noise.map": "0:1,1:0"},
        {"dataset": "image_folder", "dataset.mean": "0.5,0.5,0.5"},
        {"dataset": "csv", "dataset.separator": ","},
    ],
)
def test_a_value_that_has_commas_stays_one(given: dict[str, object]) -> None:
    assert typed(given) == (given, {})


COMPONENTS = """
from dataclasses import dataclass
from nlcore import parameter

@dataclass
class Loss:
    weights: str = parameter("equal", "of the classes, as 1,2,1", commas=True)
    powers: str = parameter("1,2", "of the terms")
    q: float = parameter(0.5, "a number")

    def __call__(self, logits, targets, index):
        raise NotImplementedError

@dataclass
class Augmentation:
    kinds: str = parameter("rotate", "what it does", commas=True)

    def draw(self, count, generator):
        raise NotImplementedError

    def apply(self, images, draws):
        raise NotImplementedError
"""


def test_a_plugin_says_what_has_commas(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hooks = {"nl_losses": {"weighted": "theirs:Loss"}, "nl_augmentations": {"any_of": "theirs:Augmentation"}}
    source = plugin_source(**hooks) + COMPONENTS
    install_plugin(monkeypatch, tmp_path, "theirs", source)
    own: dict[str, object] = {"loss.weights": "1,2", "loss.powers": "1,3"}
    assert typed({"loss": "weighted", **own}) == ({"loss": "weighted", **own}, {})
    assert typed({"loss": "gce,weighted", **own}) == (own, {"loss": ["gce", "weighted"]})
    assert typed({"loss": "weighted", "loss.q": "0.1,0.2"})[1] == {"loss.q": ["0.1", "0.2"]}
    in_a_row: dict[str, object] = {"augmentation": "crop_flip+any_of", "augmentation.any_of.kinds": "rotate,shear"}
    assert typed(in_a_row) == (in_a_row, {})
    assert typed(own)[0] == {}  # cross-entropy has no such parameters
    for file in ("loss = 'weighted'", "[grid]\nloss = ['gce', 'weighted']", "[[cell]]\nloss = 'weighted'"):
        assert typed(own, study(tmp_path, file)) == (own, {})


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"seed": "3-1"}, "smaller number"),
        ({"seed": "1-99999999"}, "smaller number"),
        ({"seed": "1,2,1"}, "1 is there 2 times"),
        ({"loss": "gce,,elr"}, "nothing stands between two commas"),
        ({"loss": ""}, "nothing stands between two commas"),
    ],
)
def test_slips_on_the_command_line(given: dict[str, object], said: str) -> None:
    with pytest.raises(UserError, match=said):
        typed(given)


def test_a_file_has_what_is_common_what_varies_and_what_goes_together(tmp_path: Path) -> None:
    grid = study(
        tmp_path,
        """
        dataset = "digits"
        runs-dir = "runs"
        [architecture]
        width = 4
        [grid]
        seed = "1-2"
        noise.rate = [0.2, 0.5]
        [[cell]]
        loss = "gce"
        [[cell]]
        strategy = {name = "divide_mix", warm-up = 1}
        """,
    )
    cells = grid.cells()
    common = {"dataset": "digits", "runs_dir": str(tmp_path / "runs"), "architecture.width": 4}
    wanted = [
        {**common, **variant, "noise.rate": rate, "seed": seed}
        for variant in ({"loss": "gce"}, {"strategy": "divide_mix", "strategy.warm_up": 1})
        for rate in (0.2, 0.5)
        for seed in (1, 2)
    ]
    assert [settings(cell) for cell in cells] == wanted
    assert cells[-1].name == "strategy divide_mix, strategy.warm_up 1, noise.rate 0.5, seed 2"


def test_the_command_line_goes_before_the_file(tmp_path: Path) -> None:
    grid = study(tmp_path, "epochs = 9\n[grid]\nseed = [1, 2]\nlr = [0.1, 0.2]\n[[cell]]\nloss = 'gce'\n")
    over = grid.over({"optimizer.lr": "0.5", "epochs": "1"}, {"seed": ["7", "8"]}).cells()
    assert [settings(cell) for cell in over] == [
        {"epochs": "1", "loss": "gce", "seed": seed, "optimizer.lr": "0.5"} for seed in ("7", "8")
    ]


def test_paths_in_a_file_are_relative_to_it_in_other_processes_too(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").touch()
    grid = study(tmp_path, "[grid]\nlabels = ['labels.csv', 'others.csv']\n")
    value = pickle.loads(pickle.dumps(grid.cells()[0].layers))[-1]["labels"]
    assert isinstance(value, TextInFile)
    assert (value, value.folder) == ("labels.csv", tmp_path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nope = 1", "There is no setting 'nope'"),
        ("[grid]\nsede = [1]", "Did you mean 'seed'"),
        ("[grid]\nseed = []", "no value in its list"),
        ("[grid]\nseed = [1, 1]", "1 is there 2 times"),
        ("seed = [1, 2]", r"write it into \[grid\]"),
        ("[cell]\nloss = 'gce'", "two brackets"),
        ("grid = 3", "is no table"),
        ("cell = [3]", "is no table"),
        ("[grid", "not valid TOML"),
    ],
)
def test_slips_in_a_file(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(UserError, match=said) as error:
        study(tmp_path, text).cells()
    assert "study.toml" in str(error.value)


@pytest.mark.parametrize(
    ("grid", "said"),
    [
        (Grid(axes={"name": ["a", "b"]}), "named by their content"),
        (Grid(fixed={"name": "a"}), "named by their content"),
        (Grid(axes={"runs_dir": ["a", "b"]}), "the same for all runs"),
        (Grid(axes={"seed": [1, 2]}, variants=[{"seed": 3}]), r"stands in a \[\[cell\]\] and varies"),
        (Grid(axes={"lr": [1, 2]}, variants=[{"optimizer.lr": 3}]), r"stands in a \[\[cell\]\] and varies"),
        (Grid(axes={"los": ["gce"]}), "There is no setting 'los'"),
    ],
)
def test_what_cannot_vary_is_refused(grid: Grid, said: str) -> None:
    with pytest.raises(UserError, match=said):
        grid.cells()


def test_the_command_of_a_run_can_be_typed() -> None:
    layers = ({"dataset": "digits", "deterministic": True, "no_download": False}, {"noise.file": "my labels.csv"})
    words = shlex.split(Cell({}, layers).command)
    flags = ["--deterministic", "--download"]
    assert words == ["nl", "run", "--dataset", "digits", *flags, "--noise.file", "my labels.csv"]


def test_the_command_of_a_run_means_that_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is true without being said is said to be false, files are those of the study, and plugins are loaded."""
    (tmp_path / "studies").mkdir()
    (tmp_path / "studies" / "labels.csv").touch()
    text = "labels = 'labels.csv'\ninit = 'none'\n[augmentation]\nflip = false\n[grid]\ndeterministic = [true, false]"
    (tmp_path / "my plugins").mkdir()
    (plugin := tmp_path / "my plugins" / "mine.py").write_text(plugin_source(nl_losses={"mine": "mine:Loss"}))
    monkeypatch.setenv("NL_PLUGIN_PATH", str(plugin))
    common = ["nl", "--plugin", str(plugin), "run", "--labels", str(tmp_path / "studies" / "labels.csv")]
    common += ["--init", "none", "--augmentation.flip", "false"]
    cells = study(tmp_path / "studies", text).cells()
    flags = ("--deterministic", "--no-deterministic")
    assert [shlex.split(cell.command) for cell in cells] == [[*common, one] for one in flags]
