"""Every protocol is the setting that its name says, and cites a figure that can be one."""

from __future__ import annotations

import re

import pytest

from nlcore.config.experiment import Experiment, resolve
from nlcore.config.published import published
from nlcore.host.registry import registry

ALL = [entry.name for entry in registry().of_kind("preset") if entry.builtin and "-" in entry.name]
REAL = [name for name in ALL if "-cifar" not in name]
NAMES = [name for name in ALL if name not in REAL]
SETTING = re.compile(r"(\w+)-(cifar10|cifar100|cifar10n|cifar100n)-(sym|asym)?(\w+)\Z")
WHICH = {"aggre": "aggre", "random1": "random1", "worst": "worse"}


def test_there_are_sixty_and_more_over_methods_and_data_sets() -> None:
    assert len(NAMES) >= 60
    found = [SETTING.match(name) for name in NAMES]
    assert all(found)
    assert {one[2] for one in found if one} == {"cifar10", "cifar100", "cifar10n", "cifar100n"}
    assert len({one[1] for one in found if one}) >= 15


def _noise(experiment: Experiment) -> tuple[str, object]:
    noise = experiment["noise"]
    return noise.name, noise.params.get("rate", noise.params.get("which"))


@pytest.mark.parametrize("name", NAMES)
def test_it_is_the_setting_that_its_name_says(name: str) -> None:
    parts = SETTING.match(name)
    assert parts is not None
    _, dataset, kind, what = parts.groups()
    experiment = resolve({"preset": name})
    assert experiment["dataset"].name == dataset.removesuffix("n")
    assert experiment["dataset"].params["per_class"] == -1
    if kind:
        assert _noise(experiment) == ("symmetric" if kind == "sym" else "asymmetric", int(what) / 100)
    else:
        assert experiment["noise"].name == dataset
        assert dataset != "cifar10n" or experiment["noise"].params["which"] == WHICH[what]
    assert experiment.settings.batch_size in (128, 256)
    assert experiment["architecture"].name in ("preact_resnet18", "resnet18", "resnet34")


#: Where noise is the data's own: network, width and height of the images as published.
OF_REAL_NOISE = {
    "animal10n": ("vgg19_bn", None),
    "food101n": ("resnet50", 224),
    "clothing1m": ("resnet50", 224),
    "mini_webvision": ("inception_resnet_v2", 299),
    "red_mini_imagenet": (None, 32),
}


@pytest.mark.parametrize("name", REAL)
def test_where_noise_is_real_it_is_the_setting_that_its_name_says(name: str) -> None:
    _, dataset, *rate = name.split("-")
    if dataset == "mini_webvision":
        pytest.importorskip("timm")
    experiment = resolve({"preset": name})
    assert (experiment["dataset"].name, experiment["noise"].name) == (dataset, "none")
    model, size = OF_REAL_NOISE[dataset]
    assert experiment["architecture"].params.get("model") == model
    assert experiment["dataset"].params.get("size") == size
    assert [f"0.{one[0]}" for one in rate] == [experiment["dataset"].params[key] for key in ("rate",) if rate]


def test_every_set_with_real_noise_has_a_protocol() -> None:
    assert {name.split("-")[1] for name in REAL} == OF_REAL_NOISE.keys()


@pytest.mark.parametrize("name", ALL)
def test_it_cites_a_figure_with_its_source(name: str) -> None:
    cited = published(name)
    assert cited is not None
    if name.endswith("mini_webvision"):
        pytest.importorskip("timm")
    assert cited.epochs == resolve({"preset": name}).settings.epochs
    assert cited.figure is not None
    assert 0.1 < cited.figure < 0.98
    assert cited.last is None or cited.best is None or cited.last <= cited.best
    assert re.search(r"20\d\d|leaderboard", cited.source)


def test_less_noise_is_easier() -> None:
    """A slip of a row in a table would show here."""
    for method in {name.split("-")[0] for name in ALL}:
        for dataset in ("cifar10-sym", "cifar100-sym", "red_mini_imagenet-"):
            rates = [f"{method}-{dataset}{rate}" for rate in (20, 40, 50, 60, 80, 90)]
            figures = [cited.figure for name in rates if name in ALL if (cited := published(name))]
            assert figures == sorted(figures, key=lambda figure: -(figure or 0))
