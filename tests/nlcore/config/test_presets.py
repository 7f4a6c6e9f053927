"""Presets that a plugin ships, through the doors that take one: settings, recipes and the registry."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers import install_plugin

import nlcore
from nlcore.config.experiment import resolve
from nlcore.config.recipe import preset_text, read_recipe

HOOKS = """
from nlcore import Component, hookimpl

NLCORE_API = 1

@hookimpl
def nl_presets():
    return [
        Component("brisk", "shipped:brisk.toml", "Brisk."),
        Component("firm", "shipped:firm.toml", "Freezes."),
        Component("vast", "shipped:vast.toml", "Has batches that are larger than small data sets."),
        Component("tiny", "shipped:tiny.toml", "Asks for images that are too small."),
        Component("nested", "shipped:nested.toml", "Names another."),
        Component("wrong", "shipped:wrong.toml", "A wrong key."),
        Component("lost", "shipped:lost.toml", "Has no file."),
        Component("made", "shipped.made:recipe", "Is made by a function."),
        Component("unmade", "shipped.made:nothing", "Has no function."),
        Component("homeless", "not_there:lost.toml", "Has no package."),
    ]
"""

BRISK = """# why it is brisk
epochs = 3
lr = 0.2

[loss]
name = "gce"
q = 0.6
"""

FIRM = """
freeze = "all"

[architecture]
name = "torchvision"
pretrained = true

[loss]
name = "gce"
q = 0.6
"""

VAST = """
batch_size = 4096
validation = 0.5
"""

TINY = """
[dataset]
name = "image_folder"
size = 1
"""

MADE = """
def recipe(data_dir):
    return f'note = "what lies in {data_dir.name} was looked at"\\nepochs = 4\\n'
"""


@pytest.fixture(autouse=True)
def _shipped(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Install a plugin with presets."""
    install_plugin(monkeypatch, tmp_path, "presets-plugin", HOOKS)
    package = tmp_path / "site-packages" / "shipped"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "brisk.toml").write_text(BRISK)
    (package / "firm.toml").write_text(FIRM)
    (package / "vast.toml").write_text(VAST)
    (package / "tiny.toml").write_text(TINY)
    (package / "made.py").write_text(MADE)
    (package / "nested.toml").write_text('preset = "brisk"\n')
    (package / "wrong.toml").write_text("epoch = 3\n")


def test_a_preset_lies_above_the_datasets_defaults_and_below_the_rest(tmp_path: Path) -> None:
    """The dataset digits has a width of its own; the preset leaves it."""
    digits = resolve({"dataset": "digits"})
    experiment = resolve({"preset": "brisk", "dataset": "digits"})
    assert (experiment.settings.epochs, experiment["optimizer"].params["lr"]) == (3, 0.2)
    assert (experiment["loss"].name, experiment["loss"].params["q"]) == ("gce", 0.6)
    assert experiment["architecture"] == digits["architecture"]
    recipe = tmp_path / "mine.toml"
    recipe.write_text('preset = "brisk"\nepochs = 4\n')
    layers = ({"preset": "brisk", "lr": 0.3}, {"epochs": 4, "preset": "presets-plugin/brisk"}, read_recipe(recipe))
    for layer in layers:
        above = resolve(layer, {"loss.q": 0.5})
        assert (above.settings.epochs, above["optimizer"].params["lr"]) in {(3, 0.3), (4, 0.2)}
        assert above["loss"].params["q"] == 0.5


def test_the_last_preset_wins() -> None:
    with pytest.raises(nlcore.UserError, match=r"preset wrong.*Did you mean 'epochs'"):
        resolve({"preset": "brisk"}, {"preset": "wrong"})


def test_another_component_drops_the_presets_parameters() -> None:
    assert "q" not in resolve({"preset": "brisk"}, {"loss": "elr"})["loss"].params


