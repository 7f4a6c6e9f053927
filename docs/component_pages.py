"""
The site's pages of components, made from the components themselves whenever the site is built.

`pages` gives one page for each component, one for each kind, one that lists the kinds, and those of Python's doors.
What a strategy costs is taken from the table in ``docs/strategies.md``, results from the files of ``docs/results.md``
and ``docs/studies.md``.
"""

from __future__ import annotations

import functools
import inspect
import json
import re
import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import equations
import results_page
import results_strategies

from nlcore.config.published import published
from nlcore.host import hookspecs
from nlcore.host.hookspecs import KINDS, Kind
from nlcore.host.registry import Entry, registry
from nlcore.parameters import Parameter, show_value

DOCS = Path(__file__).parent
DOORS = ("nlcore", "nlcore.contracts", "nlcore.toolbox")

_BASELINE = "cross_entropy"
#: Begins pages whose equations and tables have the place of a table of contents.
_WIDE = "---\nhide: [toc]\n---\n\n"
#: Files of runs, the section of ``docs/results.md`` that tells their setting, and what makes a table of some of them.
_TABLES: tuple[tuple[str, str, Callable[[Any, str], str]], ...] = (
    ("results.json", "every-loss-on-a-small-budget", functools.partial(results_page.markdown, least=1)),
    ("results_strategies.json", "every-strategy-under-one-budget", results_strategies.markdown),
)


def pages() -> dict[str, str]:
    """Return the pages' Markdown by their place in the site, ``components/loss/gce.md``, in the order of the menu."""
    found = {"components/index.md": _all_kinds()}
    for kind in KINDS.values():
        entries = registry().of_kind(kind.name)
        found[f"components/{kind.name}/index.md"] = _presets(entries) if not kind.required else _kind(kind, entries)
        if kind.required:
            found |= {f"components/{kind.name}/{entry.name}.md": component(entry) for entry in entries}
    return found | {f"api/{door}.md": f"# {door}\n\n::: {door}\n" for door in DOORS}


def component(entry: Entry) -> str:
    """Return a component's page: what ``nl show`` prints, what its module says, its cost and its results."""
    cls, parameters = registry().signature(entry)
    slots, paper = KINDS[entry.kind].slots, _link(entry.component.paper, entry.component.paper)
    parts = [
        f"{_WIDE}# {entry.name}",
        f"[{entry.kind.capitalize()}](index.md)" + (f" · {paper}" if paper else ""),
        _with_equations(inspect.getdoc(cls) or entry.component.summary),
    ]
    if slots:
        parts.append(f"```console\n$ nl run --{slots[0].name} {entry.name}\n```")
    module = inspect.getmodule(cls)
    if module is not None and module.__doc__:
        parts += ["## Definition", _with_equations(inspect.cleandoc(module.__doc__))]
    if parameters:
        parts += ["## Parameters", _parameters(slots[0].name if slots else entry.kind, parameters)]
    parts += [*_cost(entry), *_measured(entry)]
    if entry.component.bibtex:
        parts += ["## Cite", f"```bibtex\n{entry.component.bibtex.strip()}\n```"]
    return "\n\n".join(parts) + "\n"


def _all_kinds() -> str:
    counts = {kind.name: len(registry().of_kind(kind.name)) for kind in KINDS.values()}
    rows = [(f"[{_title(KINDS[name])}]({name}/index.md)", str(count), _about(name)) for name, count in counts.items()]
    said = "Whatever can be chosen is a component of some kind, and a plugin can bring more of each."
    return f"{_WIDE}# Components\n\n{said}\n\n{_table(('kind', 'built in', ''), rows)}\n"


def _kind(kind: Kind, entries: Sequence[Entry]) -> str:
    rows = [
        (f"[`{entry.name}`]({entry.name}.md)", _cell(entry.component.summary), _link("paper", entry.component.paper))
        for entry in entries
    ]
    columns = ("name", "summary", "paper") if any(row[2] for row in rows) else ("name", "summary")
    table = _table(columns, [row[: len(columns)] for row in rows])
    hook = _contracts(_prose(inspect.getdoc(getattr(hookspecs, kind.hook)) or ""))
    return f"{_WIDE}# {_title(kind)}\n\n{_about(kind.name)}\n\n{table}\n\n## The hook `{kind.hook}`\n\n{hook}\n"


def _presets(entries: Sequence[Entry]) -> str:
    rows = []
    for entry in entries:
        cited = published(entry.name)
        figures = (str(cited), cited.network, str(cited.epochs)) if cited else ("", "", "")
        rows.append((f"`{entry.name}`", _cell(entry.component.summary), *map(_cell, figures)))
    table = _table(("name", "setting", "published accuracy", "network", "epochs"), rows)
    commands = "```console\n$ nl run --preset best\n$ nl presets best    # as a recipe\n```"
    reached = "What `quick` and `best` reach: [speed and presets](../../performance.md)."
    return f"{_WIDE}# Presets\n\n{_about('preset')}\n\n{commands}\n\n{reached}\n\n{table}\n"


def _title(kind: Kind) -> str:
    return kind.hook.removeprefix("nl_").replace("_", " ").capitalize()


def _about(kind: str) -> str:
    """Return the first sentence of what the kind's hook says: ``Losses: what is minimised.``"""
    first = (inspect.getdoc(getattr(hookspecs, KINDS[kind].hook)) or "").split("\n\n")[0]
    about = first.partition(": ")[2].replace("\n", " ")
    return about[:1].upper() + about[1:]


