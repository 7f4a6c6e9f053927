"""What to run: one typed, serialisable configuration, made from layers of settings that all have the same names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from nlcore.config.recipe import Layer, check_names, read_preset
from nlcore.config.settings import Places, Settings, data_directory
from nlcore.errors import ParameterError
from nlcore.host.registry import KINDS, Registry, registry
from nlcore.parameters import check_parameters, parameters_of, show_value

DEFAULTS = {
    "dataset": "cifar10",
    "noise": "symmetric",
    "architecture": "resnet18",
    "loss": "cross_entropy",
    "strategy": "standard",
}

MUON_LR = 0.01  # SGD's suits none of its steps, whatever the dataset


@dataclass(frozen=True)
class Choice:
    """A component by name, with all its parameters."""

    name: str
    params: Mapping[str, Any]

    def __str__(self) -> str:
        inside = ", ".join(f"{key} {show_value(value)}" for key, value in self.params.items())
        return f"{self.name} ({inside})" if inside else self.name


@dataclass(frozen=True)
class Experiment:
    """A complete, checked experiment."""

    dataset: Choice
    noise: Choice
    architecture: Choice
    loss: Choice
    strategy: Choice
    settings: Settings
    places: Places

    def choice(self, kind: str) -> Choice:
        """Return the component chosen for this kind."""
        choice: Choice = getattr(self, kind)
        return choice

    def create(self, kind: str) -> Any:
        """Return a new instance of the component chosen for this kind."""
        choice = self.choice(kind)
        return registry().create(kind, choice.name, choice.params)

    def config(self) -> dict[str, Any]:
        """Return the experiment as a recipe, with every parameter: what decides the numbers, not where things lie."""
        config: dict[str, Any] = {field.name: getattr(self.settings, field.name) for field in fields(Settings)}
        for kind in KINDS:
            choice = self.choice(kind)
            config[kind] = {"name": choice.name, **choice.params}
        return {key: _without_none(value) for key, value in config.items()}

    def run_dir(self, digest: str) -> Path:
        """Return the run's directory: the name that was given, or one made from components, seed and `digest`."""
        parts = [*(self.choice(kind).name for kind in KINDS), f"seed{self.settings.seed}", digest]
        name = self.places.name or "-".join(part.replace("/", ".") for part in parts)
        if name in ("", ".", "..") or len(name) > 200 or any(letter in name for letter in "/\\\0"):
            raise ParameterError(
                f"name = {name:.60}: must be the name of a folder, without / and of at most 200 letters."
            )
        return Path(self.places.runs_dir) / name

    def plugin_files(self) -> dict[str, str]:
        """Return the single files that brought components, by kind."""
        known = registry()
        files = {kind: known.file_of(known.find(kind, self.choice(kind).name)) for kind in KINDS}
        return {kind: file for kind, file in files.items() if file}

    def options(self) -> dict[str, Any]:
        """Return the components' parameters that differ from their defaults, or from what the dataset suggests."""
        plain = resolve({kind: self.choice(kind).name for kind in KINDS})
        return {
            f"{kind}.{key}": value
            for kind in KINDS
            for key, value in self.choice(kind).params.items()
            if value != plain.choice(kind).params[key]
        }

    @property
    def data_dir(self) -> Path:
        """Where data lie."""
        return data_directory(self.places.data_dir)


def resolve(*layers: Layer) -> Experiment:
    """
    Return the experiment that these layers of settings describe; a later layer wins.

    Below them all lie the defaults, then the chosen dataset's own defaults, then the preset that a layer names. A layer
    that names another component than those below drops the parameters that they gave for its role.

    Raises:
        UserError: an unknown name or parameter, or a value that is not allowed.

    """
    for layer in layers:
        check_names(layer)
    presets = [layer["preset"] for layer in layers if "preset" in layer]
    if presets:
        layers = (read_preset(_text("preset", presets[-1])), *layers)
    layers = tuple(_spell_out(layer) for layer in layers)
    known = registry()
    suggested = _dataset_defaults(known, layers)
    check_names(suggested)
    names: dict[str, str] = {}
    params: dict[str, dict[str, object]] = {kind: {} for kind in KINDS}
    below: list[Layer] = [DEFAULTS, {kind: suggested[kind] for kind in KINDS if kind in suggested}]
    for layer in (*below, *layers):
        for kind in KINDS:
            if kind in layer:
                name = known.display_name(known.find(kind, _text(kind, layer[kind])))
                if name != names.get(kind):
                    names[kind], params[kind] = name, {}
            prefix = f"{kind}."
            params[kind] |= {key.removeprefix(prefix): value for key, value in layer.items() if key.startswith(prefix)}
    choices = {kind: _choose(known, kind, names[kind], params[kind], suggested) for kind in KINDS}
    flat = {key: value for layer in (suggested, *layers) for key, value in layer.items()}
    if flat.get("optimizer") == "muon" and not any("lr" in layer for layer in layers):
        flat["lr"] = MUON_LR
    return Experiment(**choices, settings=_settings(Settings, flat), places=_settings(Places, flat))


def refusal(loss: Any, strategy: Any) -> str | None:
    """Return why this loss and this strategy make no sense together, None where they do."""
    for one, other in ((strategy, loss), (loss, strategy)):
        reason: str | None = one.refuses(other) if hasattr(one, "refuses") else None
        if reason:
            return reason
    return None


def _choose(known: Registry, kind: str, name: str, params: Mapping[str, object], suggested: Layer) -> Choice:
    """Check one component's parameters and complete them: what the dataset suggests where it fits, then defaults."""
    cls, declared = known.declared(kind, name)
    fitting = {key: suggested[f"{kind}.{key}"] for key in declared if f"{kind}.{key}" in suggested}
    checked = check_parameters(cls, {**fitting, **params}, kind, name)
    made = known.create(kind, name, checked)  # a component's own checks
    params = {key: checked.get(key, item.default) for key, item in declared.items()}
    for key in [key for key, value in params.items() if value is None]:  # which it may have settled
        settled = getattr(made, key, None)
        params[key] = settled if type(settled) is declared[key].type else None
    return Choice(name, params)


def _dataset_defaults(known: Registry, layers: Iterable[Layer]) -> Layer:
    named = [layer["dataset"] for layer in (DEFAULTS, *layers) if "dataset" in layer]
    cls = known.load(known.find("dataset", _text("dataset", named[-1])))
    defaults: Layer = getattr(cls, "defaults", {})
    return defaults


def _settings(cls: type[Any], flat: Layer) -> Any:
    declared = parameters_of(cls)
    return cls(**{key: declared[key].convert(value, key) for key, value in flat.items() if key in declared})


def _spell_out(layer: Layer) -> Layer:
    """Return a layer with what is short for something else written out."""
    long = {key: value for key, value in layer.items() if key not in ("labels", "preset")}
    if type(layer.get("threads")) is int:
        long["threads"] = str(layer["threads"])
    if "labels" in layer:
        if any(key.partition(".")[0] == "noise" and key != "noise.which" for key in layer):
            raise ParameterError(
                "labels: labels from a file are the noise of a run; leave --noise and its parameters out."
            )
        long |= {"noise": "stored", "noise.file": layer["labels"]}
    return long


def _text(kind: str, value: object) -> str:
    if not isinstance(value, str):
        raise ParameterError(f"{kind} = {value}: must be the name of a {kind}, as text.")
    return value


def _without_none(value: Any) -> Any:
    """TOML has no null: write it as the word that stands for it."""
    if isinstance(value, dict):
        return {key: _without_none(item) for key, item in value.items()}
    return "none" if value is None else value
