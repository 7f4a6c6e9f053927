"""What to run: one typed, serialisable configuration, made from layers of settings that all have the same names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from nlcore.config.balanced import said_of_balanced
from nlcore.config.by_preset import dropped, naming_preset, of_preset
from nlcore.config.choose import Finder, expand_short, names_of, require_text, select, suggestions
from nlcore.config.frozen import refuse_frozen, said_of_frozen
from nlcore.config.initial import ids_file, weights_file
from nlcore.config.losses import of_single_views, said_of_waiting
from nlcore.config.recipe import Overrides, asked_data_dir, check_names, note_of_preset, read_preset, without_none
from nlcore.config.scale import asked_scale, shortened
from nlcore.config.schedules import said_of_schedule
from nlcore.config.settings import PROCESSES, Storage, TrainingSettings, data_directory
from nlcore.errors import ParameterError, UserError
from nlcore.host.discovery import Entry
from nlcore.host.hookspecs import slots
from nlcore.host.registry import registry
from nlcore.host.selection import Selection
from nlcore.parameters import UNSAID, parameters_of

#: Settings that make no other protocol of a preset.
_HARMLESS = {"seed", "noise_seed", "device", "precision", "threads", "deterministic", "cuda_graphs", *PROCESSES} | {
    item.name for item in fields(Storage)
}


@dataclass(frozen=True)
class Experiment:
    """
    A complete, checked experiment.

    Attributes:
        selections: what fills each slot, in order; ``experiment["loss"]`` is short for one.
        settings: how it is trained.
        storage: where things are stored.
        preset: the preset that it was made from, or None.
        unlike_preset: the settings that are others than the preset's, of those that decide what it stands for.
        of_preset: what the preset says and the user does not.
        notes: what a user should know of how it came to be, a sentence each.

    """

    selections: Mapping[str, Selection]
    settings: TrainingSettings
    storage: Storage
    preset: str | None = None
    unlike_preset: tuple[str, ...] = ()
    of_preset: Mapping[str, object] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __getitem__(self, slot: str) -> Selection:
        return self.selections[slot]

    @property
    def deciding(self) -> dict[str, Selection]:
        """What fills the slots that have a say in the numbers."""
        return {slot: self.selections[slot] for slot, (_, kind) in slots().items() if kind.decides}

    @property
    def entries(self) -> list[Entry]:
        """All components in use."""
        return [part.entry for selection in self.selections.values() for part in selection.parts]

    def config(self) -> dict[str, Any]:
        """Return the experiment as a recipe, with every parameter: what decides the numbers, not where things lie."""
        config: dict[str, Any] = {item.name: getattr(self.settings, item.name) for item in fields(TrainingSettings)}
        for slot, selection in self.deciding.items():
            config[slot] = {"name": selection.name, **selection.params}
        return {key: without_none(value) for key, value in config.items()}

    def run_dir(self, digest: str) -> Path:
        """Return the run's directory: the name that was given, or one made from components, seed and `digest`."""
        named = [self.selections[name].name for name, (slot, _) in slots().items() if slot.in_name]
        name = self.storage.name or "-".join(
            part.replace("/", ".") for part in (*named, f"seed{self.settings.seed}", digest)
        )
        if name in ("", ".", "..") or len(name) > 200 or any(letter in name for letter in "/\\\0"):
            raise ParameterError(
                f"name = {name:.60}: must be the name of a folder, without / and of at most 200 letters."
            )
        return Path(self.storage.runs_dir) / name

    def plugin_files(self) -> dict[str, str]:
        """Return the single files that brought components, by slot."""
        known = registry()
        return {
            selection.slot: known.file_of(part.entry)
            for selection in self.selections.values()
            for part in selection.parts
            if known.file_of(part.entry)
        }

    def options(self) -> dict[str, Any]:
        """Return the components' parameters that differ from what is usual, as ``{"loss.q": 0.3}``."""
        return {
            f"{slot}.{key}": value
            for slot, selection in self.deciding.items()
            for key, value in selection.changed.items()
        }

    @property
    def data_dir(self) -> Path:
        """Where data lie."""
        return data_directory(self.storage.data_dir)


