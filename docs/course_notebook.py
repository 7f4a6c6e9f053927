"""
The course's notebook, made from ``docs/course.py``.

``python docs/course_notebook.py`` writes ``docs/course.ipynb``, the students' version: in place of the lines between
``### BEGIN SOLUTION`` and ``### END SOLUTION``, the marks that nbgrader has, too, stands one that says what to do.
``python docs/course_notebook.py --solutions FILE`` writes the teacher's version, which has those lines.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import jupytext
import nbformat

SOURCE = Path(__file__).with_name("course.py")
STUDENTS = SOURCE.with_suffix(".ipynb")

_SOLUTION = re.compile(r"^( *)### BEGIN SOLUTION\n(.*?)\n *### END SOLUTION$", re.MULTILINE | re.DOTALL)
_EXERCISE = r'\1raise NotImplementedError("write this · 직접 작성하십시오")'


def notebook(solutions: bool) -> str:
    """Return the notebook as the text of an .ipynb file, without outputs."""
    made = jupytext.read(SOURCE, fmt="py:percent")
    made.metadata = nbformat.NotebookNode(kernelspec=made.metadata.kernelspec)
    for number, cell in enumerate(made.cells):
        cell.id = f"cell-{number}"
        cell.metadata = nbformat.NotebookNode()
        cell.source = _SOLUTION.sub(r"\2" if solutions else _EXERCISE, cell.source)
    nbformat.validate(made)
    return str(nbformat.writes(made, indent=1)) + "\n"


if __name__ == "__main__":
    match sys.argv[1:]:
        case []:
            STUDENTS.write_text(notebook(solutions=False), encoding="utf-8")
        case ["--solutions", file]:
            Path(file).write_text(notebook(solutions=True), encoding="utf-8")
        case _:
            sys.exit(__doc__)
