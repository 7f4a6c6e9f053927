"""What a preset must be."""

from __future__ import annotations

from nlcore.config.experiment import resolve
from nlcore.errors import UserError
from nlcore.host.registry import Entry, registry


def is_a_recipe(entry: Entry) -> None:
    """The preset is a recipe whose components and settings exist, with values that are allowed."""
    try:
        resolve({"preset": registry().display_name(entry)})
    except UserError as error:
        raise AssertionError(str(error)) from error


CHECKS = (is_a_recipe,)
