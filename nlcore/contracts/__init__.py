"""
What a plugin may rely on: a contract for each kind, and the records that pass between the engine and components.

Letters: B batch, K classes, N training samples, C/H/W channels, height, width. Labels are int64 and 0..K-1. Epochs
count from 1. A component has the methods of its protocol; those under "Optional" in its docstring are used where they
are there. Any component may have ``defaults``, a mapping of the settings that it was published with, as in a recipe
(``{"lr": 0.02, "optimizer": "sgd"}``): they stand below the dataset's own and below whatever the user says.
"""

from nlcore.contracts.architecture import Architecture, Network
from nlcore.contracts.augmentation import Augmentation, Draws
from nlcore.contracts.batch import Batch, Pass
from nlcore.contracts.dataset import Data, Dataset, DatasetContext, ImageStore, Labels, Split
from nlcore.contracts.detector import Detection, Detector, LabelEvidence, Rows, row_chunks
from nlcore.contracts.estimator import Estimate, Estimator, Evidence
from nlcore.contracts.executor import Executor, Job, Outcome, Work
from nlcore.contracts.loss import Loss, LossContext
from nlcore.contracts.noise import NoiseContext, NoiseInfo, NoiseModel
from nlcore.contracts.optimizer import Optimizer
from nlcore.contracts.strategy import Strategy, StrategyContext
from nlcore.contracts.tracker import Tracker

__all__ = [
    "Architecture",
    "Augmentation",
    "Batch",
    "Data",
    "Dataset",
    "DatasetContext",
    "Detection",
    "Detector",
    "Draws",
    "Estimate",
    "Estimator",
    "Evidence",
    "Executor",
    "ImageStore",
    "Job",
    "LabelEvidence",
    "Labels",
    "Loss",
    "LossContext",
    "Network",
    "NoiseContext",
    "NoiseInfo",
    "NoiseModel",
    "Optimizer",
    "Outcome",
    "Pass",
    "Rows",
    "Split",
    "Strategy",
    "StrategyContext",
    "Tracker",
    "Work",
    "row_chunks",
]
