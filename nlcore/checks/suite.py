"""Collecting the checks of a component, running them, and finding the components of a plugin."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import inspect
import re
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from nlcore.errors import ParameterError, PluginError, UserError, did_you_mean
from nlcore.host.hookspecs import KINDS
from nlcore.host.registry import Entry, Registry, registry
from nlcore.parameters import check_parameters, parameters_of, show_value
from nlcore.textfiles import expand_home

Status = Literal["passed", "failed", "expected failure", "not applicable"]


class NotApplicable(Exception):  # noqa: N818  (a status, no error)
    """A check that says nothing about this component, and why."""


@dataclass(frozen=True)
class Check:
    """
    One check of one component, to be called.

    Attributes:
        entry: the component.
        function: the rule; takes the component's class, or the entry where `of_entry` is set.
        params: parameters that the component is checked with, in place of its defaults.

    """

    entry: Entry
    function: Callable[[Any], None]
    of_entry: bool = False
    params: Mapping[str, object] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The rule's name, with the parameters where there are any: ``learns[warm_up=1]``."""
        given = ",".join(f"{key}={show_value(value)}" for key, value in self.params.items())
        return f"{self.function.__name__}[{given}]" if given else self.function.__name__

    @property
    def rule(self) -> str:
        """The rule in one sentence, the first line of its docstring."""
        return (inspect.getdoc(self.function) or "").partition("\n")[0]

    @property
    def component(self) -> str:
        """What is checked, as in ``loss:gce``."""
        return f"{self.entry.kind}:{registry().display_name(self.entry)}"

    def __str__(self) -> str:
        """Component and rule, as in ``loss:gce/is_deterministic``."""
        return f"{self.component}/{self.name}"

    def __call__(self) -> None:
        """
        Run the check on one thread; torch's global generator is left as it was.

        Raises:
            AssertionError: the rule is broken; the message says how, and what to do.
            NotApplicable: it says nothing about this component, or the component asks its user for something that is
                not here (it raised a `UserError`), such as a file.

        """
        try:
            with _on_its_own():
                self.function(self.entry if self.of_entry else self._class())
        except (PluginError, ParameterError) as error:
            raise AssertionError(str(error)) from error
        except UserError as error:
            raise NotApplicable(str(error)) from error

    def _class(self) -> type:
        cls = registry().load(self.entry)
        return _with_parameters(cls, self.entry, self.params) if self.params else cls


@dataclass(frozen=True)
class Outcome:
    """
    What came of a check.

    Attributes:
        component: as in ``loss:gce``.
        check: the rule's name.
        rule: the rule in one sentence.
        status: ``passed``, ``failed``, ``expected failure`` (the component says why) or ``not applicable``.
        reason: why, empty where it passed.

    """

    component: str
    check: str
    rule: str
    status: Status
    reason: str = ""


def checks_for(entry: Entry, params: Mapping[str, object] | None = None) -> list[Check]:
    """
    Return all checks of a component, in order: those of all kinds, then those of its own.

    Args:
        entry: the component.
        params: parameters to check it with. Where there are none, it is checked with its defaults, and once more with
            each set of parameters that it names as ``checked_with``.

    """
    every = importlib.import_module("nlcore.checks.every")
    of_entry = [Check(entry, function, of_entry=True) for function in every.CHECKS_OF_THE_RECORD]
    name = f"nlcore.checks.{entry.kind}"
    module: Any = importlib.import_module(name) if importlib.util.find_spec(name) else None
    own = getattr(module, "CHECKS", ())
    if not KINDS[entry.kind].required:  # no class stands behind it
        return of_entry + [Check(entry, function, of_entry=True) for function in own]
    every_class = [Check(entry, function) for function in every.CHECKS_OF_THE_CLASS]
    sets: list[Mapping[str, object]] = [params] if params else [{}, *_checked_with(entry)]
    in_own_time = getattr(module, "WITH_DEFAULTS_ONLY", ())  # what short phases keep from its end
    return [
        *of_entry,
        *every_class,
        *(
            Check(entry, function, params=one)
            for one in sets
            for function in own
            if not (one and function in in_own_time)
        ),
    ]


