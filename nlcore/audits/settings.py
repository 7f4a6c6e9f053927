"""What an audit is told: its own settings, and how it trains its networks, as layers of settings of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

from nlcore.config.recipe import Overrides, asked_data_dir, read_preset, read_recipe
from nlcore.config.settings import TrainingSettings
from nlcore.errors import UserError, did_you_mean
from nlcore.host.registry import registry
from nlcore.parameters import Parameter, parameter, parameters_of
from nlcore.rundir.find import find_model
from nlcore.runs.recognise import runs_folder

#: The recipe of an audit's networks where no other preset is named.
PRESET = "audit"

#: Where an audit is not told how long its networks learn: so many epochs, or as many as make so many steps,
#: up to MOST.
EPOCHS, STEPS, MOST, LARGE = 8, 400, 100, 5_000
#: GCE's q where there are fewer than LARGE: with 0.7 a rare class of few images is not learnt at all, and its labels
#: look wrong. On 2,000 images of CIFAR-10, the largest class ten times the smallest, 8 % of the labels wrong, average
#: precision is .48 with 0.3, .34 with 0.7 and .42 with cross-entropy (three parts, 32 × 32).
SMALL_Q = 0.3

#: Images a step where there are fewer than LARGE, and otherwise.
SMALL_BATCH, BATCH = 64, 128


@dataclass(frozen=True)
class AuditSettings:
    """What an audit is told besides the settings of its runs."""

    folds: int | None = parameter(
        None, "parts that are held out in turn; none: 5, of more than 10,000 images 3", range="[2, 50]"
    )
    repeats: int = parameter(
        1, "cross-validations, with other parts and seeds, whose predictions are averaged", range="[1, 50]"
    )
    detector: str = parameter(
        "noise_model", "what ranks the labels; of several with commas the first ranks, all are compared", commas=True
    )
    features: str | None = parameter(
        None, "features from elsewhere instead of networks: .npz with ids (N,) and features (N, D)", path=True
    )
    probabilities: str | None = parameter(
        None,
        "predictions from elsewhere: .npz with ids and probabilities or logits, or .csv with id and classes",
        path=True,
    )
    run: str | None = parameter(None, "a finished run whose model predicts, though it was trained on these labels")
    audits_dir: str = parameter("audits", "folder that audits are made in", path=False)

    @property
    def detectors(self) -> tuple[str, ...]:
        """The names of the detectors, the one that ranks first."""
        return tuple(dict.fromkeys(name.strip() for name in self.detector.split(",") if name.strip()))


def read_settings(given: Mapping[str, object]) -> AuditSettings:
    """
    Return an audit's settings.

    Args:
        given: by name; None stands for what is usual.

    Raises:
        UserError: an unknown name, a value that is not allowed, an unknown detector, or two sources of predictions.

    """
    declared = parameters_of(AuditSettings)
    values = {}
    for name, value in given.items():
        if name not in declared:
            raise UserError(f"An audit has no setting {name!r}.{did_you_mean(name, declared)}")
        if name == "detector" and isinstance(value, (list, tuple)):
            value = ",".join(map(str, value))
        values[name] = declared[name].convert(value, name)
    settings = AuditSettings(**values)
    sources = [name for name in ("features", "probabilities", "run") if getattr(settings, name) is not None]
    if len(sources) > 1:
        raise UserError(f"--{' and --'.join(sources)} were given: predictions come from one of them.")
    if sources and sources != ["features"]:
        asked = [name for name in ("folds", "repeats") if name in given and values[name] != declared[name].default]
        if asked:
            raise UserError(f"--{asked[0]} goes with networks or features; with --{sources[0]} nothing is fitted.")
    if not settings.detectors:
        raise UserError("detector: name one, as 'nl list-plugins --kind detector' lists them.")
    for name in settings.detectors:
        registry().find("detector", name)
    return settings


def setting_names() -> tuple[str, ...]:
    """Return the names of an audit's own settings."""
    return tuple(item.name for item in fields(AuditSettings))


def layers_of_runs(given: Sequence[Overrides], settings: AuditSettings, trained: int | None = None) -> list[Overrides]:
    """
    Return the layers of settings that an audit's runs share.

    Below what was given lie the audit's own recipe, unless another preset was named, and no noise, unless some was
    asked for: whatever a dataset suggests, the labels are the user's. Classes are not balanced because a preset says
    so: what a small class holds by mistake would be shown as often as what belongs there, and be learnt. Where a run's
    model predicts, its recipe lies there. Above lies that all samples are trained on.

    Args:
        given: layers of settings.
        settings: the audit's own.
        trained: how many images a network is trained on, once that is known.

    """
    if settings.run is not None:
        place = find_model(settings.run, runs_folder(given))
        recipe = {key: value for key, value in read_recipe(place / "config.toml").items() if key != "exclude"}
        given = [recipe, *given]
    presets = [layer["preset"] for layer in given if "preset" in layer]
    known = [*([read_preset(str(presets[-1]), asked_data_dir(given))] if presets else []), *given]
    named = any(key.partition(".")[0] in ("noise", "labels") for layer in known for key in layer)
    below: dict[str, object] = {} if presets or settings.run is not None else {"preset": PRESET}
    if not named:
        below["noise"] = "none"
    if presets and known[0].get("sampling") == "balanced":
        below["sampling"] = "shuffled"
    above: dict[str, object] = {"validation": 0, "trusted": 0}
    dataset = next((str(layer["dataset"]) for layer in reversed(known) if "dataset" in layer), "cifar10")
    declared = registry().signature(registry().find("dataset", dataset))[1]
    if "test_fraction" in declared:
        above["dataset.test_fraction"] = _least(declared["test_fraction"])
    if "skip_unreadable" in declared:  # they are named, and the others are audited
        below |= {"dataset": dataset, "dataset.skip_unreadable": True}
    fitting = _long_enough(known, trained) if trained else {}
    return [layer for layer in (below, fitting, *given, above) if layer]


def _least(fraction: Parameter) -> float:
    """Return the least share to test on, as a run needs some images: where a dataset takes 0, single ones stay."""
    try:
        fraction.convert(0, "")
    except UserError:
        return 1e-9
    return 0.0


def _long_enough(given: Sequence[Overrides], trained: int) -> Overrides:
    """Return epochs and batch size that suit a training set of so many images, where nobody named any."""
    said = {key: value for layer in given for key, value in layer.items()}
    size = SMALL_BATCH if trained < LARGE else BATCH
    chosen: dict[str, object] = {} if "batch_size" in said else {"batch_size": max(2, min(size, trained))}
    if trained < LARGE and not any(key.partition(".")[0] in ("loss", "preset") for key in said):
        chosen["loss.q"] = SMALL_Q
    if "epochs" not in said:
        steps = max(1, trained // int(str(said.get("batch_size", size))))
        most = parameters_of(TrainingSettings)["epoch_batches"].convert(said.get("epoch_batches"), "epoch_batches")
        steps = min(steps, most or steps)
        chosen["epochs"] = min(MOST, max(EPOCHS, -(-STEPS // steps)))
    if "checkpoint_every" not in said:
        chosen["checkpoint_every"] = max(1, int(str(said.get("epochs", chosen.get("epochs", EPOCHS)))) // EPOCHS)
    return chosen
