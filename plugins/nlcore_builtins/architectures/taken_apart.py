"""
Networks of other libraries, taken apart: the model up to its last dense layer, and that layer.

    logits = head(features(x))
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

#: What only holds the parts that follow each other.
CONTAINERS = ("features", "layers", "blocks", "stages", "trunk_output", "encoder", "classifier")
BACKBONE_LR = "the factor of the learning rate of all but the head: 0.1 keeps pretrained features near what they are"
LAYER_DECAY = "the factor of the learning rate from each layer to the one before it; 0.65 to 0.9 is usual, 1 is none"
NORMS = (nn.modules.batchnorm._BatchNorm, nn.LayerNorm)


class Net(nn.Module):
    """
    A model of a library that can be taken apart.

    Args:
        body: the model; its head is taken out of it.
        place: the name of its head, a dense layer, in the model.
        renamed: gives the name in the model of a tensor of its published weights, None for one that it does not have.
        adapted: the names in the model of tensors that are for other images than the published ones.

    """

    def __init__(
        self,
        body: nn.Module,
        place: str,
        renamed: Callable[[str], str | None] = str,
        adapted: tuple[str, ...] = (),
    ) -> None:
        super().__init__()
        head = body.get_submodule(place)
        assert isinstance(head, nn.Linear)
        body.set_submodule(place, nn.Identity())
        self.body, self.head = body, head
        self.adapted = tuple(f"body.{name}" for name in adapted)
        self._place, self._renamed = place, renamed

    def features(self, x: Tensor) -> Tensor:
        """Map images (B, C, H, W) to (B, D)."""
        features: Tensor = self.body(x)
        return features

    def forward(self, x: Tensor) -> Tensor:
        """Map images (B, C, H, W) to logits (B, K)."""
        logits: Tensor = self.head(self.features(x))
        return logits

    def stages(self) -> list[nn.Module]:
        """Return the model's parts in order, a normalisation with the part before it, and the head."""
        stages: list[nn.Module] = []
        for part in _parts(self.body):
            if stages and isinstance(part, NORMS):
                stages[-1] = nn.ModuleList([stages[-1], part])
            else:
                stages.append(part)
        return [*stages, self.head]

    def own_name(self, published: str) -> str | None:
        """Return the name here of a tensor of the model's published weights, None for one that is left out."""
        name = self._renamed(published)
        if name is None:
            return None
        inside = name.removeprefix(f"{self._place}.")
        return f"body.{name}" if inside == name else f"head.{inside}"


class SlowerBody(Net):
    """A model whose body learns at other rates than its head."""

    factors: Mapping[str, float]  # of the rates, by the names that the body's parameters have in it

    def param_groups(self) -> list[dict[str, Any]]:
        """Return the body's parameters, those of one rate together with its factor, and the head's."""
        alike: dict[float, list[nn.Parameter]] = {}
        for name, parameter in self.body.named_parameters():
            alike.setdefault(self.factors[name], []).append(parameter)
        body = [{"params": parameters, "lr_factor": factor} for factor, parameters in alike.items()]
        return [*body, {"params": list(self.head.parameters())}]


def take_apart(
    body: nn.Module,
    place: str,
    backbone_lr: float,
    layer_decay: float = 1.0,
    renamed: Callable[[str], str | None] = str,
    adapted: tuple[str, ...] = (),
    depths: Mapping[str, int] | None = None,
) -> Net:
    """
    Return a model as a network.

    The rate of a layer is η b d^(L − l): η that of the head, which is layer L, b `backbone_lr` and d `layer_decay`.
    That is BEiT's layer-wise decay (Bao et al. 2022, arXiv:2106.08254, appendix) for b = 1.

    Args:
        body, place, renamed, adapted: as for `Net`.
        backbone_lr: b, the factor of the body's learning rate.
        layer_decay: d, the factor from each layer to the one before it.
        depths: l by the names of the model's parameters, the head's among them; the stages are the layers where None.

    """
    if backbone_lr == layer_decay == 1:
        return Net(body, place, renamed, adapted)
    network = SlowerBody(body, place, renamed, adapted)
    if depths is None:
        stages = network.stages()
        of = {id(parameter): depth for depth, stage in enumerate(stages) for parameter in stage.parameters()}
        depths = {name: of[id(parameter)] for name, parameter in body.named_parameters()}
        depths[f"{place}.weight"] = len(stages) - 1
    top = depths[f"{place}.weight"]
    network.factors = {name: backbone_lr * layer_decay ** (top - depth) for name, depth in depths.items()}
    return network


def last_dense_layer(model: nn.Module) -> str:
    """Return the name of the last dense layer of a model."""
    names: list[str] = [name for name, part in model.named_modules() if isinstance(part, nn.Linear)]
    return names[-1]


def try_images(network: nn.Module, image_shape: tuple[int, int, int]) -> None:
    """
    Let two images of this size pass; nothing is computed, as torch's meta device has shapes only.

    Raises:
        RuntimeError, ValueError, AssertionError: what a network says to images that it cannot take.

    """
    tensors = dict([*network.named_parameters(), *network.named_buffers()])
    shapes = {name: tensor.detach().to("meta") for name, tensor in tensors.items()}
    torch.func.functional_call(network, shapes, torch.empty(2, *image_shape, device="meta"))


def _parts(module: nn.Module) -> Iterator[nn.Module]:
    """Give the parts of a model that have weights, in order; its own, such as a vision transformer's token, first."""
    own = list(module.parameters(recurse=False))
    if own:
        yield nn.ParameterList(own)
    for name, child in module.named_children():
        if name in CONTAINERS:
            yield from _parts(child)
        elif any(True for _ in child.parameters()):
            yield child
