"""Published weights of networks: the file that is meant, found or downloaded, and what images they want."""

from __future__ import annotations

import hashlib
import http.client
import re
import sys
from dataclasses import dataclass
from pathlib import Path

import torch

from nlcore import UserError
from nlcore.contracts import DatasetContext

HELP = "start from weights of ImageNet: true for the published ones, which are downloaded, or a file of them"

#: ``resnet18-f37072fd.pth``: torch's habit, the first digits of the file's SHA-256.
_DIGITS = re.compile(r"-([a-f0-9]{8,})\.")


@dataclass(frozen=True)
class Published:
    """
    Published weights.

    Attributes:
        title: of the network, for messages.
        url: where they are; "" where none are published.
        file: what the file is called in the folder of the data.
        mean, std: of each channel, of values scaled to 0..1, that they were trained with.
        size: of the images that they were trained on, in pixels.
        hub: whether the server tells the file's SHA-256, as huggingface.co does.

    """

    title: str
    url: str
    file: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    size: int
    hub: bool = False


def weights_file(pretrained: str, published: Published, source: DatasetContext) -> Path | None:
    """
    Return the file of the weights that a network starts from, None where it is drawn.

    Args:
        pretrained: ``false``, ``true``, or a file.
        published: the weights that ``true`` means.
        source: where they lie, and whether they may be downloaded.

    Raises:
        UserError: there is no such file, or it could not be downloaded or is another one.

    """
    if pretrained == "false":
        return None
    if pretrained != "true":
        file = Path(pretrained)
        if not file.is_file():
            what = "this is a folder" if file.is_dir() else "there is no such file"
            raise UserError(
                f"architecture.pretrained = {pretrained}: {what}. Give a file of weights (.safetensors, "
                "or a state_dict as torch saves it), or true for the published ones."
            )
        return file
    if not published.url:
        raise UserError(
            f"architecture.pretrained = true: no weights are published for {published.title}. Give a file of weights, "
            "or choose another model."
        )
    file = source.directory / "weights" / published.file
    return _checked(file, published) if file.is_file() else _download(file, published, source)


def _checked(file: Path, published: Published) -> Path:
    """Return a file whose content is what its name says."""
    expected = _digits(published.file)
    found = hashlib.sha256(file.read_bytes()).hexdigest() if expected else ""
    if not found.startswith(expected):
        raise UserError(
            f"{file} is not the published file of {published.title}: its SHA-256 begins with {found[:8]}, expected "
            f"{expected} ({file.stat().st_size:,} bytes). Remove it to have it downloaded again."
        )
    return file


def _download(file: Path, published: Published, source: DatasetContext) -> Path:
    by_hand = f"Fetch {published.url} yourself and put it there as {file}"
    if not source.download:
        raise UserError(
            f"The weights of {published.title} are not there: there is no {file}. {by_hand}, or let it be downloaded "
            "(--no-download and --dry-run never do)."
        )
    source.report(f"The weights of {published.title} are not there: downloading them from {published.url}")
    errors: tuple[type[Exception], ...] = (OSError, RuntimeError, http.client.HTTPException)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        digits = _digits_of_hub(published.url) if published.hub else _digits(published.file)
        torch.hub.download_url_to_file(published.url, str(file), digits or None, progress=sys.stderr.isatty())
    except errors as error:
        raise UserError(f"The weights of {published.title} could not be downloaded: {error}. {by_hand}.") from None
    return file


def _digits(name: str) -> str:
    found = _DIGITS.search(name)
    return found[1] if found else ""


def _digits_of_hub(url: str) -> str:
    """Return the SHA-256 that the hub has of a file."""
    import huggingface_hub

    try:
        return huggingface_hub.get_hf_file_metadata(url).etag or ""
    except Exception as error:  # its own classes, and those of the library beneath it
        raise RuntimeError(f"the hub does not answer: {str(error).splitlines()[0][:200]}") from error
