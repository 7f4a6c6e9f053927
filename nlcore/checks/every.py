"""What holds for components of all kinds."""

from __future__ import annotations

import dataclasses
import math
import pickle
import re
import sys
from typing import Any

from nlcore.checks.suite import NotApplicable
from nlcore.errors import NotInstalledError, PluginError
from nlcore.host.discovery import import_cost
from nlcore.host.registry import Entry, registry
from nlcore.parameters import parameters_of

_PAPER = re.compile(r"(arXiv:\S+|doi:\S+|10\.\d{4,}/\S+|https?://\S+)\Z")


def record_is_well_formed(entry: Entry) -> None:
    """
    The record names the component, its class, what it is in one line of at most 120 characters, and its paper.

    The paper is ``arXiv:...``, a DOI or a URL, or empty where there is none.
    """
    component = entry.component
    try:
        dataclasses.replace(component)  # its own checks, once more
    except ValueError as error:
        raise AssertionError(str(error)) from error
    length = len(component.summary)
    assert length <= 120, f"The summary has {length} characters; lists show one line of at most 120."
    assert not component.paper or _PAPER.match(component.paper), (
        f"The paper {component.paper!r} is neither arXiv:NUMBER, a DOI (10.x/y) nor a URL. "
        "Leave it empty if there is none."
    )


def hooks_leave_torch_unimported(entry: Entry) -> None:
    """
    Loading the plugin does not import torch.

    Every command loads the module with the hooks, ``nl --help`` too. Give targets as strings and import torch in the
    modules that they name; keep it out of the ``__init__.py`` of the packages above the hooks.
    """
    plugin = next(plugin for plugin in registry().plugins if entry in plugin.entries)
    if plugin.file:
        raise NotApplicable("A single file is loaded only when it is asked for.")
    try:
        seconds, imported = import_cost(plugin)
    except PluginError as error:
        raise AssertionError(f"The plugin {plugin.entry_point!r} of {plugin.distribution}: {error}.") from error
    assert not imported, (
        f"Loading the plugin {plugin.entry_point!r} of {plugin.distribution} imports torch: every command would wait "
        f"for it ({seconds:.1f} s "
        "here). Import it in the target's module, not in the one with the hooks or a package's __init__.py above it."
    )


def target_has_a_manual_page(cls: type) -> None:
    """
    The component's class has a docstring.

    ``nl show`` prints it: say what the component computes, with its equation.
    """
    text = cls.__doc__ or ""
    written = text.strip() and not text.startswith(f"{cls.__name__}(")  # which a dataclass writes by itself
    assert written, f"{cls.__name__} has no docstring: say what it computes, 'nl show' prints it."


def is_constructed_without_arguments(cls: type) -> None:
    """Every parameter has a default with which the component can be constructed."""
    _construct(cls)


def parameters_are_documented(cls: type) -> None:
    """Every parameter has a help text, and a default of its type within its range or choices."""
    try:
        declared = parameters_of(cls)
    except TypeError as error:
        raise AssertionError(str(error)) from error
    for name, parameter in declared.items():
        assert parameter.help.strip(), (
            f"{name} has no help text: declare it in a dataclass as {name}: {parameter.type.__name__} = "
            f'parameter({parameter.default!r}, "what it does").'
        )
        label = f"{cls.__name__}.{name}"
        read = parameter.convert(parameter.default, label)  # raises with what is allowed
        assert read == parameter.default, f"{label}: its default {parameter.default!r} is no {parameter.type.__name__}."


def repr_gives_it_back(cls: type) -> None:
    """
    Evaluating the component's repr gives an equal component.

    A dataclass does so by itself; state does not belong in its fields but is made in ``setup``.
    """
    component = _construct(cls)
    text = repr(component)
    names = {**vars(sys.modules[cls.__module__]), cls.__name__: cls, "inf": math.inf}
    try:
        again = eval(text, names)
    except Exception as error:
        raise AssertionError(f"repr gives {text!r:.100}, which is no Python ({error}). {_DATACLASS}") from error
    same = type(again) is cls and again == component
    assert same, f"repr gives {text!r:.100}, which is another one. {_DATACLASS}"


def pickles(cls: type) -> None:
    """A pickled component comes back equal, so that it can go to another process."""
    component = _construct(cls)
    try:
        again = pickle.loads(pickle.dumps(component))
    except Exception as error:
        raise AssertionError(f"It cannot be pickled: {error}. Keep lambdas, locks and files out of it.") from error
    assert again == component, f"What comes back from a pickle is not equal to it. {_DATACLASS}"


_DATACLASS = "Make the class a dataclass with its parameters as fields, and nothing else in them."

#: These take the entry and hold for presets too.
CHECKS_OF_THE_RECORD = (record_is_well_formed, hooks_leave_torch_unimported)
CHECKS_OF_THE_CLASS = (
    target_has_a_manual_page,
    is_constructed_without_arguments,
    parameters_are_documented,
    repr_gives_it_back,
    pickles,
)


def _construct(cls: type) -> Any:
    try:
        return cls()
    except NotInstalledError as error:
        raise NotApplicable(str(error)) from error
    except Exception as error:
        raise AssertionError(
            f"{cls.__name__}() raises {type(error).__name__}: {error}. Give every parameter a default that works."
        ) from error
