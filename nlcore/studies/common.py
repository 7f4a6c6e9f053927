"""What is the same in all runs of a table or a picture, in words."""

from __future__ import annotations

from typing import Any

from nlcore.config.settings import TrainingSettings
from nlcore.host.hookspecs import slots
from nlcore.parameters import parameters_of
from nlcore.studies.groups import FREE, Groups, show_key


def common(groups: Groups) -> str:
    """
    Return what is the same in all runs: ``dataset digits, noise symmetric, epochs 20, seeds 1, 2, 3``.

    That is what fills the slots, parameters and settings that are not as usual, epochs, the realised share of wrong
    labels and the seeds, as far as rows do not differ in it.
    """
    runs = [run for row in groups.rows for run in row.runs]
    changed = {key for run in runs for key in run.result.options}
    shared = {
        word: value
        for word, value in runs[0].words.items()
        if word not in groups.by and all(run.words.get(word) == value for run in runs)
    }
    words = [word for word, value in shared.items() if word in changed or _is_said(word, value)]
    order = [*slots()]  # components in the order of a run, then settings
    words.sort(key=lambda word: order.index(slot) if (slot := word.partition(".")[0]) in order else len(order))
    said = [f"{word} {show_key(shared[word])}" for word in words]
    rates = {run.result.noise_rate for run in runs}
    if len(rates) == 1 and None not in rates:
        said.append(f"wrong labels {rates.pop():.2%}")
    return ", ".join([*said, *_seeds(groups)])


def _is_said(word: str, value: Any) -> bool:
    """Return whether a slot or a setting is worth saying; parameters are where a run has changed them."""
    if word in slots():
        slot, _ = slots()[word]
        return slot.in_name or value != slot.default
    declared = parameters_of(TrainingSettings).get(word)
    if declared is None or word in FREE:
        return False
    return word == "epochs" or value != ("none" if declared.default is None else declared.default)


def _seeds(groups: Groups) -> list[str]:
    """Return the seeds where every row has the same ones."""
    found = []
    for place, word in enumerate(("seed", "noise_seed")):
        rows = {tuple(sorted({run.seeds[place] for run in row.runs})) for row in groups.rows}
        if word not in groups.by and len(rows) == 1:
            (values,) = rows
            found.append(f"{word.replace('_', ' ')}{'s' * (len(values) > 1)} {', '.join(map(str, values))}")
    return found
