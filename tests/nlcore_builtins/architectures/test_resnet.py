"""Residual networks against torchvision's, whose stem alone differs, and the known sizes of CIFAR ResNets."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import torch
import torchvision
from torch import Tensor, nn

import nlcore

NAMES = ("resnet18", "resnet34", "resnet50", "resnet101", "resnet152")
every_network = pytest.mark.parametrize("name", NAMES)


def build(
    name: str, classes: int, shape: tuple[int, int, int], width: int = 4, seed: int = 1, init: str = "torch"
) -> Any:
    """Return a network with weights drawn for this seed."""
    torch.manual_seed(seed)
    return nlcore.create("architecture", name, width=width, init=init).build(classes, shape)


def images(count: int, shape: tuple[int, int, int], dtype: torch.dtype = torch.float32) -> Tensor:
    """Return random images (count, C, H, W)."""
    return torch.randn(count, *shape, generator=torch.Generator().manual_seed(3), dtype=dtype)


@every_network
@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 32, 32), (3, 33, 20), (2, 1, 1)])
def test_any_image_size(name: str, shape: tuple[int, int, int]) -> None:
    """Logits (B, K) for small, large and odd images of any number of channels, in both modes."""
    network = build(name, 7, shape)
    for mode in (True, False):
        network.train(mode)
        with torch.no_grad():
            logits = network(images(2, shape))
        assert logits.shape == (2, 7)
        assert torch.isfinite(logits).all()


@every_network
def test_one_network_takes_several_sizes(name: str) -> None:
    """Averaging over positions leaves nothing that depends on the size it was built for."""
    network = build(name, 3, (1, 8, 8)).eval()
    with torch.no_grad():
        assert network(images(2, (1, 12, 9))).shape == (2, 3)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("resnet18", 11_173_962),
        ("resnet34", 21_282_122),
        ("resnet50", 23_520_842),
        ("resnet101", 42_512_970),
        ("resnet152", 58_156_618),
    ],
)
def test_parameter_count(name: str, parameters: int) -> None:
    """Width 64, the default, with ten classes: the counts of the widely used CIFAR ResNets."""
    with torch.device("meta"):  # no weights are drawn
        network = nlcore.create("architecture", name).build(10, (3, 32, 32))
    assert sum(p.numel() for p in network.parameters()) == parameters


def like_torchvision(name: str) -> str:
    """Return torchvision's name for one of our weights."""
    if name.startswith("layers."):
        _, stage, rest = name.split(".", 2)
        return f"layer{int(stage) + 1}.{rest}"
    return name.replace("head.", "fc.")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["resnet18", "resnet34", "resnet50"])
def test_agrees_with_torchvision(name: str) -> None:
    """The same weights give the same outputs, gradients and running statistics, in float64."""
    ours = build(name, 10, (3, 9, 9), width=64).double()
    with torch.device("meta"):  # no weights are drawn
        theirs = getattr(torchvision.models, name)(num_classes=10)
        theirs.conv1 = nn.Conv2d(3, 64, 3, padding=1, bias=False)
    theirs.maxpool = nn.Identity()
    state = {like_torchvision(key): value.clone() for key, value in ours.state_dict().items()}
    theirs.load_state_dict(state, assign=True)  # strict: the names and shapes are the same
    x = images(3, (3, 9, 9), torch.float64)  # 2×2 positions are left to average
    expected, logits = theirs.train()(x), ours.train()(x)
    torch.testing.assert_close(logits, expected, rtol=1e-9, atol=1e-9)
    parameters = dict(theirs.named_parameters())
    sample = [key for key, _ in ours.named_parameters() if not key.startswith("layers.3.")]  # the last is the largest
    ours_by_name = dict(ours.named_parameters())
    gradients = torch.autograd.grad(logits.square().sum(), [ours_by_name[key] for key in sample])
    wanted = torch.autograd.grad(expected.square().sum(), [parameters[like_torchvision(key)] for key in sample])
    for gradient, value in zip(gradients, wanted, strict=True):
        torch.testing.assert_close(gradient, value, rtol=1e-6, atol=1e-6)
    state = theirs.state_dict()
    for key, value in ours.named_buffers():
        torch.testing.assert_close(value, state[like_torchvision(key)], rtol=1e-9, atol=1e-9)
    with torch.no_grad():
        torch.testing.assert_close(ours.eval()(x), theirs.eval()(x), rtol=1e-9, atol=1e-9)


@every_network
def test_stages_hold_every_parameter_once(name: str) -> None:
    """A strategy that re-initialises or freezes stages misses none and touches none twice."""
    network = build(name, 5, (3, 8, 8))
    in_stages = [id(p) for stage in network.stages() for p in stage.parameters()]
    assert len(in_stages) == len(set(in_stages))
    assert set(in_stages) == {id(p) for p in network.parameters()}
    assert network.stages()[-1] is network.head


