"""Layers of settings with flat names, and the TOML recipes and presets that they are read from."""

from __future__ import annotations

import functools
import importlib
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from importlib import resources
from pathlib import Path
from typing import Any, TypeAlias

from nlcore.config.settings import FILES, SHORT_NAMES, Storage, TrainingSettings, data_directory
from nlcore.config.unknown import meant
from nlcore.errors import ParameterError, PluginError, UserError, did_you_mean
from nlcore.host.hookspecs import slots
from nlcore.host.registry import registry
from nlcore.parameters import parameters_of
from nlcore.textfiles import TextInFile, expand_home, read_text

#: A layer of settings by flat name: ``{"loss": "gce", "loss.q": 0.7, "epochs": 5}``.
Overrides: TypeAlias = Mapping[str, object]

#: What stands for other settings.
SHORTHANDS = ("labels", "preset", "scale")

#: Settings that name folders; which parameters of a component do is known when the component is.
_FOLDERS = ("data_dir", "runs_dir")


def read_recipe(path: Path) -> dict[str, object]:
    """
    Return a TOML recipe as a layer. Paths in it are relative to its folder.

    Raises:
        UserError: unreadable, not valid TOML (with the line number), or an unknown key.

    """
    layer = parse_recipe(text_of(path, "recipe"), f"recipe {path}")
    return {key: relative_to(path.parent, key, value) for key, value in layer.items()}


def text_of(path: Path, what: str) -> str:
    """
    Return the text of a file that the user names.

    Raises:
        UserError: it is not there or cannot be read; the message names it as `what`.

    """
    try:
        return read_text(path)
    except FileNotFoundError:
        raise UserError(f"There is no {what} {path}.") from None
    except UnicodeDecodeError:
        raise UserError(f"The {what} {path} is not text in UTF-8 or UTF-16. Save it as UTF-8.") from None
    except IsADirectoryError:
        raise UserError(f"{path} is a folder; a {what} is a file. 'nl resume' goes on with a run's folder.") from None
    except (OSError, ValueError) as error:
        raise UserError(f"The {what} {path} cannot be read: {error}.") from None


def parse_recipe(text: str, what: str) -> dict[str, object]:
    """
    Return the text of a TOML recipe as a layer.

    Raises:
        UserError: not valid TOML, or an unknown key; the message names it as `what`.

    """
    content = parse_toml(text, what)
    try:
        return checked_layer(content)
    except UserError as error:
        raise UserError(f"The {what}: {error}") from None


def parse_toml(text: str, what: str) -> dict[str, object]:
    """
    Return the content of a TOML text.

    Raises:
        UserError: it is not valid; the message names it as `what`.

    """
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise UserError(f"The {what} is not valid TOML: it is nested too deeply.") from None
    except ValueError as error:  # of TOML, or a number of thousands of digits
        raise UserError(f"The {what} is not valid TOML: {error}.") from None


def checked_layer(content: Mapping[str, object]) -> dict[str, object]:
    """
    Return a recipe's settings and tables as a layer whose names are known.

    Raises:
        UserError: a table for no slot, an unknown name, or a setting that is there twice.

    """
    layer = flat_recipe(content)
    check_names(layer)
    return layer


def flat_recipe(content: Mapping[str, object]) -> dict[str, object]:
    """
    Return a recipe's settings and tables as a layer.

    Raises:
        UserError: a table for no slot, or a setting that is there twice.

    """
    layer: dict[str, object] = {}
    for key, value in content.items():
        name = key.replace("-", "_")
        if name in layer:
            raise UserError(f"{name} is given twice, once with - and once with _.")
        if isinstance(value, dict):
            if name == "published":  # what a preset reports, no setting
                continue
            if name == "grid":
                raise UserError("the table [grid] is for studies: nl sweep FILE.")
            if name not in slots():
                raise UserError(f"there is no table [{key}].{did_you_mean(name, slots())} Tables are {_tables()}.")
            layer |= dict(_table(name, value))
        elif name != "note":  # what a preset says of itself, no setting either
            layer[name] = value
    return layer


