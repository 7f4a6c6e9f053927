"""
How components and settings declare their parameters.

A component is a plain dataclass of its hyper-parameters::

    @dataclass
    class GCE:
        q: float = parameter(0.7, "0 gives cross-entropy, 1 the mean absolute error", range="(0, 1]")

From this one declaration come the option ``--loss.q``, its help, the table in a recipe, the keyword in Python and the
error that each of them gives for a wrong value.
"""

from __future__ import annotations

import dataclasses
import inspect
import math
import numbers
import os
import re
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nlcore.errors import ParameterError, did_you_mean
from nlcore.textfiles import TextInFile, expand_home


@dataclasses.dataclass(frozen=True)
class Interval:
    """A range of numbers, written as in mathematics: ``[0, 1]`` with its ends, ``(0, inf)`` without."""

    text: str

    def __contains__(self, value: float) -> bool:
        low, high = (float(end) for end in self.text[1:-1].split(","))
        above = value >= low if self.text[0] == "[" else value > low
        return above and (value <= high if self.text[-1] == "]" else value < high)

    def __str__(self) -> str:
        """Return words for the common one-sided cases, the interval itself otherwise."""
        low, high = (end.strip() for end in self.text[1:-1].split(","))
        if high == "inf":
            return f"at least {low}" if self.text[0] == "[" else f"above {low}"
        return self.text


def parameter(
    default: Any,
    help: str,
    *,
    range: str | None = None,
    path: bool = False,
    keywords: tuple[str, ...] = (),
    epochs: bool = False,
    commas: bool = False,
) -> Any:
    """
    Declare a field of a component's dataclass.

    Args:
        default: the value where none is given. The field's annotation gives the type: ``bool``, ``int``, ``float``,
            ``str``, a ``Literal`` of strings, or one of these ``| None``; a number may have words beside it,
            ``float | Literal["auto"]``.
        help: a few words for ``--help`` and ``nl show``, with units where there are any.
        range: the allowed interval, as in ``"[0, 1]"`` or ``"(0, inf)"``.
        path: whether text names a file: it is made absolute, so that the run means the same from everywhere. In a
            recipe it is relative to the recipe's folder.
        keywords: with `path`, what may be given in place of a file; a file of such a name is ``./name``.
        epochs: whether it counts epochs: ``--scale`` shortens it with the run.
        commas: whether its text may have commas: ``nl sweep`` then takes it as one value. A default that has one says
            so, too.

    """
    interval = Interval(range) if range else None
    about = {"help": help, "interval": interval, "path": path, "keywords": keywords, "epochs": epochs}
    about["commas"] = commas or (isinstance(default, str) and "," in default)
    return dataclasses.field(default=default, metadata=about)


#: Stands for a value that nobody gave, where None is a value.
UNSAID: Any = object()

_SEVERAL = re.compile(r"[\d.e]+([,-][\d.e]+)+")  # 0.1,0.2 or 1-3


@dataclasses.dataclass(frozen=True)
class Parameter:
    """One declared parameter: its name, type, default, help and what it allows."""

    name: str
    type: type
    default: Any
    help: str
    interval: Interval | None = None
    choices: tuple[str, ...] = ()
    optional: bool = False
    path: bool = False
    keywords: tuple[str, ...] = ()
    epochs: bool = False
    commas: bool = False

    @property
    def allowed(self) -> str:
        """What may be given, in words: ``"a number in [0, 1]"``."""
        if self.choices:
            words = " or ".join(self.choices) if len(self.choices) < 3 else "one of " + ", ".join(self.choices)
        elif self.path and self.keywords:
            words = ", ".join(self.keywords) + " or a file"
        else:
            words = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}[self.type]
        if self.interval:
            words += f" in {self.interval}" if str(self.interval)[0] in "[(" else f" {self.interval}"
        if self.keywords and not self.path:
            words += f", or {', '.join(self.keywords)}"
        return words + (", or none" if self.optional else "")

    def convert(self, value: object, label: str, otherwise: object = UNSAID) -> Any:
        """
        Return `value` (from Python, TOML or the command line) as this parameter's type.

        Args:
            value: that was given.
            label: begins the message.
            otherwise: what would hold had it not been given, for the message; the default where it is not said.

        Raises:
            ParameterError: it is of another type or outside the range.

        """
        default = otherwise is UNSAID or otherwise == self.default
        holds = f"default: {show_value(self.default)}" if default else f"otherwise: {show_value(otherwise)}"
        wrong = ParameterError(f"{label} = {value!s}: must be {self.allowed} ({holds}).")
        if value is None or (self.optional and isinstance(value, str) and value.lower() == "none"):
            if self.optional:
                return None
            raise wrong
        if not self.path and isinstance(value, str) and value in self.keywords:
            return str(value)
        if isinstance(value, bool) and show_value(value) in self.keywords:
            return show_value(value)
        if self.path and isinstance(value, os.PathLike):
            value = os.fspath(value)
        try:
            result = _READERS[self.type](value)
        except (ValueError, TypeError, OverflowError):
            if self.type in (int, float) and isinstance(value, str) and _SEVERAL.fullmatch(value):
                raise ParameterError(f"{wrong} Several values are for nl sweep.") from None
            raise wrong from None
        if (self.choices and result not in self.choices) or (self.interval and result not in self.interval):
            raise wrong
        if not (self.path and result and result not in self.keywords):
            return result
        folder = value.folder if isinstance(value, TextInFile) else Path()
        return str((folder / expand_home(result)).absolute())


