"""The formats of a table: text, Markdown, LaTeX and HTML as they are laid out; CSV and JSON with every digit."""

from __future__ import annotations

import csv
import html
import io
import json
from collections.abc import Callable, Mapping
from typing import Any

from nlcore.studies.comparison import Compared
from nlcore.studies.layout import Block, Cell, Layout
from nlcore.studies.text import as_text


def as_markdown(layout: Layout) -> str:
    """Return Markdown, tables with pipes as GitHub reads them; the best is bold."""

    def cell(one: Cell) -> str:
        text = _escaped_markdown(one.text)
        return (f"**{text}**" if one.best else text) + (f"<sup>{one.marks}</sup>" if one.marks else "")

    parts = [_escaped_markdown(f"All runs: {layout.common}.")]
    for block in layout.blocks:
        lines = [[*map(_escaped_markdown, block.columns)]]
        lines.append(["---" if place < block.labels else "---:" for place in range(len(block.columns))])
        lines += [[*map(cell, row)] for row in block.rows]
        table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
        parts.append(f"{_escaped_markdown(block.caption)}:\n\n{table}")
    notes = [f"<sup>{letter}</sup> {_escaped_markdown(text)}" for letter, text in layout.marked]
    notes += map(_escaped_markdown, layout.notes)
    notes += [f"**bold**: {layout.best}"] if layout.best else []
    return "\n\n".join([*parts, "\n".join(f"* {note}" for note in notes)]) + "\n"


def _escaped_markdown(text: str) -> str:
    for letter in "\\|*_`<[":
        text = text.replace(letter, f"\\{letter}")
    return text


def as_latex(layout: Layout) -> str:
    """Return LaTeX for the package booktabs, a tabular for each block; the best is bold."""
    special = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    special |= {letter: f"\\{letter}" for letter in "&%$#_{}"}
    special |= {"±": r"$\pm$", "–": "--", "−": "$-$", "<": "$<$", ">": "$>$"}

    def escaped(text: str) -> str:
        return "".join(special.get(letter, letter) for letter in text)

    def cell(one: Cell, number: bool) -> str:
        text = escaped(one.text.replace("-", "−") if number else one.text)
        text = f"\\textbf{{{text}}}" if one.best else text
        return text + (f"\\textsuperscript{{{one.marks}}}" if one.marks else "")

    parts = [r"% \usepackage{booktabs}", f"{escaped(f'All runs: {layout.common}.')}"]
    for block in layout.blocks:
        numbers = len(block.columns) - block.labels
        lines = [
            f"{escaped(block.caption)}:",
            "",
            f"\\begin{{tabular}}{{{'l' * block.labels}{'r' * numbers}}}",
            r"\toprule",
        ]
        if block.across:
            first, last = block.labels + 1, len(block.columns)
            lines.append(f"{'& ' * block.labels}\\multicolumn{{{numbers}}}{{c}}{{{escaped(block.across)}}} \\\\")
            lines.append(f"\\cmidrule(l){{{first}-{last}}}")
        lines.append(f"{' & '.join(map(escaped, block.columns))} \\\\")
        lines += [
            r"\midrule",
            *(
                f"{' & '.join(cell(one, place >= block.labels) for place, one in enumerate(row))} \\\\"
                for row in block.rows
            ),
        ]
        parts.append("\n".join([*lines, r"\bottomrule", r"\end{tabular}"]))
    notes = [f"\\textsuperscript{{{letter}}} {escaped(text)}" for letter, text in layout.marked]
    notes += map(escaped, layout.notes)
    notes += [f"\\textbf{{bold}}: {escaped(layout.best)}"] if layout.best else []
    return "\n\n".join([*parts, ";\n".join(notes) + "."]) + "\n"


