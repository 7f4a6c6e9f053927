"""
The files of CIFAR-N: what people answered for the training images of CIFAR-10 and CIFAR-100 (Wei et al. 2022).

They hold pickled arrays of 50,000, which are read with torch's safe loader and nothing but numpy's own array types
allowed. They are the authors' and for research use only, so they are not shipped.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nlcore import UserError
from nlcore.contracts import DatasetContext, Labels, NoiseContext

HOME = "https://github.com/UCSC-REAL/cifar-10-100n"
COUNT = 50_000


@dataclass(frozen=True)
class HumanLabels:
    """One of the files: the noise model that reads it, the file's name, its dataset, and the names of its arrays."""

    noise: str
    name: str
    dataset: str
    columns: tuple[str, ...]

    def look_up(self, column: str, file: str | None, labels: Labels, data: NoiseContext | None) -> Labels:
        """
        Return people's labels for these samples, int64 (N,), by sample id.

        Raises:
            UserError: no file, not the authors' file, or samples that are not this dataset's.

        """
        if data is None:
            raise UserError(f"{self.noise}: labels are looked up by sample id, so give the samples (data=...).")
        arrays = self._read(self._path(file, data))
        ids = data.ids
        if ids.dtype.kind not in "iu" or len(ids) == 0 or ids.min() < 0 or ids.max() >= COUNT:
            raise UserError(
                f"{self.noise}: these are not samples of {self.dataset}. Use it with --dataset {self._option}."
            )
        if not np.array_equal(arrays["clean_label"][ids], labels):
            raise UserError(
                f"{self.noise}: the true labels in the file are not those of the samples. "
                f"It belongs to {self.dataset}'s training images in their official order."
            )
        given: Labels = arrays[column][ids]
        return given

    def files(self, file: str | None, source: DatasetContext) -> list[Path]:
        """Return the file in the folder of the data, if it is the one that is read and is there."""
        found = source.directory / self.name
        return [found] if file is None and found.is_file() else []

    @property
    def _option(self) -> str:
        return self.dataset.lower().replace("-", "")

    def _path(self, file: str | None, data: NoiseContext) -> Path:
        if file is not None:
            return Path(file)
        found = data.directory / self.name if data.directory else None
        if found is None or not found.is_file():
            looked = f" (looked in {data.directory})" if data.directory else ""
            raise UserError(
                f"{self.noise}: {self.name} is not there{looked}. Get it from {HOME} and give --noise.file PATH."
            )
        return found

    def _read(self, path: Path) -> dict[str, Labels]:
        """Return the authors' file as int64 arrays of 50,000 by name."""
        import torch
        from numpy._core.multiarray import _reconstruct

        official = f"{self.dataset}N's official file"
        arrays: list[Any] = [(_reconstruct, f"numpy.{core}.multiarray._reconstruct") for core in ("core", "_core")]
        arrays += [np.ndarray, np.dtype, np.dtypes.Int64DType]
        try:
            with torch.serialization.safe_globals(arrays), warnings.catch_warnings(action="ignore"):
                content = torch.load(path, map_location="cpu", weights_only=True)
        except FileNotFoundError:
            raise UserError(f"There is no file {path}.") from None
        except OSError as error:
            raise UserError(f"{path} cannot be read: {error.strerror}.") from None
        except Exception:  # the loader raises what it will when a file is damaged
            raise UserError(f"{path} is not {official}: it holds more than arrays, or is damaged.") from None
        for name in self.columns:
            column = content.get(name) if isinstance(content, dict) else None
            if not isinstance(column, np.ndarray) or column.shape != (COUNT,) or column.dtype != np.int64:
                raise UserError(f"{path} is not {official}: it has no {name} of 50,000 labels.")
        return {name: content[name] for name in self.columns}
