"""What an architecture is: a network for any number of classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from torch import Tensor, nn


class Network(Protocol):
    """
    What an architecture builds: an ``nn.Module`` that can be called, and taken apart.

    Optional:
        ``capturable = False`` where Python decides what ``forward`` does from call to call, so that a step with it must
        not be recorded and replayed.
        ``param_groups() -> list[dict]``: its parameters, each in one group, ``{"params": [...], "lr_factor": 0.1}``: a
        smaller rate for a pretrained backbone, no ``weight_decay`` on biases. ``lr_factor`` multiplies the optimiser's
        rate; any other key is an option of the optimiser.
        ``own_name(published) -> str | None``: the name in its ``state_dict`` of a tensor of published weights, None for
        one that it leaves out; so ``--init`` and ``weights_file`` take files of the library that a model comes from.
        ``adapted``: the names of tensors that are drawn anew beside the head's, as they are for other images.
    """

    head: nn.Module

    def features(self, x: Tensor) -> Tensor:
        """Map images (B, C, H, W) to what the head takes, (B, D)."""

    def stages(self) -> list[nn.Module]:
        """Return the parts in order from input to head; together they hold every parameter."""


class Architecture(Protocol):
    """
    A network for any number of classes and any image size. Weights are drawn from torch's global generator.

    Optional:
        ``normalisation``: ``(mean, std)`` per channel, of values scaled to 0..1, that its weights were trained with;
        goes before the dataset's. None where any will do.
        ``trained_size``: the size in pixels of the images that they were trained on, None where there are none.
        ``weights_file(source: DatasetContext) -> Path | None``: the file of weights that its networks start from, but
        for the head; downloaded where that is needed and allowed. It is part of what decides a run. Raises
        `nlcore.UserError` where there is none.
    """

    def build(self, num_classes: int, image_shape: tuple[int, int, int]) -> nn.Module:
        """Return a network that maps (B, C, H, W) to logits (B, K) and has what `Network` says."""
