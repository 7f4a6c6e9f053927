"""
The directory of an audit.

    audit.json           its id, and what was asked for
    samples.npz          ids, given labels and digests of the pixels that it began with
    checks.json          what is certain without a model
    folds/               the runs of cross-validation, what they predict and the margins that they went through
    features.npz         of a pretrained network
    probabilities.npz    ids, folds, classes, probabilities (N, K) float32, labels: what other tools take
    issues.csv           each sample with given and suggested label, the most suspicious first
    report.html          the page to go through
    summary.json         how many labels are wrong; it is there once all else is
    signature.json       by which the same command is recognised
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nlcore.audits.apply import Audited
from nlcore.audits.data_checks import Checks, Finding
from nlcore.audits.place import BEGUN, create
from nlcore.errors import UserError, plural
from nlcore.rundir.arrays import read_arrays, write_arrays
from nlcore.rundir.directory import RunDirectory
from nlcore.runs.recognise import NAME, request, write_signature

if TYPE_CHECKING:
    from nlcore.audits.samples import Samples
    from nlcore.audits.settings import AuditSettings
    from nlcore.config.recipe import Overrides

SHOWN = 5  # ids of samples that have changed


@dataclass(frozen=True)
class AuditDirectory:
    """Reads and writes one audit's files."""

    path: Path

    @property
    def done(self) -> bool:
        """Whether the audit is finished."""
        return (self.path / "summary.json").is_file()

    def make(self, id_: str, samples: Samples) -> bool:
        """
        Make the directory, and tell whether it was not there; what is in it stays as it is.

        Args:
            id_: the audit's.
            samples: that it looks at.

        Raises:
            UserError: it cannot be made, or holds another audit.

        """
        self._refuse_other(id_, samples)
        made = not self.path.exists()
        create(self.path)
        return made

    def begin(
        self,
        id_: str,
        words: Mapping[str, Any],
        samples: Samples,
        progress: Callable[[int, int, str], None] = lambda done, total, what: None,
    ) -> None:
        """
        Begin in a directory that was made, or go on with what is there; nobody else may write to it.

        Args:
            id_: the audit's.
            words: that it was asked for in.
            samples: that it looks at.
            progress: is told how many files are hashed.

        Raises:
            UserError: it cannot be written to, or holds another audit by now.

        """
        paths = [""] * len(samples) if samples.paths is None else [str(path) for path in samples.paths]
        if self._refuse_other(id_, samples):
            known = read_arrays(self.path / "samples.npz")
            if known is not None and known["paths"].tolist() == paths:
                return  # else the images lie elsewhere by now
        else:
            (self.path / "checks.json").unlink(missing_ok=True)
        files = {"paths": np.array(paths), "sha256": np.array(_hashed(samples, progress))}
        write_arrays(self.path / "samples.npz", {**_contents(samples), **files})
        said = {key: str(value) for key, value in words.items()}
        RunDirectory(self.path).write_json("audit.json", {"id": id_, "words": said})

    def _refuse_other(self, id_: str, samples: Samples) -> bool:
        """Raise UserError where something else is in the directory; tell whether this audit has begun in it."""
        known = self.read_json("audit.json")
        if known is not None and known.get("id") == id_:
            return True
        there = {file.name for file in self.path.iterdir() if file.name[0] != "."} if self.path.exists() else set()
        if not there <= BEGUN:  # what predicts, or what came of it, is of other data or settings
            if known is None or "id" not in known:
                raise UserError(f"{self.path} holds files, but no audit of nlcore. Choose another name with --name.")
            raise UserError(
                f"{self.path} is another audit: {self._what_changed(samples)}. Choose another name with --name."
            )
        return False

    def read_samples(self) -> list[Audited]:
        """
        Return the samples that the audit began with, in order.

        Raises:
            UserError: they cannot be read.

        """
        kept = read_arrays(self.path / "samples.npz")
        if kept is None:
            raise UserError(f"{self.path / 'samples.npz'} cannot be read. Run the audit again under another name.")
        classes = kept["classes"].tolist()
        columns = (kept[name].tolist() for name in ("ids", "given", "paths", "sha256"))
        return [
            Audited(id_, classes[label], Path(path) if path else None, sha256 or None)
            for id_, label, path, sha256 in zip(*columns, strict=True)
        ]

    def read_json(self, name: str) -> dict[str, Any] | None:
        """Return the content of a JSON file; None where there is none that can be read."""
        try:
            content = json.loads((self.path / name).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return content if isinstance(content, dict) else None

    def write_json(self, name: str, content: Mapping[str, Any]) -> None:
        """Write a JSON file in one piece."""
        RunDirectory(self.path).write_json(name, content)

    def reopen(self) -> None:
        """Take away what says that the audit is finished, before its results are written anew."""
        for file in (self.path / "summary.json", self.path / NAME, *self.path.glob("report*.html")):
            file.unlink(missing_ok=True)

    def sign(self, wanted: str, files: Sequence[Path]) -> None:
        """Note by what the audit is recognised."""
        write_signature(self.path, wanted, files)

    def recognised(self, wanted: str) -> bool:
        """Tell whether it is finished, was asked for in the same words, and no file has changed since."""
        signature = self.read_json(NAME)
        if not self.done or signature is None:
            return False
        try:
            return wanted in signature["requests"] and all(
                _stamp(Path(name)) == stamp for name, stamp in signature["files"].items()
            )
        except (KeyError, TypeError, AttributeError):
            return False

    def write_checks(self, checks: Checks) -> None:
        """Keep what was found without a model."""
        groups = {name: getattr(checks, name).tolist() for name in ("same", "near")}
        self.write_json("checks.json", {"findings": [asdict(one) for one in checks.findings], **groups})

    def read_checks(self) -> Checks | None:
        """Return what was found without a model; None where that is not known yet."""
        content = self.read_json("checks.json")
        try:
            found = [
                Finding(**{**one, "groups": tuple(map(tuple, one["groups"])), "lines": tuple(one["lines"])})
                for one in (content or {})["findings"]
            ]
            same, near = (np.array((content or {})[name], np.int64) for name in ("same", "near"))
        except (KeyError, TypeError, ValueError):  # it is not there, or damaged: the checks are done again
            return None
        return Checks(tuple(found), same, near)

    def _what_changed(self, samples: Samples) -> str:
        """Return in words how the samples differ from those that the audit began with."""
        before, now = read_arrays(self.path / "samples.npz"), _contents(samples)
        if before is None:
            return "it was asked for in other words"
        old, new = _by_id(before), _by_id(now)
        found = [
            ("gone", [one for one in old if one not in new]),
            ("new", [one for one in new if one not in old]),
            ("with other pixels", [one for one in new if one in old and old[one][1] != new[one][1]]),
            ("with another label", [one for one in new if one in old and old[one][0] != new[one][0]]),
        ]
        said = [
            f"{plural(len(ids), 'image is', 'images are')} {what} ({', '.join(ids[:SHOWN])}"
            f"{', ...' if len(ids) > SHOWN else ''})"
            for what, ids in found
            if ids
        ]
        return "; ".join(said) or "its settings are others"


def words_of(given: Sequence[Overrides], settings: AuditSettings) -> str:
    """Return what stands for the words that an audit was asked for in."""
    return request([*given, {key: value for key, value in asdict(settings).items() if key != "audits_dir"}])


def find_recognised(given: Sequence[Overrides], settings: AuditSettings) -> AuditDirectory | None:
    """Return the finished audit that the same words have led to; None where there is none or something has changed."""
    try:
        places = sorted(Path(settings.audits_dir).glob(f"*/{NAME}"))
    except (OSError, ValueError):
        return None
    wanted = words_of(given, settings)
    return next((one for one in map(AuditDirectory, (file.parent for file in places)) if one.recognised(wanted)), None)


def _contents(samples: Samples) -> dict[str, NDArray[Any]]:
    digests = np.array([digest[:16].hex() for digest in samples.digests])
    return {
        "ids": np.array(samples.ids),
        "given": samples.given,
        "digests": digests,
        "classes": np.array(samples.classes),
    }


def _hashed(samples: Samples, progress: Callable[[int, int, str], None]) -> list[str]:
    """Return the SHA-256 of each file; nothing for what is none."""
    found = []
    for place, path in enumerate(samples.paths or ()):
        progress(place, len(samples), "files hashed")
        found.append(hashlib.sha256(path.read_bytes()).hexdigest())
    progress(1, 1, "")
    return found or [""] * len(samples)


def _by_id(contents: Mapping[str, NDArray[Any]]) -> dict[str, tuple[int, str]]:
    values = zip(contents["given"].tolist(), contents["digests"].tolist(), strict=True)
    return dict(zip(contents["ids"].tolist(), values, strict=True))


def _stamp(file: Path) -> list[int] | None:
    try:
        status = file.stat()
    except (OSError, ValueError):
        return None
    return [status.st_size, status.st_mtime_ns]
