"""Component records, and how declared parameters are read, checked and shown."""

from __future__ import annotations

import dataclasses
import pickle
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, ClassVar, Literal, Optional

import numpy as np
import pytest

import nlcore
from nlcore.errors import ParameterError
from nlcore.host.hookspecs import component_kinds
from nlcore.host.registry import registry
from nlcore.parameters import Interval, check_parameters, parameter, parameters_of, show_value


@dataclass
class Everything:
    """One parameter of each type that can be declared."""

    shared: ClassVar[int] = 3

    flag: bool = parameter(True, "a switch")
    count: int = parameter(4, "a number", range="[1, 10]")
    ratio: float = parameter(0.5, "a share", range="(0, 1]")
    label: str = "plain"
    mode: Literal["fast", "slow"] = "fast"
    limit: float | None = parameter(None, "a limit, or none", range="[0, inf)")
    old_style: Optional[int] = None  # noqa: UP045  (written as many plugins do)
    state: list[int] = dataclasses.field(default_factory=list, init=False)


class Plain:
    """Parameters as keyword arguments."""

    def __init__(self, alpha: float = 0.2, *, steps: int = 3, untyped=True, **rest: Any) -> None:  # type: ignore[no-untyped-def]
        self.alpha, self.steps, self.untyped = alpha, steps, untyped


class Inheriting(Plain):
    """Has its constructor from elsewhere."""


class Nothing:
    """Has no parameters at all."""


# ------------------------------------------------------------------------------------------------- Component


def test_component_keeps_what_it_is_given() -> None:
    component = nlcore.Component("my_loss2", "a_package.module:Outer.Inner", "A loss.", "arXiv:1412.6596")
    assert (component.name, component.target) == ("my_loss2", "a_package.module:Outer.Inner")
    assert (component.summary, component.paper) == ("A loss.", "arXiv:1412.6596")
    assert nlcore.Component("a", "m:C", "s").paper == ""


@pytest.mark.parametrize("name", ["", "GCE", "my-loss", "2fast", "_hidden", "a b", "a/b", "a.b", "naïve", "ok\n"])
def test_component_refuses_names_that_cannot_be_typed_as_an_option(name: str) -> None:
    with pytest.raises(ValueError, match="name"):
        nlcore.Component(name, "m:C", "s")


@pytest.mark.parametrize(
    "target", ["", "module", "module:", ":Class", "module.Class", "a:b:c", "a b:C", "m:C()", "m:C\n"]
)
def test_component_refuses_targets_that_are_no_module_and_class(target: str) -> None:
    with pytest.raises(ValueError, match="target"):
        nlcore.Component("fine", target, "s")


@pytest.mark.parametrize("summary", ["", "  ", "two\nlines"])
def test_component_needs_a_summary_of_one_line(summary: str) -> None:
    with pytest.raises(ValueError, match="summary"):
        nlcore.Component("fine", "m:C", summary)


def test_component_knows_bibtex_by_its_first_character() -> None:
    assert nlcore.Component("a", "m:C", "s", bibtex="\n@misc{a,\n}\n").bibtex.strip() == "@misc{a,\n}"
    with pytest.raises(ValueError, match="bibtex"):
        nlcore.Component("a", "m:C", "s", "arXiv:1412.6596", "Reed et al. 2015")


@pytest.mark.parametrize("field", ["name", "target", "summary", "paper", "bibtex"])
def test_component_refuses_what_is_no_text(field: str) -> None:
    arguments: dict[str, Any] = {"name": "fine", "target": "m:C", "summary": "s", "paper": "", field: Nothing}
    with pytest.raises(ValueError, match=field):
        nlcore.Component(**arguments)


# -------------------------------------------------------------------------------------------------- Interval


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("[0, 1]", [0, 0.5, 1], [-1e-9, 1.0001]),
        ("(0, 1]", [1e-300, 1], [0, 2]),
        ("[0, 1)", [0, 0.999], [1, -1]),
        ("(0, 1)", [0.5], [0, 1]),
        ("(0, inf)", [1e300, 1e-300], [0, -1]),
        ("[2, inf)", [2, 10**30], [1]),
        ("(-inf, 0]", [-1e300, 0], [1e-9]),
        ("[-1, 5000]", [-1, 5000], [-2, 5001]),
    ],
)
def test_interval_has_its_ends_or_not(text: str, inside: list[float], outside: list[float]) -> None:
    interval = Interval(text)
    assert all(value in interval for value in inside)
    assert not any(value in interval for value in outside)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[0, 1)", "[0, 1)"),
        ("(-inf, 0]", "(-inf, 0]"),
        ("[1, inf)", "at least 1"),
        ("(0, inf)", "above 0"),
    ],
)
def test_interval_in_words(text: str, words: str) -> None:
    assert str(Interval(text)) == words


# ---------------------------------------------------------------------------------------------- declarations


