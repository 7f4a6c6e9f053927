"""torchvision's models through our door, against the same models made without it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torchvision
from torch import Tensor, nn

import nlcore

#: Models of each way in which torchvision puts a network together, the small ones of their family.
NAMES = ("resnet18", "mobilenet_v3_small", "efficientnet_b0", "densenet121", "vgg11_bn", "convnext_tiny", "googlenet")
ADAPTED = ("resnet18", "densenet121", "googlenet", "shufflenet_v2_x0_5", "efficientnet_b0", "mobilenet_v2",
           "mobilenet_v3_small", "mnasnet0_5", "regnet_x_400mf")  # fmt: skip
every_model = pytest.mark.parametrize("name", NAMES)


def build(name: str, classes: int, shape: tuple[int, int, int], **options: Any) -> Any:
    """Return a network with weights drawn for one seed."""
    torch.manual_seed(1)
    return nlcore.create("architecture", "torchvision", model=name, **options).build(classes, shape)


def images(count: int, shape: tuple[int, int, int]) -> Tensor:
    """Return random images (count, C, H, W)."""
    return torch.randn(count, *shape, generator=torch.Generator().manual_seed(3))


@pytest.mark.slow
@every_model
def test_is_the_model_of_torchvision(name: str) -> None:
    """The same seed gives the same logits, bit for bit, and ``head(features(x))`` is the whole."""
    network = build(name, 7, (3, 32, 32)).eval()
    torch.manual_seed(1)
    options = {"aux_logits": False, "init_weights": True} if name == "googlenet" else {}
    theirs = torchvision.models.get_model(name, weights=None, num_classes=7, **options).eval()
    x = images(2, (3, 32, 32))
    with torch.no_grad():
        assert torch.equal(network(x), theirs(x))
        features = network.features(x)
        assert features.shape == (2, network.head.in_features)
        assert torch.equal(network.head(features), theirs(x))
    check_stages(network)


@pytest.mark.slow
def test_a_vision_transformer_is_made_for_the_size_of_the_images() -> None:
    network = build("vit_b_32", 7, (1, 64, 64)).eval()
    assert network.body.encoder.pos_embedding.shape == (1, 1 + (64 // 32) ** 2, 768)
    with torch.no_grad():
        assert network(images(1, (1, 64, 64))).shape == (1, 7)
    check_stages(network)


def check_stages(network: Any) -> None:
    """Every parameter is in one stage; each stage has some; the head is the last."""
    stages = network.stages()
    in_stages = [id(p) for stage in stages for p in stage.parameters()]
    assert len(in_stages) == len(set(in_stages))
    assert set(in_stages) == {id(p) for p in network.parameters()}
    assert all(list(stage.parameters()) for stage in stages)
    assert stages[-1] is network.head
    assert isinstance(network.head, nn.Linear)


@every_model
def test_stages_are_in_order(name: str) -> None:
    """From the image to the logits, as the parameters are registered; more than two parts."""
    with torch.device("meta"):  # no weights are drawn
        network = build(name, 7, (3, 32, 32))
    order = [id(p) for p in network.parameters()]
    assert [id(p) for stage in network.stages() for p in stage.parameters()] == order
    assert len(network.stages()) >= 6


@pytest.mark.parametrize("channels", [1, 4])
def test_other_channels(channels: int) -> None:
    """The first convolution takes them; its outputs vary as before: σ² n stays, with n inputs to each."""
    network = build("resnet18", 7, (channels, 32, 32))
    assert sum(p.numel() for p in network.parameters()) == 11_689_512 - 513 * 1000 + 513 * 7 + 49 * 64 * (channels - 3)
    weight = network.body.conv1.weight
    assert weight.shape == (64, channels, 7, 7)
    assert weight.var().item() * channels == pytest.approx(2 / (64 * 49) * 3, rel=0.1)  # at least 3,136 values
    assert network(images(2, (channels, 32, 32))).shape == (2, 7)


def test_with_small_images_resnet18_is_ours() -> None:
    """Its stem is that of nlcore's own ResNet-18: the same weights give the same logits."""
    network = build("resnet18", 10, (3, 32, 32), small_images=True)
    ours = nlcore.create("architecture", "resnet18").build(10, (3, 32, 32))
    state = {}
    for key, value in network.state_dict().items():
        stage = key.removeprefix("body.layer")[0]
        name = key.replace(f"body.layer{stage}", f"layers.{int(stage) - 1}") if "body.layer" in key else key
        state[name.removeprefix("body.")] = value
    ours.load_state_dict(state)
    with torch.no_grad():
        assert torch.equal(network.eval()(images(2, (3, 16, 16))), ours.eval()(images(2, (3, 16, 16))))
    weight = network.body.conv1.weight
    assert weight.var().item() == pytest.approx(2 / (64 * 9), rel=0.15)  # He et al. 2015; 1,728 values


