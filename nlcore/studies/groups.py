"""
From runs to the rows of a table: runs that differ in their seeds alone stand in one row.

``--by loss,noise.rate`` names what tells rows apart. Runs of one row that differ in anything else are never averaged:
they are refused with what differs and what to add.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from nlcore.config.settings import SHORT_NAMES
from nlcore.errors import ParameterError, UserError, did_you_mean
from nlcore.host import suggest
from nlcore.host.hookspecs import slots
from nlcore.parameters import show_value
from nlcore.studies.read import Run

#: What runs of a row may differ in: their seeds, and where and how fast they were computed. `preset` stands for
#: settings that are compared themselves.
FREE = ("seed", "noise_seed", "device", "threads", "deterministic", "cuda_graphs", "preset")


@dataclass(frozen=True)
class Row:
    """
    Runs that differ in their seeds alone.

    Attributes:
        key: the value of each of the words in ``--by``, None where the row's components have no such parameter.
        runs: by seed and noise seed, of each pair of seeds one.

    """

    key: tuple[Any, ...]
    runs: tuple[Run, ...]


@dataclass(frozen=True)
class Groups:
    """
    Runs in rows.

    Attributes:
        by: the words that tell rows apart, written out: ``optimizer.lr`` for ``lr``.
        rows: sorted by their keys, numbers by size.
        notes: what a reader should know of the rows, a sentence each.

    """

    by: tuple[str, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()

    @property
    def across(self) -> tuple[Any, ...]:
        """
        The values of the last word where it can go across: beside others, several, and no parameter of one of them.

        Empty where it cannot: few losses have a ``loss.q``, so that most of the columns would be empty.
        """
        *others, last = self.by
        values = tuple(dict.fromkeys(value for (value,) in sorted(((row.key[-1],) for row in self.rows), key=in_order)))
        return values if others and len(values) > 1 and last.partition(".")[0] not in others else ()

    def named(self, key: Sequence[Any]) -> str:
        """Return a row's key in words: ``loss gce, noise.rate 0.5``."""
        return ", ".join(f"{word} {show_key(value)}" for word, value in zip(self.by, key, strict=True))


def group(runs: Sequence[Run], by: Sequence[str]) -> Groups:
    """
    Return the runs in rows.

    Args:
        runs: at least one.
        by: any of ``nl run``'s words: a slot (``loss``), a parameter (``loss.q``), a setting (``epochs``), ``preset``.

    Raises:
        UserError: a word that the runs do not have, runs of one row that differ in more than their seeds, or two of
            the same seeds.

    """
    known = {word for run in runs for word in run.words}
    words = tuple(dict.fromkeys(_known(word, known, runs) for word in by))
    found: dict[tuple[Any, ...], list[Run]] = {}
    for run in runs:
        found.setdefault(tuple(run.words.get(word) for word in words), []).append(run)
    rows = tuple(Row(key, tuple(sorted(found[key], key=lambda run: run.seeds))) for key in sorted(found, key=in_order))
    groups = Groups(words, rows)
    _refuse_other_settings(groups)
    for row in rows:
        _refuse_other_content(groups, row)
    return Groups(words, rows, tuple(note for row in rows for note in _other_makers(groups, row)))


def in_order(key: Iterable[Any]) -> list[tuple[int, float, str]]:
    """Return what sorts keys: what is missing first, then numbers by size, then text."""
    return [
        (0, 0.0, "") if value is None else (2, 0.0, value) if isinstance(value, str) else (1, float(value), "")
        for value in key
    ]


def show_key(value: Any) -> str:
    """Return the value of a word as it is typed, a dash where there is none."""
    return "–" if value is None else show_value(value)


def differing(runs: Sequence[Run]) -> list[str]:
    """
    Return the words in which runs differ, but for seeds and hardware.

    Where components differ, their parameters count only if they differ between runs of one component as well.
    """
    found = _differ(runs)
    chosen = [word for word in found if word in slots()]

    def own(word: str, slot: str) -> bool:
        names = {run.words.get(slot) for run in runs}
        return any(word in _differ([run for run in runs if run.words.get(slot) == name]) for name in names)

    return [word for word in found if (slot := word.partition(".")[0]) == word or slot not in chosen or own(word, slot)]


