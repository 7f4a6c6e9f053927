"""Every training sample is predicted by a network that has not seen it, nor the truth."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers import TINY

from nlcore.config.experiment import Experiment, resolve
from nlcore.config.settings import TrainingSettings
from nlcore.data.run_data import RunData
from nlcore.training import out_of_sample as module
from nlcore.training.build import build, load_data
from nlcore.training.out_of_sample import out_of_sample, warm_up_epochs
from nlcore.training.trainer import Trainer


@pytest.mark.slow
def test_each_part_is_predicted_by_a_network_that_learnt_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    experiment = resolve({**TINY, "strategy": "co_teaching", "loss": "gce", "ema": 0.9})
    data = load_data(experiment, print)
    trained: list[RunData] = []

    def watched(experiment: Any, part: RunData) -> Trainer:
        assert experiment["strategy"].name == "standard"
        assert experiment["loss"].name == "cross_entropy"
        assert experiment["architecture"].params["width"] == 4
        trained.append(part)
        return build(experiment, part)

    monkeypatch.setattr(module, "build", watched)
    evidence = out_of_sample(experiment, data, 3, 1)
    assert evidence.probabilities.shape == (1442, 10)
    np.testing.assert_allclose(evidence.probabilities.sum(1), 1)
    assert evidence.features is not None
    assert evidence.features.shape[0] == 1442
    assert abs(evidence.features).sum(1).min() > 0
    np.testing.assert_array_equal(evidence.given, data.train.labels)
    held = [set(data.train.ids.tolist()) - set(part.train.ids.tolist()) for part in trained]
    assert sum(map(len, held)) == 1442
    assert set.union(*held) == set(data.train.ids.tolist())
    assert all(part.truth.train is None for part in trained)


@pytest.mark.slow
def test_the_same_again() -> None:
    experiment = resolve(TINY)
    data = load_data(experiment, print)
    one, other = (out_of_sample(experiment, data, 2, 1) for _ in range(2))
    np.testing.assert_array_equal(one.probabilities, other.probabilities)


@pytest.mark.parametrize(
    ("samples", "folds", "batch", "most", "epochs"),
    [
        (50_000, 5, 128, None, 10),
        (1442, 5, 128, None, 34),
        (10, 2, 128, None, 300),
        (50_000, 5, 128, 1000, 10),
        (50_000, 5, 128, 20, 15),  # 300 steps in epochs of 20
    ],
)
def test_a_warm_up_is_ten_epochs_or_three_hundred_steps(
    samples: int, folds: int, batch: int, most: int | None, epochs: int
) -> None:
    assert warm_up_epochs(samples, folds, TrainingSettings(batch_size=batch, epoch_batches=most)) == epochs


def test_where_a_head_is_trained_alone_heads_alone_predict(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class Seen(Exception):  # noqa: N818  (no error: it ends the test)
        """The experiment of a warm-up."""

    def seen(experiment: Experiment, part: RunData) -> Trainer:
        raise Seen(experiment.settings.freeze, experiment.settings.epochs)

    monkeypatch.setattr(module, "build", seen)
    torch.save({"conv1.weight": torch.zeros(1)}, tmp_path / "weights.pt")
    experiment = resolve({**TINY, "init": str(tmp_path / "weights.pt"), "freeze": 15, "epochs": 20})
    with pytest.raises(Seen) as found:
        out_of_sample(experiment, load_data(experiment, print), 2, 10)
    assert found.value.args == ("all", 10)
