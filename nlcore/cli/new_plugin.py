"""``nl new-plugin``: a package with a working component, to start from."""

from __future__ import annotations

import keyword
import re
import shlex
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from string import Template

import click

from nlcore.errors import UserError
from nlcore.host.hookspecs import KINDS, NLCORE_API, component_kinds
from nlcore.host.registry import registry
from nlcore.version import __version__

NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*\Z")
LONGEST = 30

_LONG_IMPORT = re.compile(r"^(?=.{89})(from \S+ import) (.+)$", re.MULTILINE)


def _has_example(kind: str) -> bool:
    return _templates().joinpath(f"{kind}.py.txt").is_file()


def _templates() -> Traversable:
    return resources.files("nlcore.cli").joinpath("templates")


def _template(name: str) -> Template:
    return Template(_templates().joinpath(f"{name}.txt").read_text(encoding="utf-8"))


_EXAMPLES = [kind for kind in component_kinds() if _has_example(kind)]


@click.command("new-plugin", epilog=f"KIND is one of {', '.join(_EXAMPLES)}.")
@click.argument("kind", metavar="KIND", type=click.Choice(_EXAMPLES))
@click.argument("name")
@click.option("--directory", type=click.Path(path_type=Path), help="where to write it  [default: nlcore-NAME]")
def new_plugin(kind: str, name: str, directory: Path | None) -> None:
    """
    Write a package with a working component, to start from.

    NAME is what users will type: a-z, 0-9 and single underscores. The package is called nlcore-NAME, with hyphens; it
    has an example of its KIND, a README, and tests that run nlcore's conformance suite. Nothing is ever overwritten.
    """
    _check_name(name)
    distribution = f"nlcore-{name.replace('_', '-')}"
    directory = directory or Path(distribution)
    others = [entry for entry in registry().of_kind(kind) if entry.name == name and entry.distribution != distribution]
    shown = f"{distribution}/{name}" if others else name
    words = {"kind": kind, "name": name, "distribution": distribution, "shown": shown}
    _write(directory, files := render(**words))

    click.echo("\n".join(f"wrote {directory / path}" for path in files))
    if others:
        whose = "nlcore itself" if any(entry.builtin for entry in others) else others[0].distribution
        click.echo(f"Note: {whose} has a {kind} {name!r} too, so this one is called {shown!r}.", err=True)
    path = directory if directory.is_absolute() else f"./{directory.as_posix()}"  # for pip: a folder, not a project
    run = _run(kind, shown).replace("\n", "\n  ")
    click.echo(f"\nNext:\n  pip install -e {shlex.quote(str(path))}\n  nl check {distribution}\n  {run}")


def render(kind: str, name: str, distribution: str, shown: str) -> dict[str, str]:
    """Return the files of a package by their paths. `shown` is the name by which a run knows the component here."""
    package = f"nlcore_{name}"
    major, minor, *_ = __version__.split(".")
    about, tests = _template(f"{kind}.py").template, _template(f"test_{kind}.py")
    first, second, code = about.split("\n", 2)
    summary, paper = first.removeprefix("# summary:").strip(), second.removeprefix("# paper:").strip()
    module = Template(code)
    words = {
        "what": "noise model" if kind == "noise" else kind,
        "name": name,
        "distribution": distribution,
        "shown": shown,
        "package": package,
        "hook": KINDS[kind].hook,
        "cls": _class_name(kind, name, module.template + tests.template),
        "summary": summary,
        "paper": paper,
        "run": _run(kind, shown),
        "versions": f">={major}.{minor},<{major}.{int(minor) + 1}",
        "api": str(NLCORE_API),
    }
    templates = {
        "pyproject.toml": _template("pyproject.toml"),
        "README.md": _template("README.md"),
        f"{package}/__init__.py": _template("hooks.py"),
        f"{package}/{name}.py": module,
        f"{package}/py.typed": Template(""),
        f"tests/test_{name}.py": tests,
    }
    return {path: _LONG_IMPORT.sub(_wrapped, template.substitute(words)) for path, template in templates.items()}


def _check_name(name: str) -> None:
    if not NAME.match(name) or len(name) > LONGEST:
        raise UserError(
            f"{name!r} is no name for a component: it is made of a-z, 0-9 and single underscores between them, begins "
            f"with a letter and has at most {LONGEST} characters, as in 'my_loss2'."
        )
    if keyword.iskeyword(name):
        raise UserError(f"{name!r} is a word of Python and cannot name a module. Choose another name.")
    if name == "builtins":
        raise UserError("nlcore's own components are the package 'nlcore_builtins'. Choose another name.")


def _class_name(kind: str, name: str, code: str) -> str:
    """Return ``MyLoss`` for my_loss, or with the kind behind it where the code has something of that name."""
    camel = "".join(word.capitalize() for word in name.split("_"))
    return camel + kind.capitalize() if keyword.iskeyword(camel) or re.search(rf"\b{camel}\b", code) else camel


def _run(kind: str, shown: str) -> str:
    """Return the commands that try it out: of an estimator two, as it needs a run."""
    commands = {
        "dataset": f"nl run --dataset {shown}",
        "detector": f"nl audit --dataset digits --detector {shown}",
        "estimator": f"nl run --dataset digits --name tried\nnl estimate tried --estimator {shown}",
        "executor": f"nl sweep --dataset digits --seed 1,2 --executor {shown}",
    }
    return commands.get(kind, f"nl run --dataset digits --{kind} {shown}")


def _wrapped(line: re.Match[str]) -> str:
    names = "".join(f"    {name},\n" for name in line[2].split(", "))
    return f"{line[1]} (\n{names})"


def _write(directory: Path, files: dict[str, str]) -> None:
    try:
        if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
            raise UserError(f"{directory} exists already and is not an empty folder; nothing was written.")
        for path, text in files.items():
            target = directory / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise UserError(f"{directory} cannot be written: {error.strerror or error}.") from error
