"""The course's notebook: up to date with its source, without the solutions, and run from its first cell to its last."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import nlcore

ROOT = Path(__file__).parents[2]
SOURCE = (ROOT / "docs" / "course.py").read_text(encoding="utf-8")
SOLUTIONS = re.findall(r"### BEGIN SOLUTION\n(.*?)\n *### END SOLUTION", SOURCE, re.DOTALL)


@pytest.fixture(scope="module")
def made() -> Any:
    """Return the module that makes the notebook."""
    pytest.importorskip("jupytext", reason="the notebook is made with jupytext")
    sys.path.insert(0, str(ROOT / "docs"))
    try:
        import course_notebook
    finally:
        sys.path.remove(str(ROOT / "docs"))
    return course_notebook


def cells(text: str) -> list[Any]:
    """Return a notebook's cells."""
    import nbformat

    return list(nbformat.reads(text, as_version=4).cells)


def test_the_students_notebook_is_up_to_date(made: Any) -> None:
    assert made.STUDENTS.read_text(encoding="utf-8") == made.notebook(solutions=False), "python docs/course_notebook.py"


def test_students_get_all_but_the_solutions_and_teachers_have_them(made: Any) -> None:
    students, teachers = (cells(made.notebook(solutions)) for solutions in (False, True))
    assert len(SOLUTIONS) == 5
    assert len(students) == len(teachers)
    for solution in SOLUTIONS:
        assert any(solution in cell.source for cell in teachers)
        assert not any(solution in cell.source for cell in students)
    assert sum(cell.source.count("raise NotImplementedError") for cell in students) == len(SOLUTIONS)
    for cell in (*students, *teachers):
        assert "SOLUTION" not in cell.source
        if cell.cell_type == "code":
            assert cell.outputs == []
            compile(re.sub(r"^%%.*", "", cell.source), "cell", "exec")


def test_every_text_is_in_both_languages(made: Any) -> None:
    for cell in cells(made.notebook(solutions=False)):
        if cell.cell_type == "markdown":
            korean = [bool(re.search("[가-힣]", part)) for part in re.sub("```.*?```", "", cell.source).split("\n\n")]
            assert any(korean), cell.source
            assert not all(korean), cell.source


def test_its_first_cell_says_how_it_is_started(made: Any) -> None:
    first = cells(made.notebook(solutions=False))[0].source
    install, start = re.findall(r"^\$ (.*)", first, re.MULTILINE)
    assert install.startswith("pip install . ")
    assert (ROOT / start.removeprefix("jupyter lab ")).samefile(made.STUDENTS)


@pytest.mark.slow
def test_the_teachers_notebook_runs(made: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a kernel of its own; its own assertions hold the solutions against nlcore's components."""
    import nbformat

    for module in ("ipykernel", "pandas"):
        pytest.importorskip(module, reason="a notebook needs it to run")
    nbclient = pytest.importorskip("nbclient", reason="it runs the notebook")
    monkeypatch.delenv("MPLBACKEND", raising=False)  # a kernel has its own
    notebook = nbformat.reads(made.notebook(solutions=True), as_version=4)
    nbclient.NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(tmp_path)}}).execute()
    shown = [output.get("data", {}) for cell in notebook.cells for output in cell.get("outputs", [])]
    assert sum("image/png" in one for one in shown) == 5
    assert any("soft bootstrapping</th>" in one.get("text/html", "") for one in shown)  # the table
    memorised = {
        (result.components["loss"], result.components["strategy"]): result.memorisation["memorised"] or 0.0
        for result in map(nlcore.Result.read, (tmp_path / "runs").iterdir())
    }
    assert len(memorised) == 4
    # Without augmentation and weight decay a network of this size learns most of the wrong labels by heart; by chance
    # it would predict a tenth of them. Mixup is there to prevent it.
    assert memorised["cross_entropy", "standard"] > 0.5
    assert memorised["cross_entropy", "my_mixup"] < memorised["cross_entropy", "standard"]
    checked = subprocess.run(
        [sys.executable, "-m", "nlcore", "check", "my_methods.py"], cwd=tmp_path, capture_output=True, text=True
    )
    assert checked.returncode == 0, checked.stdout
