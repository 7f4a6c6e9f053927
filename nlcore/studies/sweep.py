"""A whole study from what is asked for to its results: what ``nl sweep`` and `nlcore.sweep` share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nlcore.config.launched import refuse_launched
from nlcore.contracts import Executor
from nlcore.errors import UserError
from nlcore.rundir.notebook import as_frame, html_table
from nlcore.rundir.result import Result
from nlcore.runs.interrupt import stoppable
from nlcore.runs.recognise import runs_folder
from nlcore.studies.grid import Grid, read_study
from nlcore.studies.progress import Progress
from nlcore.studies.several import end_of
from nlcore.studies.study import State, compute_missing, count, states

if TYPE_CHECKING:
    import pandas
    from matplotlib.figure import Figure

    from nlcore.studies.groups import Groups
    from nlcore.studies.read import Run

#: Of so many runs a notebook shows how far they are.
SHOWN = 20

#: What stands for other settings, by which the runs of a table are known.
SHORT_FOR_OTHERS = ("labels", "scale")


@dataclass(frozen=True, repr=False)
class Study:
    """
    A study and what came out.

    Attributes:
        states: how far each of its runs is.

    """

    states: tuple[State, ...]

    def __repr__(self) -> str:
        """Return how far it is."""
        return f"Study: {count(self.states)}, in {self.folder}"

    def _repr_html_(self) -> str:
        """Return how far it is as a small table for notebooks."""
        shown = [(state, state.result.test_accuracy["last"] if state.result else None) for state in self.states]
        rows = [
            (state.cell.name, state.word, "" if last is None else f"{last:.2%}", state.message or "")
            for state, last in shown[:SHOWN]
        ]
        more = f"; the first {SHOWN} runs" if len(shown) > SHOWN else ""
        return html_table(f"{self!r}{more}", ("run", "is", "test accuracy, last epoch", ""), rows)

    @property
    def results(self) -> list[Result]:
        """The results of the runs that have ended."""
        return [state.result for state in self.states if state.result is not None and state.ended]

    @property
    def folder(self) -> Path:
        """Where its runs are."""
        return runs_folder(self.states[0].cell.layers)

    @property
    def by(self) -> tuple[str, ...]:
        """What its runs differ in, seeds aside: ``nl table FOLDER --by`` takes it."""
        words = [state.cell.words for state in self.states]
        names = dict.fromkeys(key for one in words for key in one if key not in ("seed", "noise_seed"))
        varied = [name for name in names if len({str(one.get(name)) for one in words}) > 1]
        found = [name for name in varied if name not in SHORT_FOR_OTHERS]
        if found == varied:
            return tuple(found)
        from nlcore.studies.groups import differing
        from nlcore.studies.read import read_results

        return tuple(dict.fromkeys((*found, *differing(read_results(self.results)))))

    def table(
        self,
        by: Sequence[str] = (),
        baseline: str | None = None,
        metrics: Sequence[str] = ("last", "mean_last_10"),
        format: str = "text",
    ) -> str:
        """
        Return a table of the runs that have ended, as ``nl table --by`` makes it.

        Args:
            by: what makes a row; where nothing is given, all that the runs differ in, seeds aside.
            baseline: the value of the first word that the others are held against.
            metrics: numbers of a row.
            format: ``text``, ``md``, ``latex``, ``html``, ``csv`` or ``json``.

        Raises:
            UserError: no run has ended, an unknown word, or rows whose runs differ in more than their seeds.

        """
        from nlcore.studies.formats import FORMATS
        from nlcore.studies.layout import table_of

        if format not in FORMATS:
            raise UserError(f"format = {format}: must be one of {', '.join(FORMATS)}.")
        groups, runs = self._groups(by)
        return FORMATS[format](table_of(runs, groups, metrics, baseline))

    def plot(self, by: Sequence[str] = (), metric: str = "test_accuracy") -> Figure:
        """
        Return a picture of the runs that have ended, as ``nl plot`` draws it: lines over epochs, bands over seeds.

        Args:
            by: what makes a line; where nothing is given, all that the runs differ in, seeds aside.
            metric: a column of ``metrics.jsonl``.

        Raises:
            UserError: no run has ended, an unknown word, or lines whose runs differ in more than their seeds.

        """
        from nlcore.studies.metrics import metric_of_epochs
        from nlcore.studies.pictures import curves_figure

        groups, runs = self._groups(by)
        return curves_figure(groups, metric_of_epochs(metric, runs))

    def _groups(self, by: Sequence[str]) -> tuple[Groups, Sequence[Run]]:
        from nlcore.studies.groups import group
        from nlcore.studies.read import read_results

        if not self.results:
            raise UserError("No run of this study has ended.")
        runs = read_results(self.results)
        return group(runs, [*by] or [*self.by] or ["loss"]), runs

    def frame(self) -> pandas.DataFrame:
        """
        Return a `pandas.DataFrame` with a row for each run that has ended: what tells it apart, and its result.

        Raises:
            UserError: pandas is not installed.

        """
        return as_frame(
            [
                {**state.cell.words, **end_of(state.result)}
                for state in self.states
                if state.result is not None and state.ended
            ]
        )


def find(study: Path | None, once: Mapping[str, object], several: Mapping[str, Sequence[object]]) -> list[State]:
    """
    Return the runs of a study, each with how far it is.

    Args:
        study: its file, or None.
        once: settings that go before those of the file.
        several: the values of settings that have several, which go before it, too.

    Raises:
        UserError: a study that is not possible.

    """
    grid = read_study(study) if study is not None else Grid()
    return states(grid.over(once, several).cells())


def run_study(every: Sequence[State], executor: Executor, quiet: bool) -> Study:
    """
    Have what is missing computed.

    Args:
        every: the runs, as `find` gives them.
        executor: computes them.
        quiet: print nothing on stderr.

    Raises:
        UserError: a run that is not possible, or an executor that cannot be used.
        KeyboardInterrupt: it was stopped.

    """
    refuse_launched("nl sweep")
    progress = Progress(every, quiet)
    try:
        with stoppable(), progress:
            return Study(tuple(compute_missing(every, executor, progress.ended, progress.line)))
    except KeyboardInterrupt:
        progress.line("Stopped. The same command goes on with it.")
        raise