@every_network
def test_stages_are_in_order(name: str) -> None:
    """From the image to the logits: what is changed in a stage is seen only in what comes after it."""
    network = build(name, 5, (3, 8, 8)).eval()
    order = [id(p) for p in network.parameters()]  # as they are registered, which is the order of the forward pass
    assert [id(p) for stage in network.stages() for p in stage.parameters()] == order


@every_network
def test_forward_is_head_of_features(name: str) -> None:
    """Features (B, D) with D what the head takes: eight widths, four times as many with bottlenecks."""
    network = build(name, 5, (3, 8, 8)).eval()
    with torch.no_grad():
        features = network.features(images(2, (3, 8, 8)))
        assert features.shape == (2, 4 * 8 * (1 if name in ("resnet18", "resnet34") else 4))
        assert torch.equal(network(images(2, (3, 8, 8))), network.head(features))


@every_network
def test_gradients_reach_every_parameter(name: str) -> None:
    """No weight is left out of the forward pass."""
    network = build(name, 5, (3, 8, 8))
    loss: Tensor = nn.functional.cross_entropy(network(images(8, (3, 8, 8))), torch.arange(8) % 5)
    loss.backward()  # type: ignore[no-untyped-call]
    without = [key for key, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    assert without == []
    assert all(torch.isfinite(p.grad).all() for p in network.parameters())


def test_weights_come_from_the_global_generator() -> None:
    """So that a run's seed decides them."""
    first, again, other = (build("resnet18", 5, (3, 8, 8), seed=seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert not torch.equal(first["conv1.weight"], other["conv1.weight"])
    assert not torch.equal(first["head.weight"], other["head.weight"])


@every_network
def test_weights_start_as_torch_starts_them(name: str) -> None:
    """Uniform in ±1/√n with n inputs to each output, in every convolution and in the head."""
    network = build(name, 10, (3, 8, 8), width=32)
    for layer in [part for part in network.modules() if isinstance(part, (nn.Conv2d, nn.Linear))]:
        bound = layer.weight[0].numel() ** -0.5
        assert layer.weight.abs().max().item() <= bound * (1 + 1e-6)
        # of V values the largest is below the bound by about 1/V of it, and one deviation of the variance is 0.9/√V
        assert layer.weight.abs().max().item() > bound * (1 - 20 / layer.weight.numel())
        assert layer.weight.var().item() == pytest.approx(bound**2 / 3, rel=4.5 * layer.weight.numel() ** -0.5)


@every_network
def test_he_start_has_the_variance_of_he_2015(name: str) -> None:
    """Convolutions are normal with variance 2 / (outputs · window); the head stays uniform."""
    network = build(name, 10, (3, 8, 8), width=32, init="he")
    for layer in [part for part in network.modules() if isinstance(part, nn.Conv2d)]:
        variance = 2 / (layer.out_channels * layer.weight[0, 0].numel())
        # of V normal values one deviation of the variance is 1.4/√V; a uniform draw ends at 1.7 deviations
        assert layer.weight.var().item() == pytest.approx(variance, rel=7 * layer.weight.numel() ** -0.5)
        assert layer.weight.abs().max().item() > 2.5 * variance**0.5
    assert network.head.weight.abs().max().item() <= network.head.in_features**-0.5


def test_wrong_init() -> None:
    with pytest.raises(nlcore.ParameterError, match=r"architecture\.init"):
        nlcore.create("architecture", "resnet18", init="glorot")


@pytest.mark.parametrize("width", [0, -4, 2.5, "wide"])
def test_wrong_width(width: object) -> None:
    """At least one channel."""
    with pytest.raises(nlcore.ParameterError, match=r"architecture\.width"):
        nlcore.create("architecture", "resnet18", width=width)


@pytest.mark.slow
@pytest.mark.parametrize("width", [4, 8])
@pytest.mark.parametrize("name", ["resnet18", "preact_resnet18"])
def test_narrow_networks_learn_from_larger_images(name: str, width: int) -> None:
    """In a process of its own: where torch writes beyond its memory, the process dies, often some steps later."""
    program = f"""
import nlcore, torch
torch.set_num_threads(1)
network = nlcore.create("architecture", "{name}", width={width}).build(10, (3, 64, 64))
network = network.to(memory_format=torch.channels_last)
for step in range(8):
    images = torch.randn(4, 3, 64, 64).contiguous(memory_format=torch.channels_last)
    network(images).square().mean().backward()
    held = [torch.randn(int(size)) for size in torch.randint(10, 5_000, (50,))]
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
