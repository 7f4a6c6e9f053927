"""
CIFAR-10 (Krizhevsky 2009): 50,000 training and 10,000 test photographs, 32×32 RGB, ten classes.

Official files only, checked against their published MD5 before they are read. The binary layout is data_batch_1..5.bin
and test_batch.bin: records of one label byte and 3,072 pixel bytes, red, green and blue planes of 32 rows. The Python
layout is the same in pickles, which can run any code when they are read: an unverified one is never opened.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import pickle
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from nlcore import UserError, parameter
from nlcore.roles import Data, DataSource, Labels, Split

URL = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
ARCHIVE_MD5 = "c32a1d4ab5d03f1284b67883e8d13530"
ARCHIVE_MEGABYTES = 170

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
PER_CLASS = 5_000

BINARY = "cifar-10-batches-bin"
BINARY_MD5 = {
    "data_batch_1.bin": "5dd7e06a14cb22eb9f671a540d1b7c25",
    "data_batch_2.bin": "5ea93a67294ea407fff1d09f752e9692",
    "data_batch_3.bin": "942cd6a4bcdd0dd3c604fbe906cb4421",
    "data_batch_4.bin": "ae636b3ba5c66a11e91e8cb52e771fcb",
    "data_batch_5.bin": "53f37980c15c3d472c316c40844f3f0d",
    "test_batch.bin": "803d5f7f4d78ea53de84dbe85f74fb6d",
}
PYTHON = "cifar-10-batches-py"
PYTHON_MD5 = {
    "data_batch_1": "c99cafc152244af753f735de768cd75f",
    "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
    "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
    "data_batch_4": "634d18415352ddfa80567beed471001a",
    "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
    "test_batch": "40351d587109b95175f43aff81a1287e",
}

Part = tuple[NDArray[np.uint8], Labels]  # images (N, 3, 32, 32) and labels (N,)


@dataclass(frozen=True)
class Cifar10:
    """
    CIFAR-10: 32×32 colour photographs in ten classes, 50,000 for training and 10,000 for testing.

    Reads the official binary layout (``cifar-10-batches-bin``) or Python layout (``cifar-10-batches-py``) after
    checking each file's MD5, and downloads the binary archive where there is neither.
    """

    defaults: ClassVar[Mapping[str, object]] = {}

    per_class: int = parameter(
        2_000, "training images of each class, the first ones; -1 for all 5,000", range="[-1, 5000]"
    )

    def __post_init__(self) -> None:
        if self.per_class == 0:
            raise ValueError("per_class must be at least 1, or -1 for all")

    def load(self, source: DataSource) -> Data:
        """
        Return the chosen training images in official order, and the whole test set.

        Raises:
            UserError: no files and no download, or a file that is not the official one.

        """
        parts = _read(source)
        images = np.concatenate([part[0] for part in parts[:5]])
        labels = np.concatenate([part[1] for part in parts[:5]])
        wanted = PER_CLASS if self.per_class == -1 else self.per_class
        firsts = [np.flatnonzero(labels == number)[:wanted] for number in range(len(CLASSES))]
        return Data(
            train=_split(images, labels, np.sort(np.concatenate(firsts))),
            test=_split(*parts[5], np.arange(len(parts[5][1]))),
            classes=CLASSES,
            mean=(0.4914, 0.4822, 0.4465),
            std=(0.2023, 0.1994, 0.2010),
        )


def _split(images: NDArray[np.uint8], labels: Labels, ids: Labels) -> Split:
    return Split(np.ascontiguousarray(images[ids].transpose(0, 2, 3, 1)), labels[ids], ids, labels[ids])


def _read(source: DataSource) -> list[Part]:
    """Return the six parts of whichever layout is there; download the binary one where none is."""
    binary, python = (_find(source.directory, name) for name in (BINARY, PYTHON))
    if binary is None and python is not None:
        return [_read_python(_verified(python / name, md5)) for name, md5 in PYTHON_MD5.items()]
    if binary is None:
        binary = _download(source)
    return [_read_binary(_verified(binary / name, md5)) for name, md5 in BINARY_MD5.items()]


def _find(directory: Path, name: str) -> Path | None:
    """Return the folder of a layout: inside `directory`, or `directory` itself."""
    candidates = [directory / name, *([directory] if directory.name == name else [])]
    return next((candidate for candidate in candidates if candidate.is_dir()), None)


def _verified(path: Path, md5: str) -> bytes:
    """Return the bytes of a file that is the official one."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise UserError(f"CIFAR-10 is incomplete: there is no {path}. {_advice(path.parent)}") from None
    except OSError as error:
        raise UserError(f"CIFAR-10: {path} cannot be read: {error.strerror}.") from None
    found = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if found != md5:
        raise UserError(
            f"CIFAR-10: {path} is not the official file: its MD5 is {found}, expected {md5} "
            f"({len(content):,} bytes). {_advice(path.parent)}"
        )
    return content


def _advice(folder: Path) -> str:
    return f"Remove {folder} to have it downloaded again, or point --data-dir at a complete copy."


def _read_binary(content: bytes) -> Part:
    records = np.frombuffer(content, dtype=np.uint8).reshape(-1, 1 + 3 * 32 * 32)
    return records[:, 1:].reshape(-1, 3, 32, 32), records[:, 0].astype(np.int64)


def _read_python(verified: bytes) -> Part:
    batch = pickle.loads(verified, encoding="bytes")
    return batch[b"data"].reshape(-1, 3, 32, 32), np.array(batch[b"labels"], dtype=np.int64)


def _download(source: DataSource) -> Path:
    """Fetch and unpack the official binary archive; the folder appears only when it is complete."""
    looked = f"no {BINARY} and no {PYTHON} in {source.directory}"
    if not source.download:
        raise UserError(
            f"CIFAR-10 is not there: {looked}. Give its folder with --data-dir or NL_DATA_DIR, "
            "or let it be downloaded (leave --no-download out)."
        )
    source.report(f"CIFAR-10 is not there ({looked}): downloading {ARCHIVE_MEGABYTES} MB from {URL}")
    import http.client
    import tarfile
    import tempfile

    from torchvision.datasets.utils import download_url

    try:
        source.directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=source.directory, prefix=".cifar10-") as temporary:
            # torchvision draws its bar wherever stderr goes; in a log file it would be thousands of lines.
            bar = contextlib.nullcontext() if sys.stderr.isatty() else contextlib.redirect_stderr(io.StringIO())
            with bar, contextlib.redirect_stdout(io.StringIO()):
                download_url(URL, temporary, "archive.tar.gz", ARCHIVE_MD5)
            archive = (Path(temporary) / "archive.tar.gz").read_bytes()
            with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
                tar.extractall(temporary, filter="data")
            (Path(temporary) / BINARY).rename(source.directory / BINARY)
    except (OSError, RuntimeError, http.client.HTTPException, tarfile.TarError) as error:
        raise UserError(
            f"CIFAR-10 could not be downloaded to {source.directory}: {error}. Fetch {URL} yourself, "
            f"unpack it there, or give its folder with --data-dir."
        ) from None
    return source.directory / BINARY
