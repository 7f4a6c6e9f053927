"""The noisy training data of an experiment, without training: what ``nl noise`` and ``nl samples`` look at."""

from __future__ import annotations

from nlcore.config.experiment import Experiment
from nlcore.config.named import check_named_files
from nlcore.contracts import DatasetContext
from nlcore.data.run_data import RunData
from nlcore.runs.terminal import Terminal


def noisy_data(experiment: Experiment, terminal: Terminal) -> RunData:
    """
    Load an experiment's data and make their labels wrong, as its run does.

    Raises:
        UserError: data that are not there, or noise that does not fit them.

    """
    from nlcore.data.prepare import prepare

    check_named_files(experiment["noise"])
    source = DatasetContext(experiment.data_dir, not experiment.storage.no_download, terminal.line)
    dataset, noise = experiment["dataset"].create(), experiment["noise"].create()
    return prepare(dataset, noise, source, noise_seed=experiment.settings.noise_seed)
