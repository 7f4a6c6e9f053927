"""What to run: layers of settings, their precedence and their checks, and the name of a run."""

from __future__ import annotations

import itertools
import re
from dataclasses import fields
from pathlib import Path

import pytest
import tomli_w
from helpers import install_plugin

import nlcore
from nlcore.config.experiment import Experiment, resolve
from nlcore.config.recipe import read_recipe
from nlcore.config.settings import SHORT_NAMES, Storage, TrainingSettings
from nlcore.errors import ParameterError
from nlcore.host.hookspecs import slots

#: A dataset with defaults of its own, and losses that share a parameter.
PLUGIN = """
from typing import Literal
from nlcore import Component, hookimpl

NLCORE_API = 1

class Photos:
    defaults = {"epochs": 7, "lr": 0.3, "noise": "none", "loss": "two", "loss.q": 0.25, "architecture.width": 24}

    def __init__(self, size: int = 9) -> None:
        pass

    def load(self, source):
        raise AssertionError("data were loaded")

class One:
    def __init__(self, q: float = 0.5, mode: Literal["a", "b"] = "a") -> None:
        pass

    def __call__(self, logits, targets, index=None):
        raise AssertionError

class Two(One):
    pass

class Tower:
    def build(self, num_classes, image_shape): ...

@hookimpl
def nl_datasets():
    return [Component("photos", "layers_plugin:Photos", "Photos.")]

@hookimpl
def nl_losses():
    return [Component("one", "layers_plugin:One", "One."), Component("two", "layers_plugin:Two", "Two.")]

@hookimpl
def nl_architectures():
    return [Component("tower", "layers_plugin:Tower", "No width.")]
"""


