"""
How a table of many runs is laid out: what stands above it, its blocks, and the notes below; the same in every format.

With two or more words in ``--by`` and no baseline, the last word goes across, as papers have it, if it has several
values, is no parameter of another word (``loss.q`` of ``loss``), and the block then fits into 80 columns. Otherwise
every combination is a line; `nlcore.studies.text` says how many of them fit into 80 columns.
"""

from __future__ import annotations

import string
from collections.abc import Sequence
from dataclasses import dataclass

from nlcore.errors import plural
from nlcore.studies.common import common
from nlcore.studies.comparison import BASELINE, Baseline, Compared, compare, read_baseline
from nlcore.studies.groups import Groups, Row, show_key
from nlcore.studies.metrics import Metric, metric_of_runs
from nlcore.studies.read import Run

#: Columns of a terminal that text is laid out for, and spaces between two columns of a table.
WIDTH, GAP = 80, 2


@dataclass(frozen=True)
class Cell:
    """
    A cell of a table.

    Attributes:
        text: without marks.
        best: whether it is marked as significantly the best.
        marks: the letters of the notes below that are about it.

    """

    text: str
    best: bool = False
    marks: str = ""


@dataclass(frozen=True)
class Block:
    """
    A table.

    Attributes:
        title: what its numbers are.
        columns: the titles.
        rows: the cells, as many as there are titles.
        labels: how many columns at the left say which row it is; the others hold numbers.
        across: the word whose values are the titles of the other columns; empty where there is none.

    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    labels: int
    across: str = ""

    @property
    def caption(self) -> str:
        """What its numbers are, and by which word they go across."""
        return f"{self.title}; by {self.across}" if self.across else self.title


@dataclass(frozen=True)
class Layout:
    """
    All that a table says.

    Attributes:
        groups: the rows.
        metrics: what its numbers are.
        records: the numbers, unrounded: of each metric every row's.
        common: what is the same in all runs.
        blocks: the tables.
        notes: what is to be known of them, a sentence each.
        marked: the notes that marks in the tables stand for, by letter.
        best: what the mark of the best means; empty where nothing has it.

    """

    groups: Groups
    metrics: tuple[Metric, ...]
    records: tuple[Compared, ...]
    common: str
    blocks: tuple[Block, ...]
    notes: tuple[str, ...]
    marked: tuple[tuple[str, str], ...]
    best: str


def table_of(runs: Sequence[Run], groups: Groups, metrics: Sequence[str], baseline: str | None) -> Layout:
    """
    Return the table of runs.

    Args:
        runs: all of them.
        groups: the same in rows.
        metrics: the names of its numbers.
        baseline: what rows are held against, as it is typed, or None.

    Raises:
        ParameterError: a number that the runs do not have, or a baseline that is none of the rows.

    """
    chosen = [metric_of_runs(name, runs) for name in metrics]
    return lay_out(groups, chosen, None if baseline is None else read_baseline(baseline, groups))


def lay_out(groups: Groups, metrics: Sequence[Metric], baseline: Baseline | None = None) -> Layout:
    """Return the table of these numbers, with the difference to a baseline where one is given."""
    by_metric = [compare(groups, metric, baseline) for metric in metrics]
    records = tuple(one for rows in by_metric for one in rows)
    counts = {one.spread.n for one in records}
    marks = _Marks()
    blocks: tuple[Block, ...] = ()
    if baseline:
        blocks = tuple(_against(groups, rows, marks) for rows in by_metric)
        notes = [_about_spread(""), _about_difference(by_metric, baseline)]
    else:
        if groups.across:
            blocks = tuple(_matrix(groups, rows, len(counts) > 1, marks) for rows in by_metric)
        if not blocks or not all(map(_fits, blocks)):
            marks = _Marks()
            blocks = (_list(groups, by_metric, len(counts) > 1, marks),)
        notes = [_about_spread(" (n)" if len(counts) > 1 else f"; n = {counts.pop()} in every cell")]
    significant = any(one.significant for one in records)
    if not significant and any(one.best for one in records):
        notes.append("no row is significantly the best")
    compared = " and ".join(baseline.values if baseline else groups.by[:1])
    best = f"the best of the rows that differ in {compared} alone, by a paired difference to each that is significant"
    marked = tuple((letter, text) for text, letter in marks.letters.items())
    return Layout(
        groups,
        tuple(metrics),
        records,
        common(groups),
        blocks,
        (*notes, *groups.notes),
        marked,
        f"{best} at 5 % (Bonferroni)" if significant else "",
    )


def _about_spread(n: str) -> str:
    return f"mean ± standard deviation over n runs{n}"


def _about_difference(by_metric: Sequence[Sequence[Compared]], baseline: Baseline) -> str:
    tests = {sum(one.p_holm is not None for one in rows) for rows in by_metric}
    over = f"difference: to {baseline.text}, over runs of equal seeds and labels"
    if tests == {0}:
        return f"{over}; an interval needs two pairs of runs that do not differ by the same"
    return (
        f"{over}, with the 95 % interval of Student's t in brackets; p: of the paired t-test, adjusted by Holm over "
        f"{plural(tests.pop(), 'row') if len(tests) == 1 else 'the rows that have one'}"
    )


class _Marks:
    """Letters for notes, given as they are first needed."""

    def __init__(self) -> None:
        self.letters: dict[str, str] = {}

    def of(self, *notes: str) -> str:
        """Return the letters of notes, a comma between them."""
        for note in notes:
            number = len(self.letters)
            letters = string.ascii_lowercase
            self.letters.setdefault(note, letters[number % 26] * (1 + number // 26))
        return ",".join(self.letters[note] for note in notes)


def _row_notes(row: Row) -> list[str]:
    """Return what a reader must know of a row: oracles, and runs that diverged."""
    oracles = dict.fromkeys(oracle for run in row.runs for oracle in run.result.oracles)
    diverged = sum(run.result.status == "diverged" for run in row.runs)
    notes = [f"oracle: {', '.join(oracles)}"] if oracles else []
    if diverged:
        notes.append(f"{diverged} of {plural(len(row.runs), 'run')} diverged: counted with the epochs before that")
    return notes


def _value(one: Compared, with_n: bool, marks: str = "") -> Cell:
    """Return ``84.62 ± 0.31 (3)``; no ± of one run, a dash of none."""
    found, metric = one.spread, one.metric
    if found.mean is None:
        return Cell("–", marks=marks)
    text = metric.show(found.mean)
    if found.std is not None:
        text += f" ± {metric.show(found.std)}"
    return Cell(f"{text} ({found.n})" if with_n else text, one.significant, marks)


def _labels(key: Sequence[object], marks: str = "") -> list[Cell]:
    *others, last = (show_key(value) for value in key)
    return [*map(Cell, others), Cell(last, marks=marks)]


def _list(groups: Groups, by_metric: Sequence[Sequence[Compared]], with_n: bool, marks: _Marks) -> Block:
    """Return a line for every row, a column for every number."""
    rows = [
        (*_labels(found[0].row.key, marks.of(*_row_notes(found[0].row))), *(_value(one, with_n) for one in found))
        for found in zip(*by_metric, strict=True)
    ]
    metrics = [found[0].metric for found in by_metric]
    title = "; ".join(metric.title for metric in metrics)
    return Block(title, (*groups.by, *(metric.name for metric in metrics)), tuple(rows), len(groups.by))


def _matrix(groups: Groups, found: Sequence[Compared], with_n: bool, marks: _Marks) -> Block:
    """Return a line for each value of the words but the last, whose values go across."""
    by_key = {one.row.key: one for one in found}
    down = dict.fromkeys(key[:-1] for key in by_key)
    rows = []
    for label in down:
        here = [by_key.get((*label, value)) for value in groups.across]
        notes = [_row_notes(one.row) if one else [] for one in here]
        rows_here = [own for one, own in zip(here, notes, strict=True) if one]
        of_all = [note for note in rows_here[0] if all(note in own for own in rows_here)]
        cells = [
            Cell("–") if one is None else _value(one, with_n, marks.of(*(note for note in own if note not in of_all)))
            for one, own in zip(here, notes, strict=True)
        ]
        rows.append((*_labels(label, marks.of(*of_all)), *cells))
    columns = (*groups.by[:-1], *(show_key(value) for value in groups.across))
    return Block(found[0].metric.title, columns, tuple(rows), len(groups.by) - 1, groups.by[-1])


def _against(groups: Groups, found: Sequence[Compared], marks: _Marks) -> Block:
    """Return a line for every row: its value, its n, its difference to the baseline, and p."""
    rows = []
    for one in found:
        metric, difference = one.metric, one.difference
        cells = [_value(one, with_n=False), Cell(str(one.spread.n))]
        if difference is None and one.no_difference == BASELINE:
            cells += [Cell(BASELINE), Cell("")]
        elif difference is None:
            cells += [Cell("–", marks=marks.of(one.no_difference)), Cell("")]
        else:
            fewer = [f"over {plural(difference.n, 'pair')} of runs"] if difference.n < one.spread.n else []
            text = metric.show(difference.mean, "+")
            if difference.low is not None and difference.high is not None:
                text += f" [{metric.show(difference.low)}, {metric.show(difference.high)}]"
            p = "" if one.p_holm is None else "<0.001" if one.p_holm < 0.001 else f"{one.p_holm:.3f}"
            cells += [Cell(text, marks=marks.of(*fewer)), Cell(p)]
        rows.append((*_labels(one.row.key, marks.of(*_row_notes(one.row))), *cells))
    metric = found[0].metric
    columns = (*groups.by, metric.name, "n", "difference", "p")
    if all(one.p_holm is None for one in found):
        columns, rows = columns[:-1], [row[:-1] for row in rows]
    return Block(metric.title, columns, tuple(rows), len(groups.by))


def _fits(block: Block) -> bool:
    widths = [max(map(len, column)) for column in zip(block.columns, *lines_of(block), strict=True)]
    return sum(widths) + GAP * (len(widths) - 1) <= WIDTH


def lines_of(block: Block) -> list[list[str]]:
    """Return the cells as plain text, ``84.62 ± 0.31*`` or ``84.62 ± 0.31 a``, with their numbers under each other."""
    marks = [[f"{'*' * cell.best}{cell.marks and f' {cell.marks}'}" for cell in row] for row in block.rows]
    widths = [max(map(len, column)) for column in zip(*marks, strict=True)]
    return [
        [
            f"{cell.text}{mark:{width}}" if width else cell.text
            for cell, mark, width in zip(row, own, widths, strict=True)
        ]
        for row, own in zip(block.rows, marks, strict=True)
    ]
