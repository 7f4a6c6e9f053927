"""Options of components: commands that take ``--loss.q`` where the loss has a ``q``, and how options are shown."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import click

from nlcore.config.settings import SHORT_NAMES, switch
from nlcore.host.hookspecs import slots
from nlcore.parameters import Parameter, parameters_of, show_value

if TYPE_CHECKING:
    from nlcore.config.experiment import Experiment

HelpRows = list[tuple[str, str]]


class ComponentCommand(click.Command, ABC):
    """
    A command whose options depend on its arguments: ``--loss.q`` is there when the loss has a ``q``.

    Such options are taken out first and checked with everything else that a component is given, in the same words
    as in a recipe or in Python. Click parses what is left.
    """

    slots: ClassVar[tuple[str, ...]] = tuple(slots())

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take the components' options out, then parse."""
        plain, ctx.obj = take_parameters(self.slots, args)
        return super().parse_args(ctx, plain)

    @abstractmethod
    def experiment(self, ctx: click.Context) -> Experiment:
        """Return the experiment that the command line describes."""

    @abstractmethod
    def sections(self, experiment: Experiment) -> list[tuple[str, HelpRows]]:
        """Return the options between the components and their parameters, by title."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options in sections: components, the command's own, then each component's parameters."""
        experiment = self.experiment(ctx)
        components = [
            (f"--{slot} NAME", with_default(slots()[slot][0].about, experiment[slot].name)) for slot in self.slots
        ]
        components.append(("--labels FILE", "labels from a file: short for --noise stored --noise.file FILE"))
        sections = [("Components", components), *self.sections(experiment)]
        short = {long: name for name, long in SHORT_NAMES.items()}
        for slot in self.slots:
            chosen = experiment[slot]
            rows = []
            for key, (part, name) in chosen.addresses().items():
                long = f"{slot}.{key}"
                typed = flag(short[long]) if long in short else long
                rows.append(help_row(f"--{typed}", part.declared[name], part.params[name]))
            about = "" if slot == slots()[slot][1].name else f" ({slots()[slot][0].about})"
            sections.append((f"Parameters of {slot} {chosen.name}{about}", rows))
        for title, rows in sections:
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)


def take_parameters(slots: Sequence[str], args: Sequence[str]) -> tuple[list[str], dict[str, str | bool]]:
    """Take what is given for the components of these slots out of a command line; return the rest and this."""
    of_component = re.compile(rf"--({'|'.join(slots)})\.")
    plain: list[str] = []
    given: dict[str, str | bool] = {}
    words = list(args)
    while words:
        word = words.pop(0)
        if of_component.match(word):
            typed, equals, value = word.partition("=")
            name = typed.removeprefix("--").replace("-", "_")
            if equals:
                given[name] = value
            else:  # alone it means true, and is refused like any wrong value where that is none
                given[name] = words.pop(0) if words and not words[0].startswith("--") else True
        else:
            plain.append(word)
    return plain, given


def help_rows(cls: type, values: object, only: tuple[str, ...] = ()) -> HelpRows:
    """Return the help of these settings (of all where none are named), with the values that hold."""
    items = parameters_of(cls).values()
    return [help_row(f"--{flag(i.name)}", i, getattr(values, i.name)) for i in items if not only or i.name in only]


def option(cls: type, name: str) -> click.Option:
    """Return a setting's option. Values stay text here: they are converted and checked where those of a recipe are."""
    if parameters_of(cls)[name].type is bool:  # a recipe or a preset may have switched it on
        return click.Option([f"{switch(name)}/{switch(name, on=False)}", name], default=None)
    return click.Option([f"--{flag(name)}", name], default=None)


def flag(name: str) -> str:
    """Return a setting's name as it is typed."""
    return name.replace("_", "-")


def help_row(name: str, item: Parameter, value: object) -> tuple[str, str]:
    """Return an option's two columns of help; `value` is what holds if it is not given."""
    if item.type is bool and name.count(".") == 0:
        return name.replace("--", "--[no-]", 1) if "--no-" not in name else name, item.help
    kinds: dict[type, str] = {bool: "true|false", int: "INTEGER", float: "FLOAT", str: "TEXT"}
    metavar = "|".join(item.choices) if item.choices else kinds[item.type]
    allowed = f"{item.help}, {item.interval}" if item.interval else item.help
    return f"{name} {metavar}", with_default(allowed, value)


def with_default(text: str, value: object) -> str:
    """Return a help text with the value that holds."""
    return text if value is None else f"{text}  [{show_value(value)}]"


def given_parameters(kind: str, whose: str, words: Sequence[str]) -> dict[str, object]:
    """
    Return the parameters that are given for one component, by name.

    Args:
        kind: its kind.
        whose: what it is called in a message.
        words: ``--KIND.NAME VALUE`` or ``--KIND.NAME=VALUE``, one after the other; without a value it is ``true``.

    Raises:
        click.UsageError: another option.

    """
    prefix, rest = f"--{kind}.", list(words)
    given: dict[str, object] = {}
    while rest:
        word, equals, value = rest.pop(0).partition("=")
        if not word.startswith(prefix):
            raise click.UsageError(f"{word}: a parameter of {whose} is given as {prefix}NAME VALUE.")
        given[word.removeprefix(prefix).replace("-", "_")] = value if equals else rest.pop(0) if rest else "true"
    return given
