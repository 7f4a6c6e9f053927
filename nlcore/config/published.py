"""The published figure that a preset is the setting of: its table ``[published]``."""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nlcore.config.recipe import preset_text
from nlcore.errors import PluginError, UserError

TABLE = "published"


@dataclass(frozen=True)
class Published:
    """
    What a paper, a README or a reproduction reports for a preset's setting.

    Attributes:
        network: as the source names it.
        epochs: how many it trained.
        source: table of the paper, README or reproduction.
        last: test accuracy at the end, often a mean of the last epochs, 0..1; None where it is not given.
        best: the best of all epochs on the test set, an oracle, 0..1; None where it is not given.
        spread: standard deviation over runs, 0..1; None where it is not given.
        from_memory: whether the figure still has to be checked against the source.

    """

    network: str
    epochs: int
    source: str
    last: float | None = None
    best: float | None = None
    spread: float | None = None
    from_memory: bool = False

    @property
    def figure(self) -> float | None:
        """What a run's last epoch is held against: `last`, else `best`."""
        return self.best if self.last is None else self.last

    def __str__(self) -> str:
        """Return ``94.40 % (best 94.60 %)``."""
        last, best = (None if value is None else f"{value:.2%}" for value in (self.last, self.best))
        shown = f"{last} (best {best})" if last and best else last or f"best {best}"
        return f"{shown}, from memory" if self.from_memory else shown


def published(preset: str) -> Published | None:
    """
    Return the published figure of a preset, None where it cites none.

    Raises:
        UserError: there is no such preset, or its table ``[published]`` is not as it should be.

    """
    try:
        content = tomllib.loads(preset_text(preset)).get(TABLE)
    except (ValueError, RecursionError) as error:
        raise PluginError(f"The preset {preset} is not valid TOML: {error}.") from None
    return None if content is None else _read(content, preset)


def _read(content: Any, preset: str) -> Published:
    wrong = f"The preset {preset}: [published]"
    if not isinstance(content, Mapping):
        raise PluginError(f"{wrong} must be a table.")
    kinds = {"network": str, "source": str, "epochs": int, "from_memory": bool}
    known = [item.name for item in dataclasses.fields(Published)]
    for key, value in content.items():
        if key not in known:
            raise PluginError(f"{wrong} has no {key!r}; it has {', '.join(known)}.")
        if key in kinds and type(value) is not kinds[key]:
            raise PluginError(f"{wrong} {key} = {value!r}: must be {kinds[key].__name__}.")
        if key not in kinds and not (isinstance(value, float) and 0 < value < 1):
            raise PluginError(f"{wrong} {key} = {value!r}: must be a fraction between 0 and 1, as 0.944.")
    missing = [key for key in ("network", "epochs", "source") if not content.get(key)]
    if missing or not {"last", "best"} & content.keys():
        raise PluginError(f"{wrong} lacks {missing[0] if missing else 'last or best'}.")
    return Published(**content)


def published_or_none(preset: str) -> Published | None:
    """Return the published figure of a preset that may be gone by now, or None."""
    try:
        return published(preset)
    except UserError:
        return None
