"""Models of other libraries as networks: names of published weights, and a rate of its own for the body."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
import torchvision
from helpers import make_data, make_trainer, prepared
from torch import nn

import nlcore


def on_meta(name: str, **options: Any) -> Any:
    """Return a network without weights."""
    with torch.device("meta"):
        return nlcore.create("architecture", "torchvision", model=name, **options).build(10, (3, 64, 64))


def published_names(name: str) -> list[str]:
    """Return the names in torchvision's own model."""
    with torch.device("meta"):
        return list(torchvision.models.get_model(name, weights=None, num_classes=10).state_dict())


@pytest.mark.parametrize(
    "name", ["resnet18", "vgg11_bn", "convnext_tiny", "swin_t", "mobilenet_v3_small", "mnasnet0_5"]
)
def test_each_published_name_is_one_of_the_network(name: str) -> None:
    network = on_meta(name)
    assert {network.own_name(published) for published in published_names(name)} == set(network.state_dict())


def test_names_of_files_that_are_older_than_the_library() -> None:
    """The files of DenseNet say ``norm.1`` for ``norm1``; those of ViT ``linear_1`` and ``linear_2`` in an MLP."""
    network = on_meta("densenet121")
    old = [key.replace("norm1.", "norm.1.").replace("conv2.", "conv.2.") for key in published_names("densenet121")]
    assert sum(".norm.1." in key for key in old) == 58 * 5
    assert {network.own_name(key) for key in old} == set(network.state_dict())
    network = on_meta("vit_b_32")
    # torchvision's own reader knows the old names: they are what it turns into the new ones.
    block = torchvision.models.vision_transformer.MLPBlock(4, 8, 0.0)
    given = {f"linear_{layer}.{what}": torch.rand(shape) for layer, what, shape in
             ((1, "weight", (8, 4)), (1, "bias", (8,)), (2, "weight", (4, 8)), (2, "bias", (4,)))}  # fmt: skip
    block.load_state_dict(given)
    for key, value in given.items():
        mine = network.own_name(f"encoder.layers.encoder_layer_0.mlp.{key}")
        assert mine in network.state_dict()
        assert torch.equal(block.state_dict()[mine.removeprefix("body.encoder.layers.encoder_layer_0.mlp.")], value)


@pytest.mark.parametrize(("name", "auxiliary"), [("googlenet", "aux1.conv.conv.weight"), ("resnet18", "aux2.fc1.bias")])
def test_auxiliary_classifiers_are_left_out(name: str, auxiliary: str) -> None:
    assert on_meta(name).own_name(auxiliary) is None


def test_the_body_may_learn_more_slowly() -> None:
    architecture: Any = nlcore.create("architecture", "torchvision", model="shufflenet_v2_x0_5", backbone_lr=0.1)
    strategy: Any = nlcore.create("strategy", "standard")
    images = np.random.default_rng(1).integers(0, 256, (40, 16, 16, 3), np.uint8)
    data = prepared(make_data(images, np.arange(40) % 4, mean=(0.5,) * 3, std=(0.25,) * 3))
    trainer = make_trainer(strategy, data, architecture, lr=0.2)
    network: Any = trainer.ctx.networks["network1"]
    groups = trainer.ctx.optimizer(network).param_groups
    rates = {id(parameter): group["lr"] for group in groups for parameter in group["params"]}
    assert [rates[id(parameter)] for parameter in network.head.parameters()] == [0.2, 0.2]
    of_body = [rates[id(parameter)] for parameter in network.body.parameters()]
    assert of_body == pytest.approx([0.02] * len(of_body))
    twin = copy.deepcopy(network)  # a teacher's groups are its own
    assert {id(p) for group in twin.param_groups() for p in group["params"]} == {id(p) for p in twin.parameters()}


def test_without_it_all_is_one_group() -> None:
    assert not hasattr(on_meta("shufflenet_v2_x0_5"), "param_groups")


def test_what_is_for_other_images_is_known() -> None:
    assert on_meta("resnet18", small_images=True).adapted == ("body.conv1.weight",)
    assert on_meta("resnet18").adapted == ()
    with torch.device("meta"):
        grey: Any = nlcore.create("architecture", "torchvision", model="mobilenet_v2").build(10, (1, 64, 64))
    assert grey.adapted == ("body.features.0.0.weight",)
    assert isinstance(grey.get_submodule("body.features.0.0"), nn.Conv2d)


def rates(network: Any) -> dict[str, float]:
    """Return the factor of each parameter's rate, by name, each named once."""
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    groups = network.param_groups()
    found = {names[id(p)]: group.get("lr_factor", 1.0) for group in groups for p in group["params"]}
    assert len(found) == sum(len(group["params"]) for group in groups) == len(names)
    return found


def test_each_stage_learns_more_slowly_than_the_next() -> None:
    """ResNet-18: stem, four stages and the head are layers 0 to 5; a normalisation is of the layer before it."""
    found = rates(on_meta("resnet18", layer_decay=0.5, backbone_lr=0.8))
    expected = {"conv1": 0.5**5, "bn1": 0.5**5} | {f"layer{n}": 0.5 ** (5 - n) for n in (1, 2, 3, 4)}
    for name, factor in found.items():
        whole, part = name.split(".")[:2]
        assert factor == pytest.approx(1.0 if whole == "head" else 0.8 * expected[part]), name


def test_blocks_of_a_transformer_are_layers() -> None:
    """ViT-B/32: token and patches are layers 0 and 1, twelve blocks and the head follow."""
    found = rates(on_meta("vit_b_32", layer_decay=0.9))
    assert found["body.encoder.layers.encoder_layer_0.ln_1.weight"] == pytest.approx(0.9**12)
    assert found["body.encoder.layers.encoder_layer_11.mlp.0.weight"] == pytest.approx(0.9)
    assert found["body.encoder.ln.weight"] == pytest.approx(0.9)
    assert found["head.bias"] == 1
