"""Networks that start from pretrained weights: those that their architecture names, and the images that they want."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from torch import nn

from nlcore.config.experiment import Experiment
from nlcore.contracts import DatasetContext
from nlcore.data.run_data import RunData
from nlcore.errors import UserError
from nlcore.host.selection import Selection
from nlcore.training.initial import InitialWeights, read_weights, some


class PretrainedWeights(InitialWeights):
    """Weights that an architecture starts from: those of the same model, of which nothing but the head may differ."""

    setting = "architecture.pretrained"

    def _check(self, network: nn.Module, lacking: list[str], unlike: list[str], left: list[str]) -> None:
        """
        Refuse weights of another model.

        Raises:
            UserError: they lack a tensor, or have one of another shape or one that the model has not, outside of head,
                adapted stem and auxiliary classifiers.

        """
        free = ("head.", *getattr(network, "adapted", ()))
        lacking, unlike = ([key for key in keys if not key.startswith(free)] for keys in (lacking, unlike))
        own_name: Callable[[str], str | None] = getattr(network, "own_name", str)
        foreign = [key for key in left if not (own_name(key) or "head.").startswith("head.")]
        if lacking or unlike or foreign:
            wrong = [f"they lack {some(lacking)}"] * bool(lacking)
            wrong += [f"of another shape are {some(unlike)}"] * bool(unlike)
            wrong += [f"the network has no {some(foreign)}"] * bool(foreign)
            raise UserError(
                f"{self.setting} = {self._path}: these are weights of another network, or for images of another size: "
                f"{'; '.join(wrong)}. Choose the architecture.model that they are for, or start from what fits of them "
                f"with --init {self._path}"
            )


def initial_weights(experiment: Experiment, report: Callable[[str], None]) -> InitialWeights | None:
    """
    Return what the networks of an experiment start from: ``--init``, else what its architecture says; None for neither.

    Args:
        experiment: what to run.
        report: takes a line of text for the user.

    Raises:
        UserError: there is no such file, it could not be downloaded, or it is no file of weights.

    """
    if experiment.settings.init is not None:
        return read_weights(Path(experiment.settings.init), report)
    file = pretrained_file(experiment, report)
    return None if file is None else read_weights(file, report, PretrainedWeights)


def pretrained_file(experiment: Experiment, report: Callable[[str], None] = lambda text: None) -> Path | None:
    """
    Return the file of weights that the architecture of an experiment starts from, None where there is none.

    Args:
        experiment: what to run; with ``--init`` its networks start from something else.
        report: is told of a download.

    Raises:
        UserError: there is no such file, or it could not be downloaded.

    """
    architecture = experiment["architecture"].sample
    if experiment.settings.init is not None or not hasattr(architecture, "weights_file"):
        return None
    source = DatasetContext(experiment.data_dir, not experiment.storage.no_download, report)
    file: Path | None = architecture.weights_file(source)
    return file


def normalised_for(architecture: Selection, data: RunData) -> RunData:
    """
    Return the data with the mean and std that the network's weights want, where it says so.

    Raises:
        UserError: they are for another number of channels.

    """
    wanted = getattr(architecture.sample, "normalisation", None)
    if wanted is None:
        return data
    mean, std = (tuple(map(float, values)) for values in wanted)
    channels = data.image_shape[0]
    if not (len(mean) == len(std) == channels and min(std) > 0):
        raise UserError(
            f"The architecture {architecture.name} wants images of {len(mean)} channels (normalised by mean {mean} and "
            f"std {std}); these have {channels}."
        )
    return replace(data, mean=mean, std=std)


def say_small(architecture: Selection, data: RunData, report: Callable[[str], None]) -> None:
    """Say where the images are smaller than those that the network's weights were trained on."""
    trained = getattr(architecture.sample, "trained_size", None)
    _, height, width = data.image_shape
    if trained is not None and min(height, width) < trained:
        report(
            f"The weights were trained on images of {trained}×{trained} pixels, and these have {width}×{height}: "
            f"they know more of larger ones. For a folder of images give --dataset.size {trained}, or what time allows."
        )
