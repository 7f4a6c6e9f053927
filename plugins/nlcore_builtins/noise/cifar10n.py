"""
CIFAR-10N: human labels of the CIFAR-10 training images (Wei et al. 2022, arXiv:2110.12088).

Each image was labelled by three people; ``random1`` to ``random3`` are one of them each, ``aggre`` is their majority
and ``worse`` a wrong label where any of them gave one. Published rates of wrong labels: 17.23, 18.12, 17.64, 9.03 and
40.21 % (the authors' file has 9.01 % for ``aggre``). The file, ``CIFAR-10_human.pt``, is the authors' and for research
use only: it is not shipped. It holds pickled arrays, which are read with torch's safe loader and nothing but numpy's
own array types allowed.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from nlcore import UserError, parameter
from nlcore.roles import Labels, NoiseInfo, SampleData

FILE = "CIFAR-10_human.pt"
HOME = "https://github.com/UCSC-REAL/cifar-10-100n"

KEYS = {
    "aggre": "aggre_label",
    "random1": "random_label1",
    "random2": "random_label2",
    "random3": "random_label3",
    "worse": "worse_label",
}
RATES = {"aggre": 0.0903, "random1": 0.1723, "random2": 0.1812, "random3": 0.1764, "worse": 0.4021}


@dataclass(frozen=True)
class Cifar10N:
    """
    CIFAR-10N: what people answered for the CIFAR-10 training images.

    Labels are looked up by sample id, so any subset of CIFAR-10 gets its own. The noise seed changes nothing.
    Wei et al. 2022.
    """

    which: Literal["aggre", "random1", "random2", "random3", "worse"] = parameter(
        "worse", "whose labels: one person's, their majority, or the worst"
    )
    file: str | None = parameter(None, f"the authors' {FILE}; none: in the folder of the data", path=True)

    def corrupt(
        self, labels: Labels, num_classes: int, rng: np.random.Generator, data: SampleData | None = None
    ) -> Labels:
        """
        Return people's labels for these samples, int64 (N,).

        Raises:
            UserError: no file, not the authors' file, or samples that are not CIFAR-10's.

        """
        if data is None:
            raise UserError("cifar10n: labels are looked up by sample id, so the samples must be given (data=...).")
        columns = read(self._path(data))
        ids = data.ids
        if ids.dtype.kind not in "iu" or len(ids) == 0 or ids.max() >= len(columns["clean_label"]):
            raise UserError("cifar10n: these are not samples of CIFAR-10. Use it with --dataset cifar10.")
        if not np.array_equal(columns["clean_label"][ids], labels):
            raise UserError(
                "cifar10n: the true labels in the file are not those of the samples. "
                "It belongs to CIFAR-10's training images in their official order."
            )
        given: Labels = columns[KEYS[self.which]][ids]
        return given

    def declared(self, num_classes: int) -> NoiseInfo:
        """Return the published rate, over all 50,000 images."""
        return NoiseInfo(RATES[self.which])

    def _path(self, data: SampleData) -> Path:
        if self.file is not None:
            return Path(self.file).expanduser()
        places = [data.directory / FILE] if data.directory else []
        found = next((place for place in places if place.is_file()), None)
        if found is None:
            looked = f" (looked in {data.directory})" if data.directory else ""
            raise UserError(f"cifar10n: {FILE} is not there{looked}. Get it from {HOME} and give --noise.file PATH.")
        return found


def read(path: Path) -> dict[str, Labels]:
    """
    Return the authors' file as int64 arrays of 50,000 by name.

    Raises:
        UserError: it cannot be read, or is not what it should be.

    """
    import pickle

    import torch
    from numpy._core.multiarray import _reconstruct

    arrays: list[Any] = [(_reconstruct, f"numpy.{core}.multiarray._reconstruct") for core in ("core", "_core")]
    arrays += [np.ndarray, np.dtype, np.dtypes.Int64DType]
    try:
        with torch.serialization.safe_globals(arrays):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise UserError(f"There is no file {path}.") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from None
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError):
        raise UserError(f"{path} is not CIFAR-10N's official file: it holds more than arrays, or is damaged.") from None
    needed = ["clean_label", *KEYS.values()]
    for name in needed:
        column = content.get(name) if isinstance(content, dict) else None
        if not isinstance(column, np.ndarray) or column.shape != (50_000,) or column.dtype != np.int64:
            raise UserError(f"{path} is not CIFAR-10N's official file: it has no {name} of 50,000 labels.")
    return {name: content[name] for name in needed}
