"""What comes from a preset and not from the user: said where it is refused, and where it is of no use."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence

from nlcore.config.choose import expand_short
from nlcore.config.recipe import Overrides
from nlcore.errors import UserError
from nlcore.host.hookspecs import slots
from nlcore.host.selection import Selection
from nlcore.parameters import show_value


def of_preset(recipe: Overrides, layers: Sequence[Overrides]) -> dict[str, object]:
    """
    Return what a preset says and the user does not.

    Args:
        recipe: of the preset.
        layers: the user's.

    """
    said = {key for layer in layers for key in expand_short(layer)}
    return {key: value for key, value in expand_short(recipe).items() if key not in said}


def dropped(preset: str, recipe: Overrides, layers: Sequence[Overrides], dataset: Selection) -> tuple[str, ...]:
    """
    Return what a preset says of its data set and another one, which the user has named, has otherwise.

    Args:
        preset: its name.
        recipe: its own.
        layers: the user's.
        dataset: the one that is used.

    """
    said = {key for layer in layers for key in layer}
    if "dataset" not in said:
        return ()
    meant = recipe.get("dataset", slots()["dataset"][0].default)
    there = {f"dataset.{key}": show_value(value) for key, value in dataset.params.items()}
    return tuple(
        f"{preset}: {key} = {show_value(value)} is for {meant}; {dataset.name} has {there[key]}, unless --{key} says "
        "otherwise."
        for key, value in recipe.items()
        if key in there and key not in said and show_value(value) != there[key]
    )


@contextlib.contextmanager
def naming_preset(preset: str | None, settings: Mapping[str, object]) -> Iterator[None]:
    """
    Add to a refusal that what it is about comes from a preset, and what to type to have it otherwise.

    Args:
        preset: its name; None for none.
        settings: what comes from it, see `of_preset`.

    """
    try:
        yield
    except UserError as error:
        about = [key for key, value in settings.items() if _is_about(str(error), key, show_value(value))]
        said = [f"{key} = {show_value(settings[key])} comes from the preset {preset}{_other(key)}." for key in about]
        if said:
            error.args = (" ".join([str(error), *said]),)
        raise


def _is_about(refusal: str, key: str, value: str) -> bool:
    """Tell by its beginning whether a refusal is about this value of a setting, or this component of a slot."""
    beginnings = (
        f"{key} = {value}: ",
        f"{key} = {value} and ",
        f"{key}: ",
        f"The {key} {value}: ",
        f"The {key} {value} ",
    )
    seconds = (f" and {key} = {value}: ", f" and the {key} {value}: ")
    return refusal.startswith(beginnings) or any(second in refusal for second in seconds)


def _other(key: str) -> str:
    """Return what to type for another component; of a setting the refusal itself says what is allowed."""
    return f"; --{key} NAME gives another" if key in slots() else ""
