"""Pretrained weights: those of the same model are taken but for the head, those of another are refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from made_weights import published_tensors, torchvision_net

import nlcore
from nlcore.testing.same import equal
from nlcore.training.initial import InitialWeights, read_weights
from nlcore.training.pretrained import PretrainedWeights


def test_of_the_same_model_they_are_taken_as_initial_weights_are() -> None:
    given, said = published_tensors("shufflenet_v2_x0_5"), list[str]()
    one, two = torchvision_net("shufflenet_v2_x0_5"), torchvision_net("shufflenet_v2_x0_5")
    PretrainedWeights(Path("weights"), given, said.append).start(one, "network1")
    InitialWeights(Path("weights"), given, said.append).start(two, "network1")
    assert equal(one.state_dict(), two.state_dict())
    assert said[0] == said[1]
    assert one.body.conv1.get_submodule("0").weight.any()


@pytest.mark.parametrize(
    ("model", "of", "said"),
    [
        ("resnet18", "resnet34", r"the network has no layer1\.2\.conv1\.weight.* and \d+ more"),
        ("resnet34", "resnet18", r"they lack body\.layer1\.2\.conv1\.weight"),
        ("shufflenet_v2_x0_5", "shufflenet_v2_x1_0", r"of another shape are body\.stage2\.0\.branch1"),
    ],
)
def test_weights_of_another_network_are_refused_and_change_nothing(model: str, of: str, said: str) -> None:
    network = torchvision_net(model)
    with pytest.raises(
        nlcore.UserError, match=rf"pretrained = weights: .* of another network, .*{said}.*--init weights"
    ):
        PretrainedWeights(Path("weights"), published_tensors(of), print).start(network, "network1")
    assert not any(tensor.any() for tensor in network.state_dict().values())


def test_an_adapted_stem_is_drawn_anew_and_auxiliary_classifiers_are_left_out() -> None:
    said: list[str] = []
    network = torchvision_net("googlenet", small_images=True)
    given = published_tensors("googlenet")
    PretrainedWeights(Path("weights"), given, said.append).start(network, "network1")
    assert not network.body.conv1.conv.weight.any()
    assert torch.equal(network.body.conv2.conv.weight, given["conv2.conv.weight"])
    assert "drawn anew: body.conv1.conv.weight, head.weight, head.bias; not used: aux1.conv.conv.weight" in said[0]


def test_a_file_that_cannot_be_read_is_named_by_the_parameter(tmp_path: Path) -> None:
    (tmp_path / "cut.safetensors").write_bytes(b"\x40")
    with pytest.raises(nlcore.UserError, match=r"architecture\.pretrained = .*cut\.safetensors: cannot be read"):
        read_weights(tmp_path / "cut.safetensors", print, PretrainedWeights)