def as_html(layout: Layout) -> str:
    """Return a fragment: a ``div`` of class ``nl-table``; numbers have the class ``number``, the best ``best``."""

    def cell(one: Cell, place: int, block: Block) -> str:
        text = html.escape(one.text) + (f"<sup>{one.marks}</sup>" if one.marks else "")
        if place < block.labels:
            return f'<th scope="row">{text}</th>'
        return f'<td class="number{" best" * one.best}">{text}</td>'

    parts = ['<div class="nl-table">', f"<p>{html.escape(f'All runs: {layout.common}.')}</p>"]
    for block in layout.blocks:
        parts += ["<table>", f"<caption>{html.escape(block.title)}</caption>", "<thead>"]
        if block.across:
            numbers = len(block.columns) - block.labels
            above = f'<th colspan="{numbers}" scope="colgroup">{html.escape(block.across)}</th>'
            parts.append(f"<tr>{'<td></td>' * block.labels}{above}</tr>")
        titles = "".join(f'<th scope="col">{html.escape(title)}</th>' for title in block.columns)
        parts += [f"<tr>{titles}</tr>", "</thead>", "<tbody>"]
        for row in block.rows:
            parts.append(f"<tr>{''.join(cell(one, place, block) for place, one in enumerate(row))}</tr>")
        parts += ["</tbody>", "</table>"]
    notes = [f"<sup>{letter}</sup> {html.escape(text)}" for letter, text in layout.marked]
    notes += map(html.escape, layout.notes)
    notes += [f'<span class="best">best</span>: {html.escape(layout.best)}'] if layout.best else []
    parts += ["<ul>", *(f"<li>{note}</li>" for note in notes), "</ul>", "</div>"]
    return "\n".join(parts) + "\n"


def as_csv(layout: Layout) -> str:
    """Return a line for every row and number, all digits, shares from 0 to 1; what is unknown is empty."""
    text = io.StringIO()
    lines = [{**record.pop("words"), **record} for record in map(_of(layout), layout.records)]
    writer = csv.DictWriter(text, list(lines[0]), lineterminator="\n")
    writer.writeheader()
    for line in lines:
        writer.writerow(line | {"oracles": "; ".join(line["oracles"]), "runs": "; ".join(line["runs"])})
    return text.getvalue()


def as_json(layout: Layout) -> str:
    """Return one object on one line: ``by``, ``common``, ``rows`` with all digits, and ``notes``."""
    rows = list(map(_of(layout), layout.records))
    content = {"by": layout.groups.by, "common": layout.common, "rows": rows, "notes": layout.notes}
    return json.dumps(content, allow_nan=False, ensure_ascii=False) + "\n"


def _of(layout: Layout) -> Callable[[Compared], dict[str, Any]]:
    """Return what makes plain values of a record."""

    def plain(one: Compared) -> dict[str, Any]:
        difference, runs = one.difference, one.row.runs
        return {
            "words": dict(zip(layout.groups.by, one.row.key, strict=True)),
            "metric": one.metric.name,
            "mean": one.spread.mean,
            "std": one.spread.std,
            "n": one.spread.n,
            "difference": difference and difference.mean,
            "low": difference and difference.low,
            "high": difference and difference.high,
            "p": difference and difference.p,
            "p_holm": one.p_holm,
            "pairs": difference.n if difference else 0,
            "no_difference": one.no_difference,
            "best": one.best,
            "significant": one.significant,
            "diverged": sum(run.result.status == "diverged" for run in runs),
            "oracles": list(dict.fromkeys(oracle for run in runs for oracle in run.result.oracles)),
            "runs": [run.name for run in runs],
        }

    return plain


#: What ``--format`` may be.
FORMATS: Mapping[str, Callable[[Layout], str]] = {
    "text": as_text,
    "md": as_markdown,
    "latex": as_latex,
    "csv": as_csv,
    "json": as_json,
    "html": as_html,
}

#: The format of a file by its suffix.
SUFFIXES = {".md": "md", ".tex": "latex", ".csv": "csv", ".json": "json", ".html": "html"}
