"""The trackers that come with nlcore."""

from __future__ import annotations

from nlcore import Component, hookimpl

NLCORE_API = 1


@hookimpl
def nl_trackers() -> list[Component]:
    """Return the built-in trackers."""
    return [
        Component(
            "csv",
            "nlcore_builtins.trackers.csv_table:CsvTable",
            "A table of the metrics, metrics.csv, in the run's directory.",
        ),
        Component(
            "mlflow",
            "nlcore_builtins.trackers.mlflow:MLflow",
            "MLflow: a database beside the runs, a folder or a server.",
        ),
        Component(
            "tensorboard",
            "nlcore_builtins.trackers.tensorboard:TensorBoard",
            "Curves and pictures in TensorBoard, written beside the run's files.",
        ),
        Component(
            "wandb",
            "nlcore_builtins.trackers.wandb:WeightsAndBiases",
            "Weights & Biases, online or offline.",
        ),
    ]
