"""Each check of architectures finds one that breaks its rule."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nlcore.checks import NotApplicable, architecture
from nlcore.testing.toy import TinyNet


class Good:
    """Builds a network that fits, of a class that a subclass may change."""

    class Net(TinyNet):
        """The network."""

    def build(self, num_classes: int, image_shape: tuple[int, int, int]) -> nn.Module:
        """Return the network."""
        return self.Net(num_classes, image_shape[0])


class Probabilities(Good):
    class Net(TinyNet):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x).mean(1)


class Half(Good):
    class Net(TinyNet):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x).bfloat16()


class FixedSize(Good):
    def build(self, num_classes: int, image_shape: tuple[int, int, int]) -> nn.Module:
        return self.Net(10, image_shape[0])


class Unused(Good):
    class Net(TinyNet):
        def __init__(self, num_classes: int, channels: int) -> None:
            super().__init__(num_classes, channels)
            self.spare = nn.Linear(3, 3)


class Exploding(Good):
    class Net(TinyNet):
        def forward(self, x: Tensor) -> Tensor:
            assert self.conv.bias is not None
            return super().forward(x) + (self.conv.bias.sum() * 0).sqrt()


class Hidden(Good):
    class Net(TinyNet):
        def __init__(self, num_classes: int, channels: int) -> None:
            super().__init__(num_classes, channels)
            self.scale = torch.rand(num_classes)  # neither parameter nor buffer

        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x) * self.scale


class OwnGenerator(Good):
    def build(self, num_classes: int, image_shape: tuple[int, int, int]) -> nn.Module:
        network = super().build(num_classes, image_shape)
        random = torch.Generator()
        random.seed()
        nn.init.normal_(network.head.weight, generator=random)  # type: ignore[union-attr, arg-type]
        return network


class Plain(Good):
    class Net(nn.Module):
        def __init__(self, num_classes: int, channels: int) -> None:
            super().__init__()
            self.inner = TinyNet(num_classes, channels)

        def forward(self, x: Tensor) -> Any:
            return self.inner(x)


class MapsAsFeatures(Good):
    class Net(TinyNet):
        def features(self, x: Tensor) -> Tensor:
            return super().features(x)[:, None]

        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x)[:, 0]


class AfterTheHead(Good):
    class Net(TinyNet):
        def forward(self, x: Tensor) -> Tensor:
            return 2 * super().forward(x)


class Forgotten(Good):
    class Net(TinyNet):
        def stages(self) -> list[nn.Module]:
            return [self.conv, self.head]


class Doubled(Good):
    class Net(TinyNet):
        def stages(self) -> list[nn.Module]:
            return [self.conv, self.norm, nn.ModuleList([self.norm, self.head])]


class HeadFirst(Good):
    class Net(TinyNet):
        def stages(self) -> list[nn.Module]:
            return [self.head, self.conv, self.norm]


class TupleOfStages(Good):
    class Net(TinyNet):
        def stages(self) -> Any:
            return (self.conv, self.norm, self.head)


class SkipsInTurn(Good):
    """Python skips every second call's convolution."""

    class Net(TinyNet):
        calls = 0

        def features(self, x: Tensor) -> Tensor:
            self.calls += 1
            return super().features(x if self.calls % 2 else 0 * x)


class SaysSo(SkipsInTurn):
    class Net(SkipsInTurn.Net):
        capturable = False


class Looks(Good):
    class Net(TinyNet):
        def features(self, x: Tensor) -> Tensor:
            return super().features(x if x.mean() > 0 else -x)


class OtherHead(Good):
    """Its network does more than its features and head."""

    def build(self, num_classes: int, image_shape: tuple[int, int, int]) -> nn.Module:
        """Return a network whose logits are turned round."""
        network = super().build(num_classes, image_shape)
        network.register_forward_hook(lambda module, inputs, output: -output)
        return network


