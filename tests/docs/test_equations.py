"""Docstrings' equations as HTML: what is a subscript, what a variable, and that nothing of the text is lost."""

from __future__ import annotations

import html
import inspect
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

from nlcore.host.hookspecs import component_kinds
from nlcore.host.registry import registry


@pytest.fixture(scope="module")
def equations() -> ModuleType:
    """Return the module, which lies beside the pages."""
    docs = str(Path(__file__).parents[2] / "docs")
    sys.path.insert(0, docs)
    try:
        import equations
    finally:
        sys.path.remove(docs)
    return equations


def seen(markup: str) -> str:
    """Return what a reader sees, with the tags that matter: a row a line, ``;`` between cells."""
    shown = re.sub(r'<span class="unseen">.*?</span>', "", markup)
    rows = re.findall(r"<tr.*?</tr>", shown) or [shown]
    return "\n".join("; ".join(re.findall(r"<td.*?>(.*?)</td>", row)) or row for row in rows)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("p_y^q", "<i>p</i><sub><i>y</i></sub><sup><i>q</i></sup>"),
        ("s_{i, y_i} + 1", "<i>s</i><sub><i>i</i>, <i>y</i><sub><i>i</i></sub></sub> + 1"),
        ("u_i² T_ij", "<i>u</i><sub><i>i</i></sub>² <i>T</i><sub><i>ij</i></sub>"),
        ("Σ_k log p_k", "Σ<sub><i>k</i></sub> log <i>p</i><sub><i>k</i></sub>"),
        ("L_NCR", "<i>L</i><sub>NCR</sub>"),
        ("a fraction r", "a fraction <i>r</i>"),
        ("(a + 1)^q", "(<i>a</i> + 1)<sup><i>q</i></sup>"),
        ("co_teaching, exact_per_class", "co_teaching, exact_per_class"),
        ("10^-3 to 10^-2.", "10<sup>-3</sup> to 10<sup>-2</sup>."),
        ("x^−1, e^-x", "<i>x</i><sup>−1</sup>, <i>e</i><sup>-<i>x</i></sup>"),
        ("p^0.7 q^-0.5", "<i>p</i><sup>0.7</sup> <i>q</i><sup>-0.5</sup>"),
        ("10^3 - x", "10<sup>3</sup> - <i>x</i>"),
        ("|C| < 2", "|<i>C</i>| &lt; 2"),
        ("p̃_i", "<i>p̃</i><sub><i>i</i></sub>"),
    ],
)
def test_what_is_below_above_and_italic(text: str, expected: str, equations: ModuleType) -> None:
    assert seen(equations.block(f"    {text}")) == expected


def test_lines_are_rows_and_wide_gaps_part_cells(equations: ModuleType) -> None:
    markup = equations.block("    1 + 1        two\n    2  and  3\n      more\n")
    assert seen(markup) == "1 + 1; two\n2  and  3\nmore"
    assert re.findall(r"colspan=\"(\d)\"", markup) == ["1", "2", "2"]
    assert markup.count('class="goes-on"') == 1


def test_in_prose_words_keep_their_underscores_and_markdown_sees_none(equations: ModuleType) -> None:
    assert seen(equations.inline("the T_ij of pair_flip | x < 1")) == (
        "the T<sub>ij</sub> of pair&#95;flip &#124; x &lt; 1"
    )


@pytest.mark.parametrize(
    "word",
    ["NL_DATA_DIR", "CUDA_VISIBLE", "__init__", "_hidden", "pair_flip", "OMP_NUM_THREADS"],
)
def test_words_with_underscores_have_no_subscripts(word: str, equations: ModuleType) -> None:
    for text in (word, f"({word} = 2)" if word[0] != "_" else f"of {word}"):
        assert seen(equations.inline(text)) == text.replace("_", "&#95;")


def test_powers_in_prose_are_raised(equations: ModuleType) -> None:
    assert seen(equations.inline("at 10^-3, x^−1 and e^-x of L_NCR")) == (
        "at 10<sup>-3</sup>, x<sup>−1</sup> and e<sup>-x</sup> of L<sub>NCR</sub>"
    )


def test_nothing_of_a_built_ins_docstring_is_lost(equations: ModuleType) -> None:
    blocks = 0
    for entry in (entry for kind in component_kinds() for entry in registry().of_kind(kind)):
        module = inspect.getmodule(registry().load(entry))
        for text in re.findall(r"(?:^    .*\n?)+", inspect.cleandoc((module and module.__doc__) or ""), re.MULTILINE):
            shown = html.unescape(re.sub(r"<[^>]*>", "", equations.block(text).replace("</td>", " ")))
            assert shown.split() == text.split()
            blocks += 1
    assert blocks > 50