def test_the_configuration_says_what_the_preset_gave_and_not_its_name() -> None:
    config = resolve({"preset": "brisk"}).config()
    assert config["loss"] == {"name": "gce", "q": 0.6}
    assert "preset" not in config
    assert config == resolve({"epochs": 3, "lr": 0.2, "loss": "gce", "loss.q": 0.6}).config()


FREEZES = "freeze = all comes from the preset firm."


@pytest.mark.parametrize(
    ("layer", "refused", "whence"),
    [
        ({"architecture": "cnn9"}, "freeze = all: the network is drawn", FREEZES),
        ({"strategy": "pes"}, "freeze = all: the strategy pes cannot do with features", FREEZES),
        ({"loss": "gjs"}, "freeze = all: the loss gjs judges several views", FREEZES),
        (
            {"freeze": 0, "strategy": "divide_mix"},
            "The loss gce and the strategy divide_mix: ",
            "loss = gce comes from the preset firm; --loss NAME gives another.",
        ),
    ],
)
def test_a_setting_that_the_preset_brought_is_refused_with_how_to_be_rid_of_it(
    layer: dict[str, object], refused: str, whence: str
) -> None:
    with pytest.raises(nlcore.UserError) as caught:
        resolve({"preset": "firm"}, layer)
    assert str(caught.value).startswith(refused)
    assert str(caught.value).endswith(f" {whence}")


def test_of_two_settings_those_of_the_preset_are_named() -> None:
    with pytest.raises(
        nlcore.UserError, match=r"nothing to train on.* validation = 0\.5 comes from the preset vast\.$"
    ):
        nlcore.run(preset="vast", batch_size=2, trusted=1442, dataset="digits", quiet=True)


def test_a_refusal_says_once_what_to_do() -> None:
    with pytest.raises(nlcore.UserError) as caught:
        nlcore.run(preset="vast", dataset="digits", quiet=True)
    assert str(caught.value).endswith("Give a smaller --batch-size. batch_size = 4096 comes from the preset vast.")


def test_what_goes_on_to_another_data_set_still_comes_from_the_preset(tmp_path: Path) -> None:
    with pytest.raises(
        nlcore.UserError, match=r"^dataset\.size = 1: .* dataset\.size = 1 comes from the preset tiny\.$"
    ):
        resolve({"preset": "tiny"}, {"dataset": "csv", "dataset.train": str(tmp_path / "table.csv")})


@pytest.mark.parametrize(
    "layer",
    [
        {"freeze": "all", "strategy": "pes"},
        {"freeze": 0, "strategy": "divide_mix", "loss": "gce"},
        {"loss.q": 3},
        {"architecture": "cnn9", "freeze": -1},
    ],
)
def test_what_the_user_said_is_his_own(layer: dict[str, object]) -> None:
    with pytest.raises(nlcore.UserError) as caught:
        resolve({"preset": "firm"}, layer)
    assert "comes from" not in str(caught.value)


def test_the_text_is_the_file() -> None:
    assert preset_text("brisk") == BRISK


def test_a_function_makes_a_recipe_for_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NL_DATA_DIR", "some/where")
    assert preset_text("made") == 'note = "what lies in where was looked at"\nepochs = 4\n'
    experiment = resolve({"preset": "made"})
    assert experiment.settings.epochs == 4
    assert experiment.notes == ("made: what lies in where was looked at",)
    assert resolve({"preset": "brisk"}).notes == ()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("brisq", r"no preset 'brisq'\. Did you mean 'brisk'\? 'nl presets' lists all"),
        ("nested", "names another preset"),
        ("lost", r"presets-plugin/lost \(shipped:lost\.toml\) cannot be read"),
        ("homeless", "cannot be read"),
        ("unmade", r"presets-plugin/unmade \(shipped\.made:nothing\) cannot be read: .*nothing"),
        (3, "name of a preset, as text"),
    ],
)
def test_what_cannot_be_used_is_named(name: object, words: str) -> None:
    with pytest.raises(nlcore.UserError, match=words):
        resolve({"preset": name})