def test_a_dataclass_declares_its_fields() -> None:
    declared = parameters_of(Everything)
    assert {name: (item.type, item.default, item.optional) for name, item in declared.items()} == {
        "flag": (bool, True, False),
        "count": (int, 4, False),
        "ratio": (float, 0.5, False),
        "label": (str, "plain", False),
        "mode": (str, "fast", False),
        "limit": (float, None, True),
        "old_style": (int, None, True),
    }
    assert list(declared) == ["flag", "count", "ratio", "label", "mode", "limit", "old_style"]
    assert declared["count"].help == "a number"
    assert declared["mode"].choices == ("fast", "slow")


@pytest.mark.parametrize("cls", [Plain, Inheriting])
def test_another_class_declares_the_keywords_of_its_constructor(cls: type) -> None:
    declared = parameters_of(cls)
    assert {name: (item.type, item.default) for name, item in declared.items()} == {
        "alpha": (float, 0.2),
        "steps": (int, 3),
        "untyped": (bool, True),
    }


def test_a_class_without_constructor_has_no_parameters() -> None:
    assert parameters_of(Nothing) == {}


def test_a_parameter_needs_a_default() -> None:
    @dataclass
    class Field:
        q: float

    class Keyword:
        def __init__(self, q: float) -> None: ...

    @dataclass
    class Factory:
        q: list[int] = dataclasses.field(default_factory=list)

    for cls in (Field, Keyword, Factory):
        with pytest.raises(TypeError, match=rf"{cls.__name__}.* q .*default"):
            parameters_of(cls)


@pytest.mark.parametrize("hint", [list[int], dict[str, int], tuple[int, ...], bytes, int | str, Any])
def test_a_parameter_must_be_of_a_type_that_can_be_typed(hint: Any) -> None:
    cls = dataclasses.make_dataclass("Odd", [("q", hint, dataclasses.field(default=None))])
    with pytest.raises(TypeError, match="Odd: parameter q"):
        parameters_of(cls)


@pytest.mark.parametrize(
    ("name", "allowed"),
    [
        ("flag", "true or false"),
        ("count", "a whole number in [1, 10]"),
        ("ratio", "a number in (0, 1]"),
        ("label", "text"),
        ("mode", "fast or slow"),
        ("limit", "a number at least 0, or none"),
        ("old_style", "a whole number, or none"),
    ],
)
def test_what_is_allowed_in_words(name: str, allowed: str) -> None:
    assert parameters_of(Everything)[name].allowed == allowed


def test_many_choices_are_listed() -> None:
    @dataclass
    class Many:
        mode: Literal["a", "b", "c"] = "a"

    assert parameters_of(Many)["mode"].allowed == "one of a, b, c"


# ------------------------------------------------------------------------------------------------ conversion


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("flag", True, True),
        ("flag", "false", False),
        ("flag", "Yes", True),
        ("flag", "0", False),
        ("count", 7, 7),
        ("count", "7", 7),
        ("count", np.int32(7), 7),
        ("ratio", 1, 1.0),
        ("ratio", "0.25", 0.25),
        ("ratio", "2.5e-1", 0.25),
        ("ratio", np.float32(0.25), 0.25),
        ("ratio", Fraction(1, 4), 0.25),
        ("label", "none", "none"),  # only where none is allowed does the word mean it
        ("label", "7", "7"),
        ("mode", "slow", "slow"),
        ("limit", None, None),
        ("limit", "None", None),
        ("limit", "3", 3.0),
        ("old_style", "none", None),
        ("old_style", 3, 3),
    ],
)
def test_values_are_read_as_the_declared_type(name: str, given: object, expected: object) -> None:
    value = check_parameters(parameters_of(Everything), {name: given}, "loss", "loss", "everything")[name]
    assert value == expected
    assert type(value) is type(expected)


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("flag", 1),
        ("flag", "maybe"),
        ("flag", None),
        ("count", True),  # bool is a kind of int to Python, not to a user
        ("count", 5.0),
        ("count", "5.0"),
        ("count", "many"),
        ("count", None),
        ("count", 0),
        ("count", "11"),
        ("ratio", float("nan")),
        ("ratio", "nan"),
        ("ratio", 0),
        ("ratio", 1.5),
        ("ratio", False),
        ("ratio", [0.5]),
        ("limit", float("inf")),
        ("limit", "inf"),
        ("limit", 10**400),
        ("limit", -1),
        ("label", 7),
        ("mode", "Fast"),
        ("mode", 1),
        ("old_style", 2.5),
    ],
)
def test_wrong_values_are_refused_with_name_value_and_what_is_allowed(name: str, given: object) -> None:
    declared = parameters_of(Everything)[name]
    with pytest.raises(ParameterError) as caught:
        check_parameters(parameters_of(Everything), {name: given}, "loss", "loss", "everything")
    message = str(caught.value)
    assert message.startswith(f"loss.{name} = {given}: ")
    assert declared.allowed in message
    assert f"default: {show_value(declared.default)}" in message


