"""Weights & Biases: the run as one there, online or kept for later."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from nlcore import UserError, parameter
from nlcore_builtins.installed import require
from nlcore_builtins.trackers.shown import FIRST, LAST, as_markdown, note, noted, numbers, pictures, saved

_NOTE = "wandb.json"
_SECONDS = 30.0  # to wait for a server, at the beginning and for what is still to be sent at the end


@dataclass
class WeightsAndBiases:
    """
    Tracks the run with Weights & Biases: configuration, every metric of each epoch, the plan as notes, pictures.

    The pictures are a sheet of training images with given and true labels, and when the run is done its curves and its
    confusion matrix. Offline, all is written to ``wandb/`` in the run's directory, and ``wandb sync`` sends it later. A
    run that is resumed goes on under the same id, which is kept in ``wandb.json``: online with the epochs that the
    server does not have, offline in a further folder, which holds all epochs anew.

    Needs the package wandb.
    """

    project: str | None = parameter(None, "project (default: WANDB_PROJECT, else nlcore)")
    entity: str | None = parameter(None, "user or team (default: WANDB_ENTITY, else your own)")
    mode: Literal["online", "offline"] | None = parameter(
        None, "send to the server or keep in the run's directory (default: WANDB_MODE, else online if logged in)"
    )

    def __post_init__(self) -> None:
        """
        Find before any work is done that it cannot be used.

        Raises:
            NotInstalledError: wandb is not installed.
            UserError: the mode is online and nobody is logged in.

        """
        require("tracker", "wandb", "wandb")
        if self.mode == "online" and not _logged_in():
            raise UserError(
                "tracker wandb: mode = online, but nobody is logged in, or WANDB_MODE says otherwise. Type: wandb "
                "login. Or keep the run for later with --tracker.mode offline."
            )

    def start(self, run_dir: Path, config: Mapping[str, Any], done: int) -> None:
        """Begin a run, or go on with the one that belongs to the directory."""
        import wandb

        self._run_dir, self._epoch = run_dir, 0
        known = noted(run_dir / _NOTE)
        if not known:
            known = {"id": secrets.token_hex(4)}
            note(run_dir / _NOTE, known)
        mode = self.mode or os.environ.get("WANDB_MODE") or ("online" if _logged_in() else "offline")
        self._run = wandb.init(
            project=self.project or os.environ.get("WANDB_PROJECT") or "nlcore",
            entity=self.entity,
            id=known["id"],
            name=run_dir.name,
            dir=run_dir,
            config=dict(config),
            allow_val_change=True,  # a run that is resumed may have more epochs
            mode=mode,
            resume="allow" if mode == "online" else None,  # offline the server finds the same id
            reinit="create_new",  # several runs may go on in one process
            settings=wandb.Settings(
                console="off", quiet=True, silent=mode != "online", init_timeout=_SECONDS, finish_timeout=_SECONDS
            ),
        )
        if not self._run.step:  # a step that is there already takes nothing more
            self._show(FIRST)
        for row in saved(run_dir, done):  # wandb keeps what it is told to itself for seconds, and it is lost in a crash
            self.epoch(row)

    def plan(self, words: Mapping[str, str]) -> None:
        """Write the plan as the run's notes."""
        self._run.notes = as_markdown(words)

    def epoch(self, row: Mapping[str, Any]) -> None:
        """Write the metrics that are known, unless the server has the epoch already."""
        self._epoch = row["epoch"]
        if self._epoch >= self._run.step:
            self._run.log(numbers(row), step=self._epoch)

    def end(self, summary: Mapping[str, Any]) -> None:
        """Write the final pictures and say how the run ended."""
        if summary["status"] == "done":
            self._show(LAST)
        self._run.finish(exit_code=0 if summary["status"] == "done" else 1)

    def _show(self, names: tuple[str, ...]) -> None:
        import wandb

        shown = {name: wandb.Image(str(file)) for name, file in pictures(self._run_dir, names).items()}
        if shown:
            self._run.log(shown, step=self._epoch)


def _logged_in() -> bool:
    """Tell whether there is a key, without asking the user or the server."""
    import wandb

    try:
        return bool(wandb.login(prompt=False, verify=False))
    except wandb.errors.AuthenticationError:  # what there is is no key
        return False