def with_all_settings(recipe: Mapping[str, object]) -> dict[str, object]:
    """
    Return a run's recipe with every setting, those that came after it was written, too.

    Until they came, runs were trained as their defaults say, so that the recipe means the same.
    """
    return {**_usual_settings(), **recipe}


@functools.cache
def _usual_settings() -> Mapping[str, object]:
    return {name: without_none(item.default) for name, item in parameters_of(TrainingSettings).items()}


def without_none(value: Any) -> Any:
    """Return a value as TOML can hold it, which has no null: the word ``none`` stands for it, in tables, too."""
    if isinstance(value, dict):
        return {key: without_none(item) for key, item in value.items()}
    return "none" if value is None else value


def asked_data_dir(layers: Sequence[Overrides]) -> str | None:
    """Return the folder of the data that layers of settings name, the last one that does; None where none does."""
    given = next((layer["data_dir"] for layer in reversed(layers) if "data_dir" in layer), None)
    return None if given is None else str(given)


def preset_text(name: str, data_dir: str | None = None) -> str:
    """
    Return a preset as it was written, TOML with its comments, or as its function writes it for this machine.

    Args:
        name: of the preset.
        data_dir: the folder of the data that was given, if one was.

    Raises:
        UserError: there is no preset of this name, or its plugin lacks the file or the function.

    """
    entry = registry().find("preset", name)
    package, _, file = entry.component.target.partition(":")
    try:
        if file.isidentifier():
            return str(getattr(importlib.import_module(package), file)(data_directory(data_dir)))
        return resources.files(package).joinpath(file).read_text(encoding="utf-8")
    except (ImportError, OSError, ValueError, AttributeError, TypeError) as error:
        who = f"{entry.full_name} ({entry.component.target})"
        raise PluginError(f"The preset {who} cannot be read: {error}.") from error


def read_preset(name: str, data_dir: str | None = None) -> Overrides:
    """
    Return a preset as a layer; see `preset_text`.

    Raises:
        UserError: there is none of this name, its plugin lacks the file, or it is not as a recipe should be.

    """
    layer = parse_recipe(preset_text(name, data_dir), f"preset {name}")
    if "preset" in layer:
        raise PluginError(f"The preset {name} names another preset: write out what it takes from it.")
    return layer


def note_of_preset(name: str, data_dir: str | None = None) -> str | None:
    """Return what a preset says of itself to who runs it, its key ``note``; None where it says nothing."""
    note = parse_toml(preset_text(name, data_dir), f"preset {name}").get("note")
    return None if note is None else f"{name}: {note}"


def check_names(layer: Overrides) -> None:
    """
    Check that a layer's keys are settings, slots or parameters of a slot.

    Raises:
        ParameterError: one is not; the message names the nearest.

    """
    settings = [
        *(field.name for cls in (TrainingSettings, Storage) for field in fields(cls)),
        *SHORT_NAMES,
        *SHORTHANDS,
    ]
    for key in layer:
        if key not in settings and key.partition(".")[0] not in slots():
            said = meant(key.replace("-", "_"), settings, tuple(slots()), _spell)
            raise ParameterError(f"There is no setting {key!r}.{said} 'nl run --help' lists all.")


def _spell(name: str, value: str) -> str:
    """Return a setting as a key; a component's parameter also as Python takes it, whose keywords have no dots."""
    if value:
        return f'{name} = "{value}"'
    return f"{name!r} (in Python: **{{{name!r}: ...}})" if "." in name else repr(name)


def _tables() -> str:
    return ", ".join(f"[{kind}]" for kind in slots())


def _table(name: str, table: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    """Yield a table's entries by their flat names; one within it is for one of several components in a row."""
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _table(f"{name}.{key.replace('-', '_')}", value)
        else:
            yield (name if key == "name" else f"{name}.{key.replace('-', '_')}"), value


def relative_to(folder: Path, key: str, value: object) -> object:
    """Return a value that stands in a file so that a path in it is relative to the file's folder."""
    if not isinstance(value, str):
        return value
    if key in _FOLDERS and value.lower() != "none":
        return str(folder / expand_home(value))
    return TextInFile(value, folder) if "." in key or key in ("labels", *FILES) else value