@pytest.mark.parametrize("given", [float("nan"), "nan", float("inf"), "-inf"])
def test_a_number_is_finite_even_where_no_range_is_declared(given: object) -> None:
    with pytest.raises(ParameterError, match=r"loss\.alpha = .*: must be a number \(default: 0\.2\)"):
        check_parameters(parameters_of(Plain), {"alpha": given}, "loss", "loss", "plain")


def test_an_unknown_parameter_is_named_with_the_nearest_and_all_that_there_are() -> None:
    with pytest.raises(ParameterError) as caught:
        check_parameters(parameters_of(Everything), {"cuont": 3}, "loss", "loss", "everything")
    message = str(caught.value)
    assert "loss.cuont" in message
    assert "'everything'" in message
    assert "Did you mean 'count'" in message
    assert "flag, count, ratio, label, mode, limit, old_style" in message


def test_an_unknown_parameter_of_what_has_none() -> None:
    with pytest.raises(ParameterError, match=r"loss\.q.*It has none"):
        check_parameters(parameters_of(Nothing), {"q": 1}, "loss", "loss", "nothing")


def test_only_given_parameters_are_returned() -> None:
    assert check_parameters(parameters_of(Everything), {"ratio": 1}, "loss", "loss", "everything") == {"ratio": 1.0}


@pytest.mark.parametrize(("value", "shown"), [(None, "none"), (True, "true"), (0.7, "0.7"), ("x", "x"), (3, "3")])
def test_values_are_shown_as_they_are_typed(value: object, shown: str) -> None:
    assert show_value(value) == shown


# -------------------------------------------------------------------------------------------- the built-ins


def _builtins() -> list[tuple[str, str]]:
    return [
        (kind, entry.name)
        for kind in component_kinds()
        for entry in registry().of_kind(kind)
        if entry.builtin and kind != "tracker"
    ]


@pytest.mark.parametrize(("kind", "name"), _builtins())
def test_builtins_can_be_printed_and_pickled(kind: str, name: str) -> None:
    component = nlcore.create(kind, name)
    declared = parameters_of(type(component))
    copy = pickle.loads(pickle.dumps(component))
    assert type(copy) is type(component)
    held = {key: getattr(component, key) for key in declared}
    # What is left open may be settled by the component itself.
    assert all(held[key] == item.default or item.default is None for key, item in declared.items())
    assert {key: getattr(copy, key) for key in declared} == held
    values = ", ".join(f"{key}={value!r}" for key, value in held.items())
    assert repr(component) == f"{type(component).__name__}({values})"


@pytest.mark.parametrize(("kind", "name"), _builtins())
def test_builtins_say_what_each_parameter_is_and_accept_their_defaults_as_typed(kind: str, name: str) -> None:
    cls = type(nlcore.create(kind, name))
    for key, item in parameters_of(cls).items():
        assert item.help.strip(), f"{kind} {name}: {key} has no help"
        assert check_parameters(parameters_of(cls), {key: show_value(item.default)}, kind, kind, name) == {
            key: item.default
        }


@dataclass
class FileOrWord:
    """A file, or one of two words in its place."""

    source: str = parameter("guess", "where it comes from", path=True, keywords=("guess", "ask"))


def test_a_word_in_place_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are made absolute, words are not; a file that is called like a word is given with its folder."""
    monkeypatch.chdir(tmp_path)
    declared = parameters_of(FileOrWord)["source"]
    assert declared.convert("ask", "x.source") == "ask"
    assert declared.convert("matrix.csv", "x.source") == str(tmp_path / "matrix.csv")
    assert declared.convert("./ask", "x.source") == str(tmp_path / "ask")
    assert declared.allowed == "guess, ask or a file"
    with pytest.raises(ParameterError, match=r"x\.source = 3: must be guess, ask or a file \(default: guess\)"):
        declared.convert(3, "x.source")


@dataclass
class WithAWord:
    """A number, or a word."""

    rate: float | Literal["auto", "all"] | None = parameter(None, "how many", range="[0, 1)")


@pytest.mark.parametrize(
    ("given", "read"), [("auto", "auto"), ("all", "all"), ("0.25", 0.25), (0.5, 0.5), ("none", None), (None, None)]
)
def test_a_number_may_have_words_beside_it(given: object, read: object) -> None:
    assert parameters_of(WithAWord)["rate"].convert(given, "x.rate") == read


@pytest.mark.parametrize("wrong", ["automatic", 1.5, True, ""])
def test_other_words_than_those_are_refused(wrong: object) -> None:
    with pytest.raises(ParameterError, match=r"must be a number in \[0, 1\), or auto, all, or none"):
        parameters_of(WithAWord)["rate"].convert(wrong, "x.rate")