def _parameters(slot: str, parameters: Mapping[str, Parameter]) -> str:
    rows = [
        (
            f"`--{slot}.{one.name}`",
            f"`{show_value(one.default)}`",
            _cell(one.allowed),
            _outside_code(one.help, equations.inline),
        )
        for one in parameters.values()
    ]
    return _table(("parameter", "default", "allowed", "meaning"), rows)


def _cost(entry: Entry) -> list[str]:
    if entry.kind != "strategy":
        return []
    lines = [line for line in (DOCS / "strategies.md").read_text(encoding="utf-8").splitlines() if line[:2] == "| "]
    titles = next(line for line in lines if line.startswith("| strategy |"))
    row = next(line for line in lines if line.startswith(f"| `{entry.name}` |"))
    cells = [[cell.strip() for cell in line.strip("|").split("|")][2:] for line in (titles, row)]
    said = "An epoch of cross-entropy costs 1; [what the columns mean](../../strategies.md)."
    return ["## Cost", said, _table(cells[0], [cells[1]])]


def _measured(entry: Entry) -> list[str]:
    """Return the tables of the runs with a loss or a strategy, with cross-entropy's beside them."""
    if entry.kind not in ("loss", "strategy"):
        return []

    def is_its(run: dict[str, Any]) -> bool:
        return run.get(entry.kind) == entry.name and (entry.name != _BASELINE or _is_baseline(run))

    parts = []
    for file, anchor, markdown in _TABLES:
        runs = [run for run in _read(file) if is_its(run) or _is_baseline(run)]
        for noise, title in results_page.NOISE.items():
            if any(run["noise"] == noise and is_its(run) for run in runs):
                said = f"**{title}**, [{anchor.replace('-', ' ')}](../../results.md#{anchor})"
                parts += [said, markdown(runs, noise)]
    parts += _study(entry.name) if entry.kind == "loss" else []
    return ["## Measured", "Accuracy on the test set in percent.", *parts] if parts else []


def _is_baseline(run: dict[str, Any]) -> bool:
    return bool(run.get("method", run["loss"]) == _BASELINE)


def _study(loss: str) -> list[str]:
    """Return the digits' runs of ``docs/studies.md`` with this loss: means over seeds, ± their standard deviation."""
    runs = [run for run in _read("studies.json")["runs"].values() if run["config"]["loss"]["name"] == loss]
    rows = []
    for rate in sorted({run["config"]["noise"]["rate"] for run in runs}):
        found = [run["summary"] for run in runs if run["config"]["noise"]["rate"] == rate]
        last = [100 * run["test_accuracy"]["last"] for run in found]
        memorised = [100 * run["memorisation"]["memorised"] for run in found]
        spread = [f"{statistics.mean(values):.2f} ± {statistics.stdev(values):.2f}" for values in (last, memorised)]
        rows.append((f"{rate:.0%}", *spread, str(len(found))))
    if not rows:
        return []
    titles = ("labels redrawn", "last epoch", "wrong labels memorised", "seeds")
    return ["**Handwritten digits**, [the study of losses and rates](../../studies.md#tables)", _table(titles, rows)]


def _read(name: str) -> Any:
    return json.loads((DOCS / name).read_text(encoding="utf-8"))


def _link(text: str, paper: str) -> str:
    """Return a link to a paper that is named by an arXiv number, a DOI or a URL."""
    for prefix, site in (("arXiv:", "https://arxiv.org/abs/"), ("doi:", "https://doi.org/")):
        paper = re.sub(f"^{prefix} *", site, paper, flags=re.IGNORECASE)
    return f"[{text}]({paper})" if paper.startswith("http") else text if paper else ""


def _prose(docstring: str, line: Callable[[str], str] | None = None) -> str:
    """
    Return a docstring as Markdown, without its list of errors; what is indented as it stands.

    Args:
        docstring: with its indentation taken off.
        line: makes Markdown of a line of prose; without it, the line as it stands.

    """
    text = re.sub(r"^(?:Args|Attributes|Raises|Returns):\n(?:(?: .*)?(?:\n|\Z))*", "", docstring, flags=re.MULTILINE)
    lines = [one if one.startswith("    ") else (line or _cell)(one) for one in text.strip().splitlines()]
    return re.sub(r"::$", ":", "\n".join(lines), flags=re.MULTILINE)


def _with_equations(docstring: str) -> str:
    """Return a component's docstring as Markdown, what is indented in it as equations."""
    text = _prose(docstring, lambda line: _outside_code(line, equations.inline))
    return re.sub(r"(?:^    .*\n?)+", lambda found: equations.block(found[0]) + "\n", text, flags=re.MULTILINE)


def _cell(text: str) -> str:
    """Return text whose ``<``, ``|`` and ``_`` mean themselves, but for what stands between backticks."""
    return _outside_code(text.replace("\n", " "), lambda piece: re.sub(r"([<|_])", r"\\\1", piece))


def _outside_code(text: str, change: Callable[[str], str]) -> str:
    """Return text changed but for what stands between backticks, and addresses."""
    pieces = re.split(r"(`+[^`]*`+|https?://\S+)", text)
    return "".join(piece if number % 2 else change(piece) for number, piece in enumerate(pieces))


def _contracts(text: str) -> str:
    return re.sub(r"`(nlcore\.contracts\.\w+)`", r"[`\1`][\1]", text)


def _table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [titles, ["---"] * len(titles), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
