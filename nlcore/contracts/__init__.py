"""
The five contracts, and the records that pass between the engine and the components.

Letters: B batch, K classes, N training samples, C/H/W channels, height, width. Labels are int64 and 0..K-1. Epochs
count from 1. A component has the methods of its protocol; those under "Optional" in its docstring are used where they
are there.
"""

from collections.abc import Mapping

from nlcore.contracts.architecture import Architecture, Network
from nlcore.contracts.dataset import Augmentation, Data, Dataset, DataSource, ImageStore, Labels, Split
from nlcore.contracts.loss import Loss, LossContext
from nlcore.contracts.noise import NoiseInfo, NoiseModel, SampleData
from nlcore.contracts.strategy import Batch, Pass, Strategy, StrategyContext

__all__ = [
    "REQUIRED",
    "Architecture",
    "Augmentation",
    "Batch",
    "Data",
    "DataSource",
    "Dataset",
    "ImageStore",
    "Labels",
    "Loss",
    "LossContext",
    "Network",
    "NoiseInfo",
    "NoiseModel",
    "Pass",
    "SampleData",
    "Split",
    "Strategy",
    "StrategyContext",
]

#: The methods that a class must have to fit its role; all others are optional.
REQUIRED: Mapping[str, tuple[str, ...]] = {
    "dataset": ("load",),
    "noise": ("corrupt",),
    "architecture": ("build",),
    "loss": ("__call__",),
    "strategy": ("setup", "step", "predict"),
}
