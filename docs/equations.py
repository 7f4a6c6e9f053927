"""
The equations of docstrings as HTML.

Docstrings have them in Unicode, to be read in a terminal: ``ℓ(f, y) = (1 − p_y^q) / q``. On the site what follows ``_``
is a subscript, what follows ``^`` a superscript, and single letters are italic. The signs stay in the text, unseen, so
that what is copied from a page, and what its search looks through, is what the docstring says.
"""

from __future__ import annotations

import html
import re

#: A name: letters and digits, with accents, primes and stars, but no powers.
_NAME = r"[^\W_²³](?:[\u0300-\u036f♣♠·']|[^\W_²³])*"
_BRACES = r"\{(?:[^{}]|\{[^{}]*\})*\}"
#: Words with underscores, such as co_teaching, NL_DATA_DIR and __init__: there is no sign in them.
_WORD = r"[a-z0-9]{2,}(?:_[a-z]{3,})+|[A-Z0-9]{2,}(?:_[A-Z0-9]{2,})+|(?<!\S)_+[a-z]\w+"
#: Above there may be a number with its sign and decimals, or a name with a minus.
_POWER = rf"(?<=\^)(?:[-−]?\d+\.\d+|[-−]{_NAME})"
#: A sign and what stands below or above: something in braces or brackets, or a name, or two with a comma.
_SCRIPT = re.compile(rf"{_WORD}|(?P<sign>[_^])(?P<what>{_BRACES}|\([^()]*\)|∞|{_POWER}|{_NAME}(?:,{_NAME})?)")
#: A letter by itself is a variable, but for sums, and for the article in "a fraction".
_VARIABLE = re.compile(r"(?<!\w)(?!a [a-z]{2}|[Σ²³])([^\W\d_][\u0300-\u036f]*)(?![^\W²³]|[\u0300-\u036f])")
_COLUMNS = re.compile(r" {4,}")


def block(text: str) -> str:
    """Return an indented block of a docstring as a table: a row for each line, a cell where four spaces end one."""
    lines = [line for line in text.splitlines() if line.strip()]
    margin = min(len(line) - len(line.lstrip()) for line in lines)
    rows = [(len(line) - len(line.lstrip()) > margin, _COLUMNS.split(line.strip())) for line in lines]
    columns = max(len(cells) for _, cells in rows)
    made = []
    for goes_on, cells in rows:
        open_tags = ["<td>"] * len(cells)
        open_tags[-1] = f'<td colspan="{columns - len(cells) + 1}">'
        row = "".join(f"{tag}{_typeset(cell, True)}</td>" for tag, cell in zip(open_tags, cells, strict=True))
        made.append(f'<tr class="goes-on">{row}</tr>' if goes_on else f"<tr>{row}</tr>")
    return f'<table class="equation">{"".join(made)}</table>'


def inline(text: str) -> str:
    """Return a line of prose as Markdown in which names have their subscripts and superscripts."""
    return _typeset(text, False)


def _typeset(text: str, italic: bool) -> str:
    made, end = [], 0
    for found in _SCRIPT.finditer(text):
        if not found["sign"]:
            continue
        what = found["what"]
        if what.startswith("{"):
            inside = f"{_unseen('{')}{_typeset(what[1:-1], italic)}{_unseen('}')}"
        elif italic and re.fullmatch(r"[^\W\dA-Z]{2}", what):  # two indices
            inside = f"<i>{what}</i>"
        else:
            inside = _plain(what, italic)
        tag = "sub" if found["sign"] == "_" else "sup"
        made += [_plain(text[end : found.start("sign")], italic), f"{_unseen(found['sign'])}<{tag}>{inside}</{tag}>"]
        end = found.end()
    return "".join([*made, _plain(text[end:], italic)])


def _unseen(sign: str) -> str:
    return f'<span class="unseen">{_plain(sign, False)}</span>'


def _plain(text: str, italic: bool) -> str:
    escaped = html.escape(text, quote=False)
    if italic:
        return _VARIABLE.sub(r"<i>\1</i>", escaped)
    return escaped.replace("_", "&#95;").replace("|", "&#124;")  # they mean something in Markdown
