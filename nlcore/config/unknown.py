"""What is said of a setting that there is not: which one is meant, on the command line, in a recipe and in Python."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection

from nlcore.errors import PluginError, nearest
from nlcore.host import suggest
from nlcore.host.hookspecs import KINDS
from nlcore.host.registry import registry


def meant(name: str, settings: Collection[str], kinds: Collection[str], spell: Callable[[str, str], str]) -> str:
    """
    Return a sentence with what is meant by an unknown name, beginning with a space; an empty string where none is near.

    Args:
        name: that is unknown, with ``_`` for ``-``.
        settings: those that could be given in its place.
        kinds: of the components whose parameters could be.
        spell: how a name such as ``lr`` or ``loss.q`` is typed, and the value that goes with it, empty for none.

    """
    known = suggest.setting(name, settings, kinds)
    if known in settings or known.partition(".")[0] in kinds:
        return f" Did you mean {spell(known, suggest.VALUES.get(name.lower(), ''))}?"
    kind, dot, parameter = name.partition(".")
    near = nearest(kind, kinds) if dot else nearest(name, [*settings, *kinds])
    if near:
        return f" Did you mean {' or '.join(spell(one + dot + parameter, '') for one in near)}?"
    owners = [f"{spell(key, '')} of {', '.join(names)}" for key, names in _owners(name, kinds).items()]
    return f" It is a parameter of components: {'; '.join(owners)}." if owners else ""


def _owners(parameter: str, kinds: Collection[str]) -> dict[str, list[str]]:
    """Return the components that have a parameter of this name, by ``kind.parameter``."""
    known = registry()
    found: dict[str, list[str]] = {}
    for kind in (kind for kind in kinds if kind in KINDS):  # slots of one kind have the same components
        for entry in known.of_kind(kind):
            name = known.display_name(entry)
            with contextlib.suppress(PluginError):  # one that does not work is no reason to hide the others
                if parameter in known.signature(entry)[1]:
                    found.setdefault(f"{kind}.{parameter}", []).append(name)
    return found
