"""What holds for architectures, with their default parameters, on small images on the CPU."""

from __future__ import annotations

import functools
from typing import Any

import torch
from torch import Tensor, nn

from nlcore.checks.replay import ReplayedCalls, ReplayError
from nlcore.checks.suite import NotApplicable
from nlcore.testing.same import equal
from nlcore.training.hardware import resolve_hardware

K = 10
SHAPE = (3, 16, 16)


def gives_logits(cls: type) -> None:
    """The network maps images float32 (B, C, H, W) to logits float32 (B, K), in evaluation mode also for B = 1."""
    network = _network(cls)
    for mode, size in ((True, 4), (False, 1)):
        logits = network.train(mode)(_images(size))
        assert isinstance(logits, Tensor), f"It returns {type(logits).__name__}, not a tensor."
        good = logits.shape == (size, K) and logits.dtype == torch.float32 and bool(logits.isfinite().all())
        assert good, (
            f"For {size} images it returns {logits.dtype} {tuple(logits.shape)}, not finite float32 {(size, K)}."
        )


def features_follow_the_precision(cls: type) -> None:
    """Under mixed precision, ``features`` and ``head`` together give what calling the network gives, as float32."""
    placed: Any = resolve_hardware("cpu", "bf16", "1").place(cls().build(K, SHAPE).eval())
    images = _images(4)
    with torch.no_grad():
        whole, features = placed(images), placed.features(images)
        parts = placed.head(features)
    assert features.dtype == torch.float32, f"features gives {features.dtype} under mixed precision, not float32."
    scale = float(whole.abs().max()) + 1e-6
    assert torch.allclose(parts, whole, atol=0.05 * scale), (
        "head(features(x)) is not what the network gives for x in mixed precision: forward must be head(features(x))."
    )


def takes_any_image_size(cls: type) -> None:
    """Another image size, number of channels and number of classes give another network that works."""
    network = cls().build(7, (1, 12, 8)).eval()
    with torch.no_grad():
        logits = network(torch.rand(2, 1, 12, 8))
    assert logits.shape == (2, 7), (
        f"For 2 images (1, 12, 8) of 7 classes it returns {tuple(logits.shape)}, not (2, 7): use num_classes and "
        "image_shape, and pool before the head."
    )


def every_parameter_gets_a_gradient(cls: type) -> None:
    """All parameters take part: each that requires a gradient gets one, and it is finite."""
    network = _network(cls).train()
    network.zero_grad()
    torch.autograd.backward(nn.functional.cross_entropy(network(_images(4)), torch.arange(4)))
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None, f"{name} gets no gradient: forward does not use it. Leave it out."
            assert parameter.grad.isfinite().all(), f"{name} gets a gradient that is NaN or infinite."
    network.zero_grad()


def state_dict_gives_it_back(cls: type) -> None:
    """A new network with this one's state_dict gives the same logits, bit for bit."""
    network, other = _network(cls), cls().build(K, SHAPE)
    with torch.no_grad():
        network.train()(_images(4))  # so that batch normalisation has something to remember
        other.load_state_dict(network.state_dict())
        one, two = (each.eval()(_images(2)) for each in (network, other))
    assert equal(one, two), (
        "With the same state_dict it gives other logits: keep all that decides the output in parameters and buffers "
        "(register_buffer), and draw nothing in evaluation mode."
    )


def weights_follow_the_seed(cls: type) -> None:
    """Weights are drawn from torch's global generator: the same seed gives the same ones."""
    one, two = _network(cls), _build(cls)
    assert equal(dict(one.named_parameters()), dict(two.named_parameters())), (
        "The same torch.manual_seed gives other weights: draw them with torch.nn.init, from no generator of your own."
    )


def features_and_head_make_the_network(cls: type) -> None:
    """``head(features(x))`` is what the network gives, with features (B, D)."""
    network: Any = _network(cls).eval()
    for name in ("features", "head"):
        assert hasattr(network, name), f"The network has no {name}. {_TAKEN_APART}"
    with torch.no_grad():
        features = network.features(_images(2))
        logits, whole = network.head(features), network(_images(2))
    good = features.ndim == 2 and len(features) == 2
    assert good, f"features(x) gives {tuple(features.shape)}, not (B, D)."
    assert torch.allclose(logits, whole, rtol=1e-4, atol=1e-5), "head(features(x)) is not what the network gives."


