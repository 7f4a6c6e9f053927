"""
The runs of a study: every combination of the values that its settings have.

A study is a layer of settings that all runs share, axes with several values each, and variants: tables of settings
that go together. It has a run for each variant and each combination of the axes' values.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from nlcore.config.recipe import Overrides, check_names, checked_layer, parse_toml, relative_to, text_of
from nlcore.config.settings import SHORT_NAMES, Storage, TrainingSettings, switch
from nlcore.errors import ParameterError, UserError, plural
from nlcore.host.plugin_file import plugin_files
from nlcore.parameters import parameters_of, show_value
from nlcore.rundir.environment import with_files
from nlcore.studies.declared import has_commas, typed

_RANGE = re.compile(r"(\d{1,9})-(\d{1,9})\Z")
_LONGEST = 10_000  # what is more is a slip, as in --seed 1-99999999

#: What is the same in all runs of a study: a run is named by its content, and found in one folder.
_COMMON = ("name", *(key for key in parameters_of(Storage) if key != "name"))


@dataclass(frozen=True)
class Cell:
    """
    A run of a study.

    Attributes:
        words: what tells it from the others, by name.
        layers: of settings, as for `nlcore.config.experiment.resolve`.

    """

    words: Mapping[str, object]
    layers: tuple[Overrides, ...]

    @property
    def name(self) -> str:
        """What tells it from the others: ``loss gce, seed 2``."""
        return ", ".join(f"{key} {show_value(value)}" for key, value in self.words.items()) or "the only run"

    @property
    def command(self) -> str:
        """What repeats this run alone."""
        settings = {key: value for layer in self.layers for key, value in layer.items()}
        words = ["run"]
        for key, value in settings.items():
            if isinstance(value, bool) and "." not in key:
                words.append(switch(key, value))
            else:
                flag = f"--{key}" if "." in key else f"--{key.replace('_', '-')}"
                words += [flag, typed(key, value, self.layers)]
        return with_files({file: file for file in plugin_files()}, *words)


@dataclass(frozen=True)
class Grid:
    """
    A study.

    Attributes:
        base: what its file says of all runs.
        axes: the values of each setting that has several; those of seeds vary first.
        variants: settings that go together; without any there is one that is empty.
        fixed: what goes before all that, from the command line.

    """

    base: Overrides = field(default_factory=dict)
    axes: Mapping[str, Sequence[object]] = field(default_factory=dict)
    variants: Sequence[Overrides] = ()
    fixed: Overrides = field(default_factory=dict)

    def cells(self) -> list[Cell]:
        """
        Return the runs.

        Raises:
            UserError: a name that does not exist, one that cannot vary, or one that is there twice.

        """
        check_names(self.axes)
        check_names(self.fixed)
        self._check()
        variants = self.variants or ({},)
        keys = sorted(self.axes, key=lambda key: key in ("noise_seed", "seed"))  # runs that are averaged stand together
        told = [key for key in dict.fromkeys(itertools.chain(*variants)) if key not in self.fixed]
        found = []
        for variant in variants:
            for values in itertools.product(*(self.axes[key] for key in keys)):
                chosen = {**variant, **dict(zip(keys, values, strict=True))}
                words = {key: chosen[key] for key in (*told, *keys) if key in chosen}
                found.append(Cell(words, self._layers(chosen)))
        return found

    def over(self, given: Mapping[str, object], axes: Mapping[str, Sequence[object]]) -> Grid:
        """Return the study with settings and axes that go before its own."""
        said = {_long(key) for key in (*given, *axes)}
        kept = {key: values for key, values in self.axes.items() if _long(key) not in said}
        return Grid(self.base, {**kept, **axes}, self.variants, {**self.fixed, **given})

    def _layers(self, chosen: Overrides) -> tuple[Overrides, ...]:
        if not self.base and not self.variants:  # as nl run would have it, so that its runs are recognised
            return ({**chosen, **self.fixed},)
        return tuple(layer for layer in (self.base, chosen, self.fixed) if layer)

    def _check(self) -> None:
        for key in (*self.axes, *self.base, *self.fixed, *itertools.chain(*self.variants)):
            if key == "name":
                raise ParameterError("name: the runs of a study are named by their content; leave it out.")
        for key in (*self.axes, *itertools.chain(*self.variants)):
            if key in _COMMON:
                raise ParameterError(f"{key} is the same for all runs of a study: give one.")
        for variant in self.variants:
            twice = {_long(key) for key in variant} & {_long(key) for key in self.axes}
            if twice:
                raise ParameterError(f"{sorted(twice)[0]} stands in a [[cell]] and varies in the study, too.")


def _long(key: str) -> str:
    return SHORT_NAMES.get(key, key)


Several: TypeAlias = tuple[dict[str, object], dict[str, Sequence[object]]]


def split(given: Mapping[str, object], study: Grid) -> Several:
    """
    Return what the command line gives once, and the values of what it gives several times.

    A comma separates values, ``--loss gce,elr``, but where a value may have commas itself. Of whole numbers, ``1-3`` is
    1, 2 and 3.

    Args:
        given: what was typed, by name.
        study: that the command line goes before; it may have chosen the components whose parameters are given.

    Raises:
        ParameterError: nothing stands between two commas, or a value is there twice.

    """
    layers = [given, study.base, study.axes, *study.variants]

    def values(key: str, value: object) -> Sequence[object]:
        if not isinstance(value, str) or key in _COMMON or ("," in value and has_commas(key, layers)):
            return [value]
        parts = [part.strip() for part in value.split(",")]
        if "" in parts:
            raise ParameterError(f"{key} = {value}: nothing stands between two commas.")
        return _unlike(key, [one for part in parts for one in _range(key, part, str)])

    return _apart(given, values)


def several_in_python(given: Mapping[str, object]) -> Several:
    """Return what Python gives once, and the values of what it gives in a list or another iterable."""
    return _apart(given, axis)


def _apart(given: Mapping[str, object], values_of: Callable[[str, object], Sequence[object]]) -> Several:
    found = {key: values_of(key, value) for key, value in given.items()}
    once = {key: values[0] for key, values in found.items() if len(values) == 1}
    return once, {key: values for key, values in found.items() if key not in once}


def axis(key: str, given: object) -> Sequence[object]:
    """
    Return the values that a study's file, or Python, gives for a setting: a list, or one value.

    Raises:
        ParameterError: there is none, or one is there twice.

    """
    if isinstance(given, str):
        return _range(key, given, int)
    try:
        each: Iterator[object] = iter(given)  # type: ignore[call-overload]
    except TypeError:  # as an array of no dimension has it, too
        return [given]
    values = list(each)
    if not values:
        raise ParameterError(f"{key}: there is no value in its list.")
    return _unlike(key, values)


def read_study(path: Path) -> Grid:
    """
    Return the study of a TOML file: a recipe with a table ``[grid]`` and tables ``[[cell]]``; see docs/studies.md.

    Raises:
        UserError: unreadable, not valid TOML, an unknown name, or no values.

    """
    content = parse_toml(text_of(path, "study"), f"study {path}")
    grid, cells = content.pop("grid", {}), content.pop("cell", [])

    def layer(table: object, where: str) -> dict[str, object]:
        if not isinstance(table, dict):
            raise UserError(f"{where} is no table.")
        return checked_layer(table)

    def placed(key: str, value: object) -> object:
        return relative_to(path.parent, key, value)

    try:
        if not isinstance(cells, list):
            raise UserError("cell is one table: write [[cell]], with two brackets.")
        base = {key: placed(key, value) for key, value in checked_layer(content).items()}
        axes = {key: [placed(key, one) for one in axis(key, value)] for key, value in layer(grid, "[grid]").items()}
        variants = [
            {key: placed(key, value) for key, value in layer(one, f"[[cell]] {number}").items()}
            for number, one in enumerate(cells, 1)
        ]
        several = [key for one in (base, *variants) for key, value in one.items() if isinstance(value, list)]
        if several:
            raise UserError(f"{several[0]} has several values: write it into [grid].")
    except UserError as error:
        raise UserError(f"The study {path}: {error}") from None
    return Grid(base, axes, variants)


def _range(key: str, text: str, number: type) -> Sequence[object]:
    """Return the whole numbers from 1 to 3 for ``1-3``, where a whole number is asked for; else the text itself."""
    found = _RANGE.match(text)
    item = parameters_of(TrainingSettings).get(key)
    if not found or item is None or item.type is not int:
        return [text]
    first, last = int(found[1]), int(found[2])
    if not first <= last <= first + _LONGEST:
        raise ParameterError(f"{key} = {text}: must go from a smaller number to a larger one, as 1-3.")
    return [number(value) for value in range(first, last + 1)]


def _unlike(key: str, values: Sequence[object]) -> Sequence[object]:
    again = [value for number, value in enumerate(values) if value in values[:number]]
    if again:
        raise ParameterError(f"{key}: {show_value(again[0])} is there {plural(values.count(again[0]), 'time')}.")
    return values
