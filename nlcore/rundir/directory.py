"""
The directory of one run: its files, and the order in which they are written.

    config.toml          the experiment, accepted by ``nl run``
    environment.json     versions, device, precision, threads, the plugins that were used
    labels.npz           ids, given and true labels, what was held out
    noise.json           the noise: what was declared, what is realised
    metrics.jsonl        one line an epoch
    checkpoint-*.pt      all that training needs to go on
    weights.safetensors  the final weights, names prefixed by network
    model.json           what a model needs besides its weights: with them it can be handed on
    repeats.csv          images that are in train and test, or under several labels, if there are any
    margins.npz          how far each given label was ahead in each epoch, where that is kept (nlcore.runs.margins)
    selection.csv        what the method thinks of each label, where it has an opinion
    confusion.csv        how often each true class of the test set was predicted as each other
    samples.png          training images with given and true labels, if the run has trackers
    curves.png           test accuracy and memorised wrong labels
    confusion.png        the confusion matrix as a picture
    summary.json         the status, and at the end the result

``summary.json`` is there from the start with the status ``running``, and its status is the truth about the run.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlcore.errors import UserError
from nlcore.rundir import durable
from nlcore.rundir.noise_report import as_text, describe
from nlcore.rundir.place import check_writable, make_folder, nearest

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import nn

    from nlcore.data.repeats import Repeated
    from nlcore.data.run_data import RunData

#: Statuses of a run that has ended and will not go on.
ENDED = ("done", "diverged")


@dataclass(frozen=True)
class RunDirectory:
    """Reads and writes one run's files."""

    path: Path

    @property
    def exists(self) -> bool:
        """Whether a run was begun here."""
        try:
            return (self.path / "summary.json").is_file()
        except (OSError, ValueError):  # no path that there could be
            return False

    def check_place(self) -> None:
        """
        Check that the directory could be made, without making it.

        Raises:
            UserError: a part of its path is a file or may not be written to, or it holds something else.

        """
        try:
            there = nearest(self.path)
            files = [file.name for file in there.iterdir()] if there == self.path and there.is_dir() else []
        except (OSError, ValueError) as error:
            raise UserError(f"{self.path} cannot be a run directory: {error}.") from None
        if not there.is_dir():
            raise UserError(f"{there} is a file, so no run can be written to it. Choose a folder with --runs-dir.")
        check_writable(there, "--runs-dir")
        # Of a run that was killed before it began.
        begun = {"config.toml", "environment.json", "labels.npz", "noise.json", "repeats.csv"}
        others = [name for name in files if not name.startswith(".") and not (name in begun and ".lock" in files)]
        if others:
            raise UserError(f"{there} holds files, but no run of nlcore. Choose another name with --name.")

    def unused(self) -> RunDirectory:
        """Return this directory, or with the first number behind its name that is not taken."""
        number, path = 2, self.path
        while path.exists():
            path, number = self.path.with_name(f"{self.path.name}-{number}"), number + 1
        return RunDirectory(path)

    def create(self) -> None:
        """
        Make the directory.

        Raises:
            UserError: it cannot be made.

        """
        make_folder(self.path, "--runs-dir")

    def write_json(self, name: str, content: Mapping[str, Any]) -> None:
        """Write a JSON file in one piece: readers see the old one or the new one."""
        durable.write(self.path / name, (json.dumps(content, indent=2, allow_nan=False) + "\n").encode())

    def write_config(self, config: Mapping[str, Any]) -> None:
        """Write ``config.toml``."""
        import tomli_w

        durable.write(self.path / "config.toml", tomli_w.dumps(config).encode())

    def append_metrics(self, row: Mapping[str, Any]) -> None:
        """Add one line to ``metrics.jsonl``."""
        durable.append(self.path / "metrics.jsonl", json.dumps(row, allow_nan=False))

    def write_metrics(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write ``metrics.jsonl`` anew with these rows."""
        lines = "".join(json.dumps(row, allow_nan=False) + "\n" for row in rows)
        durable.write(self.path / "metrics.jsonl", lines.encode())

    def write_picture(self, name: str, png: bytes) -> None:
        """Write a picture."""
        durable.write(self.path / name, png)

    def write_repeats(self, repeated: Sequence[Repeated]) -> None:
        """Write ``repeats.csv``: where the same pixels are in train and test, or under several labels, if anywhere."""
        import csv

        if not repeated:
            return
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(("group", "part", "id", "label"))
        writer.writerows((one.group, one.part, one.id, one.label) for one in repeated)
        durable.write(self.path / "repeats.csv", text.getvalue().encode("utf-8", "surrogateescape"))

    def write_confusion(self, classes: Sequence[str], confusion: NDArray[np.int64]) -> None:
        """Write ``confusion.csv``: a row for each true class of the test set, a column for each predicted one."""
        import csv

        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(("true", *classes))
        writer.writerows((name, *row) for name, row in zip(classes, confusion.tolist(), strict=True))
        durable.write(self.path / "confusion.csv", text.getvalue().encode())

    def confusion(self) -> tuple[tuple[str, ...], list[list[int]]] | None:
        """
        Return ``confusion.csv``: the names of the K classes and counts [true][predicted]; None where there is none.

        Raises:
            UserError: it is not what a run writes.

        """
        import csv

        path = self.path / "confusion.csv"
        try:
            (_, *classes), *rows = csv.reader(io.StringIO(path.read_text(encoding="utf-8"), newline=""))
            counts = [[int(count) for count in row] for _, *row in rows]
        except FileNotFoundError:
            return None
        except (OSError, ValueError, csv.Error) as error:
            raise UserError(f"{path} cannot be read: {error}.") from None
        if [name for name, *_ in rows] != classes or any(len(row) != len(classes) for row in counts):
            raise UserError(f"{path} is not what a run writes.")
        return tuple(classes), counts

    def write_labels(self, data: RunData, noise: Mapping[str, Any]) -> None:
        """
        Write ``labels.npz``: the training samples in their order, then those held out; and ``noise.json``.

        Trusted samples are arrays of their own. With the labels go `noise` as JSON text, the realised transition matrix
        (share of true class i given as j) and their SHA-256.
        """
        import numpy as np

        parts = [(data.train, data.truth.train, False)]
        if data.validation:
            parts.append((data.validation, data.truth.validation, True))
        true = [labels for _, labels, _ in parts if labels is not None]
        transition = data.truth.transition
        told = data.trusted
        trusted: dict[str, Any] = {"trusted_ids": told.ids, "trusted": told.labels} if told else {}
        content = io.BytesIO()
        np.savez_compressed(
            content,
            ids=np.concatenate([samples.ids for samples, _, _ in parts]),
            given=np.concatenate([samples.labels for samples, _, _ in parts]),
            true=np.concatenate(true) if true else np.empty(0, np.int64),
            validation=np.concatenate([np.full(len(samples), held_out) for samples, _, held_out in parts]),
            classes=np.array(data.classes),
            transition=np.zeros((0, 0)) if transition is None else transition,
            noise=np.array(json.dumps(noise)),
            sha256=np.array(data.labels_sha256),
            **trusted,
        )
        durable.write(self.path / "labels.npz", content.getbuffer())
        durable.write(self.path / "noise.json", as_text(describe(data, noise)).encode())

    def write_weights(self, networks: Mapping[str, nn.Module]) -> None:
        """Write ``weights.safetensors``: contiguous copies, names prefixed by network."""
        from safetensors.torch import save

        tensors = {
            f"{name}.{key}": value.detach().cpu().contiguous().clone()
            for name, network in networks.items()
            for key, value in network.state_dict().items()
        }
        durable.write(self.path / "weights.safetensors", save(tensors))

    def summary(self) -> dict[str, Any]:
        """Return ``summary.json``."""
        return self.read_json("summary.json")

    def metrics(self) -> list[dict[str, Any]]:
        """
        Return the rows of ``metrics.jsonl``; a torn last line does not count.

        Raises:
            UserError: it is not what a run writes.

        """
        path = self.path / "metrics.jsonl"
        rows = []
        for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
            try:
                rows.append(json.loads(line))
            except json.JSONDecodeError:
                break
        if not all(map(_is_epoch, rows)):
            raise UserError(f"{path} is not what a run writes.")
        return rows

    def read_json(self, name: str) -> dict[str, Any]:
        """
        Return a JSON file's content.

        Raises:
            UserError: it is not there, or not what a run writes.

        """
        try:
            content = json.loads((self.path / name).read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise UserError(
                f"{self.path} is no run, or was stopped before it began: it has no {name}. 'nl table' lists runs."
            ) from None
        except (OSError, ValueError) as error:
            raise UserError(f"{self.path / name} cannot be read: {error}.") from None
        if not isinstance(content, dict):
            raise UserError(f"{self.path / name} is not what a run writes.")
        return content


def _is_epoch(row: object) -> bool:
    """Return whether this is what was measured in an epoch: its number, and numbers by name."""
    if not isinstance(row, dict) or not isinstance(row.get("epoch"), int):
        return False
    return all(value is None or isinstance(value, int | float) for value in row.values())