@pytest.fixture
def plugin(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    install_plugin(monkeypatch, tmp_path, "layers-plugin", PLUGIN)


def rate(experiment: Experiment) -> float:
    """Return the learning rate."""
    lr: float = experiment["optimizer"].params["lr"]
    return lr


# ------------------------------------------------------------------------------------------------------- precedence


def test_without_layers_there_are_the_defaults() -> None:
    experiment = resolve()
    assert {slot: selection.name for slot, selection in experiment.selections.items()} == {
        "dataset": "cifar10",
        "noise": "symmetric",
        "augmentation": "crop_flip",
        "strong": "crop_flip+randaugment+cutout",
        "architecture": "resnet18",
        "optimizer": "sgd",
        "loss": "cross_entropy",
        "strategy": "standard",
        "tracker": "none",
    }
    assert experiment.settings == TrainingSettings()
    assert experiment.storage == Storage()
    assert experiment["noise"].params == {"rate": 0.5, "redraw": "inclusive", "draws": "exact", "dialect": None}
    assert experiment["architecture"].params == {"width": 64, "init": "torch"}


def test_what_a_component_settles_itself_is_part_of_the_experiment() -> None:
    """A recipe of it says what was done, and gives the same experiment again."""
    experiment = resolve({"noise.dialect": "apl"})
    settled = {"rate": 0.5, "redraw": "exclusive", "draws": "exact_per_class", "dialect": "apl"}
    assert experiment["noise"].params == settled
    assert resolve({f"noise.{key}": value for key, value in settled.items()}) == experiment
    assert experiment.options() == {f"noise.{key}": settled[key] for key in ("redraw", "draws", "dialect")}


@pytest.mark.usefixtures("plugin")
def test_each_layer_goes_before_those_below() -> None:
    """Defaults < the dataset's own < first layer < second layer, for settings, components and parameters alike."""
    assert (resolve().settings.epochs, rate(resolve())) == (20, 0.1)
    below = resolve({"dataset": "photos"})
    assert (below.settings.epochs, rate(below), below["optimizer"].params["momentum"]) == (7, 0.3, 0.9)
    assert (below["noise"].name, below["loss"].name) == ("none", "two")
    assert dict(below["loss"].params) == {"q": 0.25, "mode": "a"}
    one = resolve({"dataset": "photos", "epochs": 3, "loss.q": 0.75})
    assert (one.settings.epochs, rate(one)) == (3, 0.3)
    assert dict(one["loss"].params) == {"q": 0.75, "mode": "a"}
    two = resolve(
        {"dataset": "photos", "epochs": 3, "lr": 0.2, "loss.q": 0.75, "loss.mode": "b"}, {"epochs": 5, "loss.q": 1}
    )
    assert (two.settings.epochs, rate(two)) == (5, 0.2)
    assert dict(two["loss"].params) == {"q": 1.0, "mode": "b"}


@pytest.mark.usefixtures("plugin")
def test_the_defaults_are_those_of_the_dataset_that_is_chosen_last() -> None:
    assert resolve({"dataset": "photos"}, {"dataset": "digits"}).settings.epochs == 20
    assert resolve({"dataset": "digits"}, {"dataset": "photos"}).settings.epochs == 7


def test_naming_another_component_drops_the_parameters_that_were_given_for_its_slot() -> None:
    below = {"loss": "soft_bootstrap", "loss.beta": 0.6, "noise.rate": 0.2}
    other = resolve(below, {"loss": "hard_bootstrap"})
    assert other["loss"].params["beta"] == 0.8  # its own default
    assert other["noise"].params["rate"] == 0.2  # another slot's stay
    assert resolve(below, {"loss": "hard_bootstrap", "loss.beta": 0.7})["loss"].params["beta"] == 0.7
    # It may even have no such parameter.
    assert resolve(below, {"loss": "cross_entropy"})["loss"].params == {}


def test_of_another_data_set_what_both_declare_alike_stays() -> None:
    """How images are read is the same thing for one's own images wherever they lie; which files they are is not."""
    below = {"dataset": "csv", "dataset.size": 100, "dataset.resize": "crop", "dataset.test": "test.csv"}
    other = resolve(below, {"dataset": "parquet"})["dataset"].params
    assert (other["size"], other["resize"], other["test"]) == (100, "crop", None)
    assert resolve(below, {"dataset": "parquet", "dataset.size": 80})["dataset"].params["size"] == 80
    assert resolve(below, {"dataset": "food101n"})["dataset"].params["size"] == 224  # of squares that are cut out
    assert resolve(below, {"dataset": "digits"})["dataset"].params == {}
    below = {"dataset": "cifar10", "dataset.per_class": 5000}
    assert resolve(below, {"dataset": "cifar100"})["dataset"].params["per_class"] == 200


@pytest.mark.parametrize("name", ["soft_bootstrap", "nlcore/soft_bootstrap"])
def test_naming_the_same_component_keeps_them(name: str) -> None:
    below = {"loss": "soft_bootstrap", "loss.beta": 0.6}
    assert resolve(below, {"loss": name})["loss"].params["beta"] == 0.6
    assert resolve(below, {"loss": name})["loss"].name == "soft_bootstrap"


def test_naming_a_default_component_keeps_the_parameters_of_the_same_layer() -> None:
    assert resolve({"noise": "symmetric", "noise.rate": 0.1})["noise"].params["rate"] == 0.1
    assert resolve({"noise.rate": 0.1, "noise": "symmetric"})["noise"].params["rate"] == 0.1


@pytest.mark.parametrize("architecture", ["resnet18", "resnet34", "resnet50"])
def test_digits_suggest_a_width_for_any_architecture_that_has_one(architecture: str) -> None:
    layer = {"dataset": "digits", "architecture": architecture}
    assert resolve(layer)["architecture"].params["width"] == 16
    assert resolve({**layer, "architecture.width": 8})["architecture"].params["width"] == 8
    assert resolve({"architecture": architecture})["architecture"].params["width"] == 64


@pytest.mark.usefixtures("plugin")
def test_what_a_dataset_suggests_does_not_matter_where_it_does_not_fit() -> None:
    assert resolve({"dataset": "photos", "architecture": "tower"})["architecture"].params == {}
    assert resolve({"dataset": "photos", "loss": "cross_entropy"})["loss"].params == {}
    with pytest.raises(nlcore.ParameterError, match="width"):  # but asking for it is an error
        resolve({"dataset": "photos", "architecture": "tower", "architecture.width": 3})


# ----------------------------------------------------------------------------------------------------- what is wrong


@pytest.mark.parametrize(
    ("layer", "said"),
    [
        ({"epoch": 3}, "'epoch'.*Did you mean 'epochs'"),
        ({"batchsize": 3}, "'batchsize'.*Did you mean 'batch_size'"),
        ({"los": "gce"}, "'los'.*Did you mean .*'loss'"),
        ({"los.q": 0.5}, "'los.q'"),
        ({"runs": "x"}, "'runs'.*Did you mean 'runs_dir'"),
        ({"gpu": 0}, "'gpu'.*Did you mean device = \"cuda\"\\?"),
        ({"class_balanced": True}, "'class_balanced'.*Did you mean sampling = \"balanced\"\\?"),
        ({"loss": "gcee"}, "'gcee'.*Did you mean 'gce'"),
        ({"dataset": "digit"}, "'digit'.*Did you mean 'digits'"),
        ({"loss": "gce", "loss.p": 0.5}, r"loss\.p: the loss 'gce' has no parameter 'p'.*It has q"),
        ({"loss": "soft_bootstrap", "loss.bta": 0.5}, "Did you mean 'beta'"),
        ({"loss": "gce", "loss.q": 1.5}, r"loss\.q = 1\.5: must be a number in \(0, 1\]"),
        ({"loss": 3}, "loss = 3: must be the name of a loss"),
        ({"dataset": None}, "dataset = None: must be the name"),
        ({"dataset": "cifar10", "dataset.per_class": 0}, "per_class must be at least 1"),
    ],
)
def test_what_is_unknown_is_named_with_the_nearest(layer: dict[str, object], said: str) -> None:
    with pytest.raises(nlcore.UserError) as caught:
        resolve(layer)
    assert re.search(said, str(caught.value)), str(caught.value)


@pytest.mark.parametrize(
    ("setting", "wrong", "right"),
    [
        ("epochs", [0, -1, 1.5, True, "many", None], [1, "2"]),
        ("batch_size", [1, 0], [2]),
        ("lr", [-1, 0, "nan", "inf"], [1e-9, 5]),
        ("momentum", [1, -0.1], [0, 0.99]),
        ("weight_decay", [-1e-9], [0, 1]),
        ("lr_schedule", ["exponential", "Cosine"], ["constant", "step", "cosine", "linear", "one_cycle"]),
        ("sampling", ["weighted", True], ["shuffled", "balanced"]),
        ("ema", [0, 1, -1], [0.999, "none", None]),
        ("validation", [1, -0.1], [0, 0.99]),
        ("seed", [-1, 0.5], [0, 2**40]),
        ("noise_seed", [-1], [0]),
        ("precision", ["fp16", "32"], ["auto", "fp32", "bf16"]),
        ("no_download", ["perhaps", 1], [True, "false"]),
        ("data_dir", [3], ["somewhere", None]),
    ],
)
def test_settings_out_of_range_are_refused(setting: str, wrong: list[object], right: list[object]) -> None:
    label = re.escape(SHORT_NAMES.get(setting, setting))
    for value in wrong:
        with pytest.raises(nlcore.ParameterError, match=rf"^{label} = {value}: must be "):
            resolve({setting: value})
    for value in right:
        resolve({setting: value})


@pytest.mark.parametrize(
    ("layers", "said"),
    [
        (({"epochs": "x"},), r"epochs = x: .* \(default: 20\)"),
        (({"epochs": 7}, {"epochs": "x"}), r"epochs = x: .* \(otherwise: 7\)"),
        (({"preset": "quick"}, {"optimizer.lr": "x"}), r"optimizer.lr = x: .* \(otherwise: 0.025\)"),
        (({"dataset": "digits"}, {"architecture.width": "x"}), r"architecture.width = x: .* \(otherwise: 16\)"),
        (({"loss": "gce", "loss.q": 0.3}, {"loss.q": "x"}), r"loss.q = x: .* \(otherwise: 0.3\)"),
        (({"loss": "gce", "loss.q": 0.3}, {"loss": "sce", "loss.alpha": "x"}), r"loss.alpha = x: .* \(default: 0.1\)"),
    ],
)
def test_a_wrong_value_is_told_what_would_hold_without_it(layers: tuple[dict[str, object], ...], said: str) -> None:
    with pytest.raises(ParameterError, match=said):
        resolve(*layers)


def test_settings_are_checked_whatever_layer_covers_them() -> None:
    with pytest.raises(nlcore.UserError, match="epoch"):
        resolve({"epoch": 3}, {"epochs": 3})


# ------------------------------------------------------------------------------------------- configuration and names

#: The slots that have a say in a run's numbers.
DECIDING = {slot for slot, (_, kind) in slots().items() if kind.decides}

SOME = {
    "dataset": "digits",
    "loss": "elr",
    "loss.lam": 0.1,
    "strategy": "co_teaching",
    "ema": 0.99,
    "noise.draws": "independent",
    "threads": "2",
    "lr": 1e-3,
}


@pytest.mark.parametrize("layer", [{}, SOME, {**SOME, "ema": None, "strategy.forget_rate": 0.25}])
def test_the_configuration_is_a_recipe_for_the_same_experiment(layer: dict[str, object], tmp_path: Path) -> None:
    experiment = resolve(layer)
    (tmp_path / "config.toml").write_text(tomli_w.dumps(experiment.config()))
    again = resolve(read_recipe(tmp_path / "config.toml"))
    assert again == experiment
    assert again.config() == experiment.config()


def test_the_configuration_has_everything_that_decides_the_numbers_and_nothing_else() -> None:
    config = resolve({**SOME, "runs_dir": "elsewhere", "name": "mine", "data_dir": "data"}).config()
    assert set(config) == {field.name for field in fields(TrainingSettings)} | DECIDING
    assert config["loss"] == {"name": "elr", "beta": 0.7, "lam": 0.1}
    assert config["strategy"] == {"name": "co_teaching", "forget_rate": "none", "num_gradual": 10}


CHANGES: dict[str, object] = {
    "epochs": 21,
    "batch_size": 64,
    "epoch_batches": 3,
    "optimizer": "muon",
    "lr": 0.05,
    "momentum": 0.8,
    "weight_decay": 0,
    "optimizer.nesterov": True,
    "lr_schedule": "step",
    "lr_milestones": "0.25",
    "lr_min": 0.001,
    "lr_warmup": 1,
    "decay_weights_only": True,
    "clip_norm": 1.0,
    "sampling": "balanced",
    "freeze": 1,
    "ema": 0.9,
    "init": __file__,
    "exclude": __file__,
    "trusted": 10,
    "validation": 0.1,
    "seed": 2,
    "noise_seed": 2,
    "device": "cpu",
    "precision": "fp32",
    "threads": "1",
    "deterministic": True,
    "cuda_graphs": True,
    "devices": 2,
    "num_nodes": 2,
    "sync_batch_norm": True,
    "dataset": "digits",
    "noise": "none",
    "augmentation": "flip",
    "strong": "crop_flip",
    "architecture": "resnet34",
    "loss": "gce",
    "strategy": "mixup",
    "dataset.per_class": 3,
    "noise.rate": 0.4,
    "architecture.width": 63,
}

#: What goes with a change alone.
BESIDE: dict[str, dict[str, object]] = {"freeze": {"init": __file__}}


def test_muon_has_a_learning_rate_of_its_own_unless_one_is_given() -> None:
    """Above what the dataset suggests, below whatever the user says of it; and it is recorded."""
    assert rate(resolve({"optimizer": "muon"})) == 0.01
    assert rate(resolve({"dataset": "digits", "optimizer": "muon"})) == 0.01
    assert rate(resolve({"optimizer": "muon", "lr": 0.1})) == 0.1
    assert rate(resolve({"optimizer": "muon"}, {"lr": 0.05})) == 0.05
    assert rate(resolve({"lr": 0.05}, {"optimizer": "muon"})) == 0.01  # a rate of SGD's means another thing to it
    assert rate(resolve({"optimizer": "muon"}, {"optimizer": "sgd"})) == 0.1
    assert resolve({"optimizer": "muon"}).config()["optimizer"]["lr"] == 0.01


def test_every_setting_is_among_the_changes() -> None:
    assert {field.name for field in fields(TrainingSettings)} | DECIDING <= set(CHANGES)


def test_configurations_tell_experiments_apart() -> None:
    changed = [{key: value, **BESIDE.get(key, {})} for key, value in CHANGES.items()]
    configs = [resolve(layer).config() for layer in ({}, *changed)]
    assert all(one != other for one, other in itertools.combinations(configs, 2))


@pytest.mark.parametrize("place", [field.name for field in fields(Storage)])
def test_the_configuration_does_not_depend_on_places(place: str) -> None:
    value = {"no_download": True, "checkpoint_every": 2, "histories": True}.get(place, "somewhere")
    assert resolve({place: value}).storage != resolve().storage
    assert resolve({place: value}).config() == resolve().config()


def test_the_configuration_depends_on_values_not_on_how_they_are_written() -> None:
    one = resolve({"lr": "1", "epochs": "20", "loss": "nlcore/gce", "loss.q": "1e0", "ema": "none"})
    assert one.config() == resolve({"loss": "gce", "lr": 1.0, "loss.q": 1}).config()


def test_the_run_directory_is_made_from_components_seed_and_digest() -> None:
    experiment = resolve({**SOME, "seed": 5, "runs_dir": "some/where"})
    name = "digits-symmetric-resnet18-elr-co_teaching-seed5-01234567"
    assert experiment.run_dir("01234567") == Path("some/where") / name
    assert resolve({"name": "mine"}).run_dir("01234567") == Path("runs/mine")


def test_a_full_name_makes_no_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    source = PLUGIN.replace('"one"', '"gce"').replace("layers_plugin", "gce_again")
    install_plugin(monkeypatch, tmp_path, "gce-again", source)
    experiment = resolve({"loss": "gce-again/gce"})
    assert experiment["loss"].name == "gce-again/gce"
    assert experiment.run_dir("01234567").parent == Path("runs")


def test_data_lie_where_is_said_else_where_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NL_DATA_DIR", "/from/environment")
    assert resolve({"data_dir": "/given"}).data_dir == Path("/given")
    assert resolve().data_dir == Path("/from/environment")
    monkeypatch.setenv("HOME", "/home/someone")
    assert resolve({"data_dir": "~/data"}).data_dir == Path("/home/someone/data")
    monkeypatch.delenv("NL_DATA_DIR")
    import platformdirs

    assert resolve().data_dir == Path(platformdirs.user_cache_dir("nlcore", appauthor=False))


def test_a_selection_in_words_is_its_name_and_what_differs_from_the_defaults() -> None:
    experiment = resolve({"strategy": "co_teaching", "loss": "soft_bootstrap", "loss.beta": 0.9})
    assert str(experiment["strategy"]) == "co_teaching"
    assert str(experiment["loss"]) == "soft_bootstrap (beta 0.9)"
    chained = resolve({"augmentation": "crop_flip+cutout", "augmentation.size": 5})["augmentation"]
    assert str(chained) == "crop_flip + cutout (size 5)"


def test_a_parameter_that_several_in_a_row_have_needs_the_name_of_one() -> None:
    layer = {"strong": "crop_flip+cutout+cutout"}
    with pytest.raises(nlcore.UserError, match=r"strong\.scale: none of the augmentations .*'scale'.*padding"):
        resolve({**layer, "strong.scale": 1})


@pytest.mark.parametrize("typed", ["csv,tensorboard", "csv+tensorboard", "csv, tensorboard,csv"])
def test_trackers_may_stand_apart_by_commas_and_count_once(typed: str) -> None:
    pytest.importorskip("tensorboard")
    assert resolve({"tracker": typed})["tracker"].names == ("csv", "tensorboard")
    assert resolve({"tracker": "csv"}, {"tracker": typed}, {"tracker": "none"})["tracker"].names == ()


def test_where_the_order_counts_a_comma_is_none() -> None:
    with pytest.raises(nlcore.UserError, match="no augmentation 'crop_flip,cutout'"):
        resolve({"augmentation": "crop_flip,cutout"})


def test_an_experiment_creates_its_components() -> None:
    experiment = resolve({"loss": "gce", "loss.q": 0.3})
    assert experiment["loss"].create().q == 0.3
    assert experiment["loss"].create() is not experiment["loss"].create()  # one instance for each network


@pytest.mark.parametrize("several", ["1-3", "1,2", "1,2,3"])
def test_several_values_are_for_a_sweep(several: str) -> None:
    with pytest.raises(ParameterError, match=r"seed = .*: must be a whole number .* Several values are for nl sweep\."):
        resolve({"seed": several})
    with pytest.raises(ParameterError) as refused:
        resolve({"seed": "one"})
    assert "sweep" not in str(refused.value)