def run_checks(entries: Iterable[Entry], params: Mapping[str, object] | None = None) -> list[Outcome]:
    """Run all checks of these components and return what came of each; nothing is raised."""
    return [_run(check) for entry in entries for check in checks_for(entry, params)]


def find(target: str) -> list[Entry]:
    """
    Return the components that a word means: an installed distribution's, a plugin file's, or the one of ``kind:name``.

    Raises:
        UserError: there is none, or the distribution has a plugin that failed to load.

    """
    known = registry()
    kind, colon, name = target.partition(":")
    if colon and kind in KINDS:
        return [known.find(kind, name)]
    file = expand_home(target).absolute() if target.endswith(".py") else None
    wanted = re.sub(r"[-_.]+", "-", target).lower()
    plugins = [one for one in known.plugins if (one.file == str(file) if file else one.distribution == wanted)]
    for plugin in plugins:
        if plugin.state == "failed":
            raise PluginError(f"The plugin {plugin.entry_point!r} of {target} cannot be loaded: {plugin.reason}.")
        if plugin.state == "blocked":
            raise UserError(f"NL_PLUGINS leaves {target} out.")
    found = {entry for plugin in plugins for entry in plugin.entries}
    if not found:
        raise UserError(
            f"There are no components of {target!r} here.{_meant(target, known)} Give the name of an "
            "installed package, kind:name as 'nl list-plugins' lists them, or a file."
        )
    return [entry for kind in KINDS for entry in known.of_kind(kind) if entry in found]


def _meant(target: str, known: Registry) -> str:
    """Return what else may be meant: a component that is called so, or what is spelled alike."""
    components = {f"{entry.kind}:{known.display_name(entry)}": entry.name for entry in known.entries}
    called_so = [full for full, name in components.items() if name == target]
    if called_so:
        return f" Did you mean {' or '.join(map(repr, called_so))}?"
    return did_you_mean(target, [*dict.fromkeys(entry.distribution for entry in known.entries), *components])


def _checked_with(entry: Entry) -> Sequence[Mapping[str, object]]:
    try:
        found: Sequence[Mapping[str, object]] = getattr(registry().load(entry), "checked_with", ())
    except Exception:  # whatever it is, the checks themselves find it
        return ()
    return found


def _with_parameters(cls: type, entry: Entry, params: Mapping[str, object]) -> type:
    """Return a class whose instances are made with these parameters where nothing is said."""
    checked = check_parameters(parameters_of(cls), params, entry.kind, entry.kind, entry.name)

    def construct(self: Any) -> None:
        cls.__init__(self, **checked)  # type: ignore[misc]

    named = {"__module__": cls.__module__, "__qualname__": cls.__qualname__, "__doc__": cls.__doc__}
    return type(cls.__name__, (cls,), {"__init__": construct, **named, "__checked_with__": checked})


def _run(check: Check) -> Outcome:
    status: Status = "passed"
    reason = ""
    expected = _expected(check)
    try:
        check()
    except NotApplicable as error:
        status, reason = "not applicable", str(error)
    except (Exception, SystemExit) as error:
        status, reason = "failed", _reason(error)
        if expected:
            status, reason = "expected failure", expected
    else:
        if expected:
            status, reason = "failed", f"It passes, though it is expected to fail: {expected}"
    return Outcome(check.component, check.name, check.rule, status, " ".join(reason.split()))


def _expected(check: Check) -> str:
    """Return why the component says that this check fails, by its ``expected_failures``; empty where it does not."""
    try:
        said: Mapping[str, str] = getattr(registry().load(check.entry), "expected_failures", {})
    except Exception:  # there is no class, or it cannot be loaded
        return ""
    return str(said.get(check.name, said.get(check.function.__name__, "")))


def _reason(error: BaseException) -> str:
    """Return a check's own message; of any other error its type and where it was raised."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    where = Path(last.filename)
    if isinstance(error, AssertionError) and str(error) and where.parent == Path(__file__).parent:
        return str(error)
    return f"{type(error).__name__}: {error} ({where.name}, line {last.lineno})"


@contextlib.contextmanager
def _on_its_own() -> Iterator[None]:
    import torch

    from nlcore.training.hardware import using_threads

    with using_threads(1), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield
