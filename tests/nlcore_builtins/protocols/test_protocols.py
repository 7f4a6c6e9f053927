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
    of_head = 5 if name.startswith("pes_semi") else 0  # which the authors do not count
    assert cited.epochs == resolve({"preset": name}).settings.epochs - of_head
    assert cited.figure is not None
    assert 0.1 < cited.figure < 0.98
    assert cited.last is None or cited.best is None or cited.last <= cited.best
    assert re.search(r"20\d\d|leaderboard", cited.source)


#: What single settings are in the papers and their released code: a name's beginning or all of it, then their values.
PUBLISHED: dict[str, dict[str, object]] = {
    "vol_min_net-cifar100n-fine": {"loss.first": -4.5},  # main.py: T_ii is .48 for 100 classes, too
    "augdesc-cifar10-sym20": {"epochs": 300, "milestone": 150, "strategy.lambda_u": 0.0},  # presets.json
    "augdesc-cifar10-sym50": {"epochs": 300, "milestone": 150, "strategy.lambda_u": 25.0},
    "augdesc-cifar10-sym80": {"epochs": 350, "milestone": 200, "strategy.lambda_u": 25.0},
    "augdesc-cifar10-sym90": {
        "epochs": 350,
        "milestone": 250,
        "strategy.lambda_u": 50.0,
        "strategy.p_threshold": 0.6,
        "strategy.history": 5,
    },
    "augdesc-cifar10-asym40": {"epochs": 350, "milestone": 250, "strategy.lambda_u": 0.0},
    "ssr_plus-cifar10-sym20": {
        "strategy.theta_r": 0.9,
        "lr_min": 0.02 / 50,
    },  # README: .8 from half of the labels on
    "ssr_plus-cifar10-sym50": {"strategy.theta_r": 0.8},
    "ssr_plus-cifar10-sym80": {"strategy.theta_r": 0.8},
    "ssr_plus-cifar10-sym90": {"strategy.theta_r": 0.8},
    "ssr_plus-cifar10-asym40": {"strategy.theta_r": 0.9},
    "disc-cifar10-sym50": {"strategy.lam": 0.99},  # DISC.py: .95 for asymmetric noise
    "disc-cifar10-asym40": {"strategy.lam": 0.95},
    "promix-cifar10": {
        "strong.n": 3,
        "strong.m": 5,
        "lr_min": 5e-5,
        "batch_size": 256,  # Train_promix.py
        "strategy.tau": 0.99,
        "strategy.debias": 0.8,
        "strategy.warm_up": 10,
    },
    "promix-cifar10-sym20": {"strategy.rho": 0.7},  # run.sh: .5 for the others, and none above half of the labels
    "promix-cifar10-sym50": {"strategy.rho": 0.5},
    "promix-cifar10-asym40": {"strategy.rho": 0.5},
    "promix-cifar100n-fine": {
        "strategy.tau": 0.95,
        "strategy.debias": 0.5,
        "strategy.warm_up": 30,
        "strategy.rho": 0.5,
        "strong.n": 3,
        "strong.m": 5,
        "lr_min": 5e-5,
    },
    "jocor-cifar10n": {"strategy.lam": 0.9},  # README
    "jocor-cifar100n-fine": {"strategy.lam": 0.85},
    "sop_plus-cifar10-sym": {"loss.lr_u": 10.0, "loss.lr_v": 10.0, "optimizer.weight_decay": 1e-3},  # table A.1
    "sop_plus-cifar10-asym40": {"loss.lr_u": 10.0, "loss.lr_v": 100.0},
    "sop_plus-cifar100-asym40": {"loss.lr_u": 1.0, "loss.lr_v": 100.0},  # the released configuration has .1
    "sop_plus-cifar100-sym": {"loss.lr_u": 1.0, "loss.lr_v": 10.0},
    "divide_mix-mini_webvision": {"batch_size": 64},  # halves of 32
    "divide_mix-clothing1m": {"batch_size": 64},
    "unicon-cifar10": {"epochs": 350, "strategy.warm_up": 10, "lr_min": 2e-4},
    "unicon-cifar100": {"epochs": 350, "strategy.warm_up": 30},
    "pes_semi-cifar10": {"epochs": 305, "strategy.second": 5, "strategy.first": 20},
    "pes_semi-cifar100n": {"strategy.first": 35, "strategy.lambda_u": 75.0},
}
SYM = re.compile(r"-sym\d\d\Z")


def _is_of(name: str, key: str) -> bool:
    return name == key or name.startswith(f"{key}-") or SYM.sub("-sym", name) == key


CHECKED = [(name, key) for key in PUBLISHED for name in ALL if _is_of(name, key)]


def test_all_settings_that_are_known_are_of_protocols() -> None:
    assert {key for _, key in CHECKED} == PUBLISHED.keys()


@pytest.mark.parametrize(("name", "key"), CHECKED)
def test_its_settings_are_the_published_ones(name: str, key: str) -> None:
    if name.endswith("mini_webvision"):
        pytest.importorskip("timm")
    experiment = resolve({"preset": name})
    found: dict[str, object] = {}
    for wanted in PUBLISHED[key]:
        slot, _, parameter = wanted.partition(".")
        if wanted == "milestone":
            found[wanted] = round(float(experiment.settings.lr_milestones) * experiment.settings.epochs, 3)
        elif parameter:
            found[wanted] = experiment[slot].params[parameter]
        else:
            found[wanted] = getattr(experiment.settings, wanted)
    assert found == PUBLISHED[key]


def test_less_noise_is_easier() -> None:
    """A slip of a row in a table would show here."""
    for method in {name.split("-")[0] for name in ALL}:
        for dataset in ("cifar10-sym", "cifar100-sym", "red_mini_imagenet-"):
            rates = [f"{method}-{dataset}{rate}" for rate in (20, 40, 50, 60, 80, 90)]
            figures = [cited.figure for name in rates if name in ALL if (cited := published(name))]
            assert figures == sorted(figures, key=lambda figure: -(figure or 0))