def _differ(runs: Sequence[Run]) -> list[str]:
    by_content = {word for run in runs for word in run.content if word != "dataset"}
    words = dict.fromkeys(word for run in runs for word in run.words if word not in FREE and word not in by_content)
    return [word for word in words if len({run.words.get(word) for run in runs}) > 1]


def _known(typed: str, known: set[str], runs: Sequence[Run]) -> str:
    """Return the word that was typed, written out."""
    word = typed.strip().replace("-", "_")
    word = SHORT_NAMES.get(word, word)
    if word in known:
        return word
    guess = suggest.setting(word, known, slots())
    guess = SHORT_NAMES.get(guess, guess)
    inside = sorted(one for one in known if one.endswith(f".{word}"))
    if guess in known:
        said = f" Did you mean {guess!r}?"
    elif inside:
        said = f" Did you mean {' or '.join(map(repr, inside[:3]))}?"
    else:
        said = did_you_mean(word, known)
    varied = [one for one in (*differing(runs), "seed", "noise_seed") if len({run.words.get(one) for run in runs}) > 1]
    among = f" The runs differ in {', '.join(varied)}." if varied else " The runs do not differ in anything."
    raise ParameterError(f"by {typed.strip()}: no run has such a setting.{said}{among}")


def _refuse_other_settings(groups: Groups) -> None:
    """Raise where runs of a row differ in a setting, with all words that would tell rows apart."""
    apart = {row.key: differing(row.runs) for row in groups.rows}
    key = next((key for key, words in apart.items() if words), None)
    if key is None:
        return
    row = next(row for row in groups.rows if row.key == key)
    shown = [f"{word} ({_values(row.runs, word)})" for word in apart[key]]
    more = dict.fromkeys(word for words in apart.values() for word in words)
    raise UserError(
        f"Runs of one row may differ in seed and noise seed alone; those of {groups.named(key)} differ in "
        f"{', '.join(shown)}. Give by = {','.join((*groups.by, *more))}, or name a folder with only the runs you mean."
    )


def _values(runs: Sequence[Run], word: str) -> str:
    values = sorted({(run.words.get(word),) for run in runs}, key=in_order)
    return ", ".join(show_key(value) for (value,) in values[:5]) + (", ..." if len(values) > 5 else "")


def _refuse_other_content(groups: Groups, row: Row) -> None:
    """Raise where runs of a row are the same run twice, or differ in data, files or labels."""
    where = f"The row {groups.named(row.key)}"
    first: dict[tuple[int, int], Run] = {}
    labels: dict[int, Run] = {}
    for run in row.runs:
        seed, noise_seed = run.seeds
        twin = first.setdefault(run.seeds, run)
        if twin is not run:
            _apart(f"{where} has seed {seed}, noise seed {noise_seed} twice", twin, run)
        for what in row.runs[0].content.keys() | run.content.keys():
            if run.content.get(what) != row.runs[0].content.get(what):
                word = "data" if what.partition(".")[0] == "dataset" else f"content in the file of {what}"
                _apart(f"{where} has runs with other {word}", row.runs[0], run)
        same = labels.setdefault(noise_seed, run)
        if same.result.labels_sha256 != run.result.labels_sha256:
            _apart(f"{where} has runs of noise seed {noise_seed} with other labels", same, run)


def _apart(what: str, one: Run, other: Run) -> NoReturn:
    raise UserError(f"{what}: {one.name} and {other.name}. Move one of them to another folder.")


def _other_makers(groups: Groups, row: Row) -> list[str]:
    """Return in words where runs of a row were made by other code: only their reader knows whether it matters."""
    made: Mapping[str, str] = row.runs[0].made_by
    names = dict.fromkeys(name for run in row.runs for name in run.made_by)
    other = [name for name in names if any(run.made_by.get(name) != made.get(name) for run in row.runs)]
    return [f"{groups.named(row.key)}: runs differ in {', '.join(other)}"] if other else []
