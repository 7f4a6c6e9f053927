"""
What datasets of official files share: files are found, checked against their published MD5 and downloaded here.

Nothing is read before it is checked, and a folder that was downloaded appears only when it is complete.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import numpy as np

from nlcore import UserError
from nlcore.contracts import DatasetContext, Labels


def check_per_class(per_class: int) -> None:
    """Raise ValueError where no image of a class would be left."""
    if per_class == 0:
        raise ValueError("per_class must be at least 1, or -1 for all")


def first_of_each_class(labels: Labels, per_class: int) -> Labels:
    """Return the sorted positions of the first `per_class` samples of each class, of all where it is -1."""
    if per_class == -1:
        return np.arange(len(labels))
    firsts = [np.flatnonzero(labels == label)[:per_class] for label in np.unique(labels)]
    return np.sort(np.concatenate(firsts))


def find(directory: Path, *layouts: str) -> Path | None:
    """Return the first of these folders that is there: inside `directory`, or `directory` itself by its name."""
    for layout in layouts:
        itself = [directory] if directory.parts[-len(Path(layout).parts) :] == Path(layout).parts else []
        for candidate in (directory / layout, *itself):
            if candidate.is_dir():
                return candidate
    return None


def files(directory: Path, layouts: Mapping[str, Iterable[str]]) -> list[Path]:
    """Return the files of the first of these folders that is there, by the folder's name; nothing where none is."""
    for layout, names in layouts.items():
        folder = find(directory, layout)
        if folder is not None:
            return [folder / name for name in names]
    return []


def verified(path: Path, md5: str, title: str) -> bytes:
    """
    Return the bytes of a file that is the official one.

    Raises:
        UserError: it is not there, cannot be read, or is another file.

    """
    advice = f"Remove {path.parent} to have it downloaded again, or point --data-dir at a complete copy."
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise UserError(f"{title} is incomplete: there is no {path}. {advice}") from None
    except OSError as error:
        raise UserError(f"{title}: {path} cannot be read: {error.strerror}.") from None
    found = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if found != md5:
        raise UserError(
            f"{title}: {path} is not the official file: its MD5 is {found}, expected {md5} "
            f"({len(content):,} bytes). {advice}"
        )
    return content


def download(
    source: DatasetContext,
    title: str,
    looked: str,
    home: str,
    megabytes: int,
    folder: str,
    fill: Callable[[Path], None],
) -> Path:
    """
    Download a dataset and return its folder.

    Args:
        source: where it goes, and whether it may.
        title: the dataset's name.
        looked: what was looked for where, in words.
        home: the address that it comes from.
        megabytes: how much that is.
        folder: the name of the folder.
        fill: makes the folder of this name inside a temporary one.

    Raises:
        UserError: it may not, or could not be downloaded.

    """
    if not source.download:
        raise UserError(
            f"{title} is not there: {looked}. Give its folder with --data-dir or NL_DATA_DIR, "
            "or let it be downloaded (--no-download and --dry-run never do)."
        )
    source.report(f"{title} is not there ({looked}): downloading {megabytes} MB from {home}")
    import http.client
    import tarfile
    import tempfile

    try:
        source.directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=source.directory, prefix=f".{folder}-") as temporary:
            fill(Path(temporary))
            (Path(temporary) / folder).rename(source.directory / folder)
    except (OSError, RuntimeError, http.client.HTTPException, tarfile.TarError) as error:
        raise UserError(
            f"{title} could not be downloaded to {source.directory}: {error}. Fetch {home} yourself, "
            f"so that it lies there as {folder}, or give its folder with --data-dir or NL_DATA_DIR."
        ) from None
    return source.directory / folder


def fetch(url: str, folder: Path, name: str, md5: str) -> Path:
    """Download one file into a folder and check it."""
    from torchvision.datasets.utils import download_url

    # torchvision draws its bar wherever stderr goes; in a log file it would be thousands of lines.
    bar = contextlib.nullcontext() if sys.stderr.isatty() else contextlib.redirect_stderr(io.StringIO())
    with bar, contextlib.redirect_stdout(io.StringIO()):
        download_url(url, str(folder), name, md5)
    return folder / name


def fetch_archive(url: str, folder: Path, md5: str) -> None:
    """Download a tar archive and unpack its files into a folder; links and devices in it are left out."""
    import tarfile

    archive = fetch(url, folder, "archive.tar.gz", md5).read_bytes()
    inside = folder.resolve()
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        # Not extractall: its filters came with Python 3.11.4 only.
        for member in tar:
            content = tar.extractfile(member) if member.isfile() else None
            if content is None:
                continue
            place = (inside / member.name).resolve()
            if not place.is_relative_to(inside):
                raise tarfile.TarError(f"{member.name} in the archive would lie outside of {folder}")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content.read())