class Grouped(Good):
    """Has all that is optional."""

    normalisation = ((0.5, 0.5, 0.5), (0.2, 0.2, 0.2))

    class Net(TinyNet):
        """Its head has a rate of its own."""

        def param_groups(self) -> list[dict[str, Any]]:
            """Return the backbone and the head."""
            backbone = [*self.conv.parameters(), *self.norm.parameters()]
            return [{"params": backbone, "lr_factor": 0.1}, {"params": list(self.head.parameters())}]


class HalfGrouped(Good):
    class Net(TinyNet):
        def param_groups(self) -> list[dict[str, Any]]:
            return [{"params": list(self.head.parameters())}]


class GroupsOfAnother(Good):
    class Net(TinyNet):
        def param_groups(self) -> list[dict[str, Any]]:
            return [{"params": [*self.parameters(), nn.Parameter(torch.zeros(1))]}]


class OneMeanForThree(Good):
    normalisation = ((0.5,), (0.2, 0.2, 0.2))


class NoDeviation(Good):
    normalisation = ((0.5,), (0.0,))


class NotScaled(Good):
    normalisation = ((123.7, 116.3, 103.5), (58.4, 57.1, 57.4))


BROKEN: list[tuple[Any, type, str]] = [
    (architecture.gives_logits, Probabilities, r"torch.float32 \(4,\)"),
    (architecture.gives_logits, Half, "bfloat16"),
    (architecture.takes_any_image_size, FixedSize, r"\(2, 10\), not \(2, 7\)"),
    (architecture.every_parameter_gets_a_gradient, Unused, "spare.weight gets no gradient"),
    (architecture.every_parameter_gets_a_gradient, Exploding, "conv.bias gets a gradient that is NaN"),
    (architecture.state_dict_gives_it_back, Hidden, "register_buffer"),
    (architecture.weights_follow_the_seed, OwnGenerator, "other weights"),
    (architecture.features_and_head_make_the_network, Plain, "no features"),
    (architecture.features_and_head_make_the_network, MapsAsFeatures, r"\(2, 1, 32\), not \(B, D\)"),
    (architecture.features_and_head_make_the_network, AfterTheHead, "not what the network gives"),
    (architecture.stages_hold_every_parameter, Plain, "no stages"),
    (architecture.stages_hold_every_parameter, Forgotten, "norm.weight is in 0"),
    (architecture.stages_hold_every_parameter, Doubled, "norm.weight is in 2"),
    (architecture.stages_hold_every_parameter, HeadFirst, "head is not in the last stage"),
    (architecture.stages_hold_every_parameter, TupleOfStages, "list of modules"),
    (architecture.param_groups_hold_every_parameter, HalfGrouped, "conv.weight is in 0"),
    (architecture.param_groups_hold_every_parameter, GroupsOfAnother, "not the network's"),
    (architecture.normalisation_fits, OneMeanForThree, "different numbers of channels"),
    (architecture.normalisation_fits, NoDeviation, "above 0"),
    (architecture.normalisation_fits, NotScaled, r"scaled to 0\.\.1"),
    (architecture.captured_forward_does_the_same, SkipsInTurn, "called again"),
    (architecture.features_follow_the_precision, OtherHead, "mixed precision"),
]


@pytest.mark.parametrize(("check", "cls", "words"), BROKEN)
def test_refuses(check: Any, cls: type, words: str, refuses: Any) -> None:
    refuses(check, cls, words)


def test_every_check_refuses_something() -> None:
    assert {check for check, _, _ in BROKEN} == set(architecture.CHECKS)


def test_lets_a_good_one_pass() -> None:
    for check in architecture.CHECKS:
        check(Grouped)


@pytest.mark.parametrize("check", [architecture.param_groups_hold_every_parameter, architecture.normalisation_fits])
def test_what_is_optional_may_be_missing(check: Any) -> None:
    with pytest.raises(NotApplicable):
        check(Good)


@pytest.mark.parametrize(("cls", "words"), [(SaysSo, "declares"), (Looks, "asks the device for a value")])
def test_a_network_need_not_be_recorded(cls: type, words: str) -> None:
    with pytest.raises(NotApplicable, match=words):
        architecture.captured_forward_does_the_same(cls)