def parameters_of(cls: type) -> dict[str, Parameter]:
    """
    Return the declared parameters of a component class, by name, in order.

    A dataclass declares them as fields; any other class as keyword arguments of its constructor.

    Raises:
        TypeError: a parameter without a default, of a type that cannot be written on a command line, or whose
            annotation names what is not there.

    """
    found = {}
    if dataclasses.is_dataclass(cls):
        hints = _hints(cls, cls)
        for field in dataclasses.fields(cls):
            if not field.init:
                continue
            default = field.default
            if default is dataclasses.MISSING:
                raise TypeError(f"{cls.__name__}: parameter {field.name} has no default")
            found[field.name] = _declare(cls, field.name, hints[field.name], default, field.metadata)
    elif cls.__init__ is not object.__init__:  # type: ignore[misc]
        constructor = cls.__init__  # type: ignore[misc]
        hints = _hints(cls, constructor)
        for argument in list(inspect.signature(constructor).parameters.values())[1:]:
            if argument.kind in (argument.VAR_POSITIONAL, argument.VAR_KEYWORD):
                continue
            if argument.default is argument.empty:
                raise TypeError(f"{cls.__name__}: parameter {argument.name} has no default")
            hint = hints.get(argument.name, type(argument.default))
            found[argument.name] = _declare(cls, argument.name, hint, argument.default, {})
    return found


def check_parameters(
    declared: Mapping[str, Parameter],
    given: Mapping[str, object],
    slot: str,
    kind: str,
    name: str,
    otherwise: Mapping[str, object] = {},
) -> dict[str, Any]:
    """
    Return `given` converted and checked against what a component declares.

    Args:
        declared: its parameters.
        given: values by name.
        slot: where it is used, as in ``loss.q = 2``.
        kind, name: of the component, for messages.
        otherwise: the values that would hold without those given, for messages; defaults where there are none.

    Raises:
        ParameterError: an unknown parameter or a wrong value.

    """
    result = {}
    for key, value in given.items():
        if key not in declared:
            has = f"It has {', '.join(declared)}." if declared else "It has none."
            raise ParameterError(
                f"{slot}.{key}: the {kind} {name!r} has no parameter {key!r}.{did_you_mean(key, declared)} {has}"
            )
        result[key] = declared[key].convert(value, f"{slot}.{key}", otherwise.get(key, UNSAID))
    return result


def show_value(value: object) -> str:
    """Return a parameter's value as it is typed on the command line and in a recipe."""
    if value is None:
        return "none"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _hints(cls: type, owner: Any) -> dict[str, Any]:
    try:
        return typing.get_type_hints(owner)
    except NameError as error:  # imported for type checkers only
        raise TypeError(f"{cls.__name__}: its annotations cannot be read, {error}") from error


def _declare(cls: type, name: str, hint: Any, default: Any, metadata: Mapping[str, Any]) -> Parameter:
    optional = False
    keywords: tuple[str, ...] = ()
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        arms = [arm for arm in typing.get_args(hint) if arm is not type(None)]
        optional = len(arms) < len(typing.get_args(hint))
        named = [arm for arm in arms if typing.get_origin(arm) is typing.Literal] if len(arms) > 1 else []
        keywords = tuple(word for arm in named for word in typing.get_args(arm))
        arms = [arm for arm in arms if arm not in named]
        hint = arms[0] if len(arms) == 1 else None
    choices: tuple[str, ...] = ()
    if typing.get_origin(hint) is typing.Literal:
        choices, hint = typing.get_args(hint), str
    if hint not in _READERS:
        raise TypeError(f"{cls.__name__}: parameter {name} is of no type that a command line can give")
    about = {key: metadata[key] for key in ("interval", "path", "keywords", "epochs", "commas") if key in metadata}
    about["keywords"] = about.get("keywords", ()) + keywords
    return Parameter(name, hint, default, metadata.get("help", ""), choices=choices, optional=optional, **about)


def _read_bool(value: object) -> bool:
    if isinstance(value, bool):
        return value
    words = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
    if isinstance(value, str) and value.lower() in words:
        return words[value.lower()]
    raise ValueError


def _read_int(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, (str, numbers.Integral)):
        raise ValueError
    return int(value)


def _read_float(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (str, numbers.Real)):
        raise ValueError
    result = float(value)
    if not math.isfinite(result):
        raise ValueError
    return result


def _read_str(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError
    return str(value)


_READERS: dict[type, typing.Callable[[object], Any]] = {
    bool: _read_bool,
    int: _read_int,
    float: _read_float,
    str: _read_str,
}