def resolve(*layers: Overrides) -> Experiment:
    """
    Return the experiment that these layers of settings describe; a later layer wins.

    Below them all lie the defaults of each slot, then what the chosen components suggest (``defaults``), those of the
    dataset above the others, then the preset that a layer names. A layer that names another component than those below
    drops the parameters that they gave for its slot.

    Raises:
        UserError: an unknown name or parameter, a value that is not allowed, or components that refuse each other.

    """
    for layer in layers:
        check_names(layer)
    presets = [require_text("preset", layer["preset"]) for layer in layers if "preset" in layer]
    preset = presets[-1] if presets else None
    if preset is None:
        return _checked(layers)
    data_dir = asked_data_dir(layers)
    recipe, said = read_preset(preset, data_dir), note_of_preset(preset, data_dir)
    theirs = of_preset(recipe, layers)
    with naming_preset(preset, theirs):
        experiment = _checked((recipe, *layers))
    notes = (
        *([] if said is None else [said]),
        *dropped(preset, recipe, layers, experiment["dataset"]),
        *experiment.notes,
    )
    return replace(experiment, preset=preset, unlike_preset=_unlike(recipe, layers), of_preset=theirs, notes=notes)


def _checked(layers: Sequence[Overrides]) -> Experiment:
    """Return the experiment of layers, the lowest first, whose parts go together."""
    scale = asked_scale(layers)
    layers = tuple(expand_short(layer) for layer in layers)
    experiment = _resolved(layers)
    notes: tuple[str, ...] = ()
    if scale < 1:
        shorter, said = shortened(experiment.selections, experiment.settings, scale)
        experiment, notes = _resolved((*layers, shorter)), (said,)
    notes += said_of_frozen(experiment.selections, experiment.settings)
    notes += said_of_balanced(experiment["strategy"], experiment.settings)
    notes += said_of_waiting(experiment["loss"], experiment.settings)
    notes += said_of_schedule(experiment.settings)
    _refuse(experiment.selections)
    refuse_frozen(experiment.selections, experiment.settings)
    return replace(experiment, notes=notes)


def _unlike(recipe: Overrides, layers: Sequence[Overrides]) -> tuple[str, ...]:
    """Return the names of what layers say otherwise than a preset, but for seeds, hardware and storage."""
    theirs = expand_short(recipe)
    found: list[str] = []
    for layer in layers:
        said = {**expand_short(layer), **{key: layer[key] for key in ("scale",) if key in layer}}
        found += [key for key, value in said.items() if str(theirs.get(key)) != str(value)]
    return tuple(key for key in dict.fromkeys(found) if key not in _HARMLESS)


def _resolved(layers: Sequence[Overrides]) -> Experiment:
    """Return the experiment of layers in which nothing stands for something else any more."""
    finder = Finder(registry())
    suggested = suggestions(finder, layers)
    names = names_of(finder, (*suggested, *layers))
    selections = {slot: select(finder, slot, name, suggested, layers) for slot, name in names.items()}
    every = (*suggested, *layers)
    settings, storage = _settings(TrainingSettings, every), _settings(Storage, every)
    if settings.init is not None:
        settings = replace(settings, init=str(weights_file(settings.init, storage.runs_dir)))
    if settings.exclude is not None:
        settings = replace(settings, exclude=str(ids_file(settings.exclude)))
    return Experiment(selections, settings, storage)


def refusal(loss: Any, strategy: Any) -> str | None:
    """Return why this loss and this strategy make no sense together, None where they do."""
    for one, other in ((strategy, loss), (loss, strategy)):
        reason: str | None = one.refuses(other) if hasattr(one, "refuses") else None
        if reason:
            return reason
    return of_single_views(loss, strategy)


def _refuse(selections: Mapping[str, Selection]) -> None:
    """Raise where loss and strategy refuse each other."""
    loss, strategy = selections["loss"], selections["strategy"]
    reason = refusal(loss.sample, strategy.sample)
    if reason:
        raise UserError(f"The loss {loss.name} and the strategy {strategy.name}: {reason}")


def _settings(cls: type[Any], layers: Sequence[Overrides]) -> Any:
    found: dict[str, Any] = {}
    for key, item in parameters_of(cls).items():
        given = [layer[key] for layer in layers if key in layer]
        if given:
            found[key] = item.convert(given[-1], key, given[-2] if len(given) > 1 else UNSAID)
    return cls(**found)
