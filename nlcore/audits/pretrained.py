"""Features of all samples from a network that brings its weights along: one pass, nothing is trained."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from nlcore.audits.samples import Samples
from nlcore.config.experiment import Experiment
from nlcore.data.views import Normalise
from nlcore.errors import UserError
from nlcore.host.boundary import attributed
from nlcore.runs.terminal import Terminal
from nlcore.training.allocator import keeping_memory
from nlcore.training.hardware import resolve_hardware
from nlcore.training.pretrained import initial_weights

_BATCH = 64


def network_features(
    experiment: Experiment, samples: Samples, mirrored: bool, terminal: Terminal
) -> NDArray[np.float32]:
    """
    Return a network's features of plain images, float32 (N, D).

    Args:
        experiment: whose network it is, with its weights.
        samples: N.
        mirrored: whether to take the mean of those of an image and of its mirror image.
        terminal: is told how far it is.

    Raises:
        UserError: the network cannot take these images.

    """
    settings, chosen = experiment.settings, experiment["architecture"]
    hardware = resolve_hardware(settings.device, settings.precision, settings.threads)
    wanted = getattr(chosen.sample, "normalisation", None) or (samples.data.mean, samples.data.std)
    mean, std = (tuple(map(float, values)) for values in wanted)
    shape = samples.images.image_shape
    if len(mean) != shape[0]:
        raise UserError(f"The architecture {chosen.name} wants images of {len(mean)} channels; these have {shape[0]}.")
    normalise = Normalise(mean, std, hardware.device)
    found: list[NDArray[np.float32]] = []
    with attributed(experiment.entries), keeping_memory(hardware.device), torch.no_grad():
        torch.manual_seed(settings.seed)
        drawn = chosen.create().build(samples.num_classes, shape)
        weights = initial_weights(experiment, terminal.line)
        if weights is not None:
            weights.start(drawn, "network1")
        network: Any = hardware.place(drawn.to(hardware.device)).eval()
        for start in range(0, len(samples), _BATCH):
            terminal.progress_of(start, len(samples), "images described")
            images = samples.images.fetch(np.arange(start, min(start + _BATCH, len(samples))))
            pixels = torch.from_numpy(np.ascontiguousarray(images)).to(hardware.device).permute(0, 3, 1, 2)
            views = [pixels, pixels.flip(3)] if mirrored else [pixels]
            features = torch.stack([network.features(normalise(view)).float() for view in views]).mean(0)
            found.append(features.flatten(1).cpu().numpy())
    terminal.progress_of(1, 1, "")
    return np.concatenate(found)