@pytest.mark.slow
@pytest.mark.parametrize("name", ADAPTED)
def test_small_images(name: str) -> None:
    """The stem keeps the image size, and so does what followed it up to the next stride."""
    network = build(name, 7, (1, 16, 16), small_images=True).eval()
    sizes: list[tuple[int, ...]] = []
    first = next(part for part in network.modules() if isinstance(part, nn.Conv2d))
    first.register_forward_hook(lambda part, given, out: sizes.append(tuple(out.shape[2:])))
    with torch.no_grad():
        assert network(images(2, (1, 16, 16))).shape == (2, 7)
    assert sizes == [(16, 16)]
    assert (first.kernel_size, first.in_channels) == ((3, 3), 1)
    check_stages(network)


def test_a_stem_that_cannot_be_adapted() -> None:
    with pytest.raises(nlcore.UserError, match=r"small_images: .* stem of alexnet .* Leave it out.*ResNet, DenseNet"):
        build("alexnet", 7, (3, 64, 64), small_images=True)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "shape", "hint"),
    [
        (
            "inception_v3",
            (3, 32, 32),
            "Choose another model",
        ),  # its auxiliary outputs are left out; it is still too deep
        ("alexnet", (3, 32, 32), "Choose another model"),
        ("densenet121", (1, 12, 8), "Give --architecture.small_images true"),
        ("vit_b_32", (3, 33, 33), "Input shape indivisible by patch size"),
        ("vit_b_32", (3, 64, 32), "Wrong image width"),
        ("maxvit_t", (3, 32, 32), "not divisible by partition size"),
    ],
)
def test_images_that_a_model_cannot_take(name: str, shape: tuple[int, int, int], hint: str) -> None:
    with pytest.raises(nlcore.UserError, match=rf"{name}: it cannot take images of {shape[2]}×{shape[1]} pix.*{hint}"):
        build(name, 7, shape)


def test_trying_the_size_changes_nothing() -> None:
    """Neither what batch normalisation remembers nor the generator that weights are drawn from."""
    network = build("resnet18", 7, (3, 32, 32))
    after = torch.rand(1)
    torch.manual_seed(1)
    torchvision.models.resnet18(num_classes=7)
    assert torch.equal(torch.rand(1), after)
    assert not network.body.bn1.running_mean.any()
    assert network.training


def test_squeezenet_has_no_head() -> None:
    with pytest.raises(nlcore.UserError, match=r"squeezenet1_1: it ends in a convolution"):
        build("squeezenet1_1", 7, (3, 64, 64))


@pytest.mark.parametrize(("given", "meant"), [("resnt18", "'resnet18'"), ("mobilenet", "'mobilenet_v2'")])
def test_unknown_model(given: str, meant: str) -> None:
    with pytest.raises(nlcore.UserError, match=rf"architecture\.model = {given}: .* Did you mean .*{meant}"):
        nlcore.create("architecture", "torchvision", model=given)


def test_every_model_of_torchvision_is_accepted_by_name() -> None:
    for name in torchvision.models.list_models(module=torchvision.models):
        assert nlcore.create("architecture", "torchvision", model=name).model == name
