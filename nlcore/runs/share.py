"""What the other processes of a run do: the same training, of which they write nothing."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, fields, replace
from typing import Any

from nlcore.config.experiment import Experiment, resolve
from nlcore.config.recipe import flat_recipe
from nlcore.config.settings import Storage
from nlcore.contracts import NoiseInfo
from nlcore.data.run_data import RunData
from nlcore.errors import RunError
from nlcore.runs.team import Team, team
from nlcore.training.build import build, load_data
from nlcore.training.hardware import resolve_hardware
from nlcore.training.processes import Processes
from nlcore.training.trainer import DivergedError


@dataclass(frozen=True)
class Share:
    """
    All that another process needs to train the same run.

    Attributes:
        recipe: the experiment, every parameter written out.
        storage: where its data lie.
        labels_sha256: of the labels that the first process has.
        precision, threads: that it computes with.
        state: to go on from, or None.
        done: how many epochs are done.

    """

    recipe: Mapping[str, Any]
    storage: Mapping[str, Any]
    labels_sha256: str
    precision: str
    threads: str
    state: Mapping[str, Any] | None
    done: int


def team_of(experiment: Experiment) -> AbstractContextManager[Team]:
    """Have the processes of a run inside."""
    settings = experiment.settings
    return team(settings.devices, settings.num_nodes, settings.device)


def tell_share(
    team: Team,
    experiment: Experiment,
    data: RunData,
    precision: str | None = None,
    threads: str | None = None,
    state: Mapping[str, Any] | None = None,
) -> Processes:
    """
    Let the other processes train a run too, and return all of them.

    Args:
        team: the processes.
        experiment: the run.
        data: its data.
        precision, threads: that an earlier part of the run was computed with.
        state: of the checkpoint to go on from.

    """
    if team.processes.count > 1:
        settings = experiment.settings
        precision, threads = precision or settings.precision, threads or settings.threads
        hardware = resolve_hardware(settings.device, precision, threads, processes=team.processes)
        storage = {item.name: getattr(experiment.storage, item.name) for item in fields(Storage)}
        share = Share(
            recipe=flat_recipe(experiment.config()),
            storage={key: value for key, value in storage.items() if value is not None},
            labels_sha256=data.labels_sha256,
            precision=hardware.precision,
            threads=str(hardware.threads),
            state=state["training"] if state else None,
            done=len(json.loads(state["rows"])) if state else 0,
        )
        team.tell(train_share, share)
    return team.processes


def train_share(processes: Processes, share: Share) -> None:
    """
    Train a run together with the first process.

    Raises:
        RunError: other data lie here.

    """
    experiment = resolve(share.recipe, share.storage)
    offline = replace(experiment, storage=replace(experiment.storage, no_download=True))
    data = load_data(offline, _nobody)
    if data.labels_sha256 != share.labels_sha256:
        raise RunError(f"{experiment.data_dir} holds other data here than where the first process of the run is.")
    trainer = build(
        experiment, data, share.precision, share.threads, estimate=_estimated_by_the_first, processes=processes
    )
    if share.state is not None:
        trainer.load_state_dict(share.state)
    with (
        trainer.hardware.computing(),
        contextlib.suppress(DivergedError),  # the first process says so
    ):
        trainer.run([], share.done)
        trainer.final()
        with contextlib.suppress(Exception):  # the first process leaves out what cannot be had
            trainer.evaluator.opinions()


def _estimated_by_the_first() -> NoiseInfo:
    raise AssertionError("The first process estimates for all.")


def _nobody(text: str) -> None:
    """Listen to what the first process says already."""