def stages_hold_every_parameter(cls: type) -> None:
    """``stages()`` lists the parts from input to head; each parameter is in exactly one, the head's in the last."""
    network: Any = _network(cls)
    assert hasattr(network, "stages"), f"The network has no stages(). {_TAKEN_APART}"
    stages = network.stages()
    good = isinstance(stages, list) and len(stages) > 0 and all(isinstance(stage, nn.Module) for stage in stages)
    assert good, "stages() must return a list of modules; nn.ModuleList([...]) makes one of several."
    places: dict[int, list[int]] = {id(parameter): [] for parameter in network.parameters()}
    for number, stage in enumerate(stages):
        for parameter in stage.parameters():
            places.setdefault(id(parameter), []).append(number)
    for name, parameter in network.named_parameters():
        found = places[id(parameter)]
        assert len(found) == 1, f"The parameter {name} is in {len(found)} of the stages, not in one."
    head = {number for parameter in network.head.parameters() for number in places[id(parameter)]}
    assert head == {len(stages) - 1}, "The head is not in the last stage."


def param_groups_hold_every_parameter(cls: type) -> None:
    """``param_groups()``, where there is one, has each parameter in exactly one group."""
    network: Any = _network(cls)
    if not hasattr(network, "param_groups"):
        raise NotApplicable("Its network has no param_groups().")
    grouped = [id(parameter) for group in network.param_groups() for parameter in group["params"]]
    for name, parameter in network.named_parameters():
        found = grouped.count(id(parameter))
        assert found == 1, f"The parameter {name} is in {found} of the groups of param_groups(), not in one."
    strangers = set(grouped) - {id(parameter) for parameter in network.parameters()}
    assert not strangers, "param_groups() has parameters that are not the network's."


def normalisation_fits(cls: type) -> None:
    """``normalisation``, where there is one, is a mean and a positive standard deviation for each channel."""
    wanted = getattr(cls(), "normalisation", None)
    if wanted is None:
        raise NotApplicable("It declares no normalisation.")
    mean, std = wanted
    assert len(mean) == len(std) > 0, f"normalisation = {wanted}: mean and std are for different numbers of channels."
    assert min(std) > 0, f"normalisation = {wanted}: a standard deviation must be above 0."
    assert max(mean) <= 1, f"normalisation = {wanted}: values are scaled to 0..1, not to 0..255."


def captured_forward_does_the_same(cls: type) -> None:
    """In training mode, a forward pass that is captured and replayed gives what calling it again gives."""
    alone, captured = _build(cls).train(), _build(cls).train()
    if not getattr(captured, "capturable", True):
        raise NotApplicable("Its network declares that it is not capturable.")
    batches = [_images(4) * factor for factor in (1.0, 0.5, 0.25)]
    capturing, images = ReplayedCalls(), batches[0].clone()
    with torch.no_grad():
        torch.manual_seed(1)
        expected = [alone(batch) for batch in batches]
        torch.manual_seed(1)
        try:
            logits = capturing.capture(lambda: captured(images))
        except ReplayError as error:  # no fault: such steps run one by one
            raise NotApplicable(f"It cannot be captured: {error}.") from error
        for number, batch in enumerate(batches):
            if number:
                images.copy_(batch)
                capturing.replay()
            assert equal(logits, expected[number]), (
                "Replayed, it gives other logits than called again, since only the operations on tensors are done "
                "again. Where Python decides what forward does, let the network say capturable = False."
            )


CHECKS = (
    gives_logits,
    features_follow_the_precision,
    takes_any_image_size,
    every_parameter_gets_a_gradient,
    state_dict_gives_it_back,
    weights_follow_the_seed,
    features_and_head_make_the_network,
    stages_hold_every_parameter,
    param_groups_hold_every_parameter,
    normalisation_fits,
    captured_forward_does_the_same,
)

_TAKEN_APART = "Methods take networks apart: give it features(x), head and stages(), see nlcore.contracts.Network."


@functools.lru_cache(maxsize=1)
def _network(cls: type) -> nn.Module:
    """Build a network once for all of its checks."""
    return _build(cls)


def _build(cls: type) -> nn.Module:
    torch.manual_seed(3)
    network: nn.Module = cls().build(K, SHAPE)
    return network


def _images(size: int) -> Tensor:
    return torch.randn(size, *SHAPE, generator=torch.Generator().manual_seed(1))
