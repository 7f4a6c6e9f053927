"""
The hooks. A plugin is a module that implements any of them and says ``NLCORE_API = 1``.

Each hook takes no arguments, has no side effects and returns a list of `Component` records::

    from nlcore import Component, hookimpl

    NLCORE_API = 1

    @hookimpl
    def nl_losses():
        return [Component("my_loss", "my_package.my_loss:MyLoss", "One line on what it is.", "arXiv:2101.00001")]

and the package names that module as an entry point::

    [project.entry-points.nlcore]
    my_plugin = "my_package.nlcore_plugin"

The module must not import torch: it is loaded by every command, also by ``nl list-plugins``. The target of a component
is a string and is imported only when the component is used; its module may import what it likes.
"""

from __future__ import annotations

import dataclasses
import re

import pluggy

#: The version of the hooks and contracts. A plugin states the one it was written for as ``NLCORE_API``.
NLCORE_API = 1

hookspec = pluggy.HookspecMarker("nlcore")
hookimpl = pluggy.HookimplMarker("nlcore")

#: The distribution whose components own the bare names.
BUILTIN = "nlcore"


@dataclasses.dataclass(frozen=True)
class Slot:
    """
    A place in a run that is filled by a component of some kind.

    Attributes:
        name: what users type, ``--NAME``.
        default: the component where none is named.
        about: one line of help.
        in_name: whether the component's name is part of a run directory's.

    """

    name: str
    default: str
    about: str
    in_name: bool = True


@dataclasses.dataclass(frozen=True)
class Kind:
    """
    A kind of component: all that the rest of nlcore knows of it.

    Attributes:
        name: as in ``nl list-plugins --kind NAME``.
        hook: the hook that yields its components.
        required: the methods that a target's class must have; empty where the target is a file.
        slots: the places in a run that it fills.
        chains: whether several may fill a slot one after the other, as in ``crop_flip+cutout``.
        decides: whether it has a say in a run's numbers.

    """

    name: str
    hook: str
    required: tuple[str, ...]
    slots: tuple[Slot, ...] = ()
    chains: bool = False
    decides: bool = True


_STRONG = "crop_flip+randaugment+cutout"

#: Every kind, in the order in which a run uses them. Another one is a row here, a hook below, and a contract.
KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("dataset", "nl_datasets", ("load",), (Slot("dataset", "cifar10", "images and labels"),)),
        Kind("noise", "nl_noise_models", ("corrupt",), (Slot("noise", "symmetric", "how labels become wrong"),)),
        Kind(
            "augmentation",
            "nl_augmentations",
            ("draw", "apply"),
            (
                Slot("augmentation", "crop_flip", "how training images vary: the weak view", in_name=False),
                Slot("strong", _STRONG, "the strong view, for strategies that ask for one", in_name=False),
            ),
            chains=True,
        ),
        Kind("architecture", "nl_architectures", ("build",), (Slot("architecture", "resnet18", "the network"),)),
        Kind("optimizer", "nl_optimizers", ("make",), (Slot("optimizer", "sgd", "how gradients become steps", False),)),
        Kind("loss", "nl_losses", ("__call__",), (Slot("loss", "cross_entropy", "what is minimised for each sample"),)),
        Kind(
            "strategy",
            "nl_strategies",
            ("setup", "step", "predict"),
            (Slot("strategy", "standard", "what happens in an epoch"),),
        ),
        Kind(
            "tracker",
            "nl_trackers",
            ("start", "epoch", "end"),
            (Slot("tracker", "none", "who else is told how the run goes; several with commas", in_name=False),),
            chains=True,
            decides=False,
        ),
        Kind("estimator", "nl_estimators", ("estimate",)),
        Kind("detector", "nl_detectors", ("detect",)),
        Kind("executor", "nl_executors", ("execute",)),
        Kind("preset", "nl_presets", ()),
    )
}


def component_kinds() -> tuple[str, ...]:
    """Return the names of the kinds whose targets are classes."""
    return tuple(kind.name for kind in KINDS.values() if kind.required)


def slots() -> dict[str, tuple[Slot, Kind]]:
    """Return the places in a run by name, in order, each with the kind that fills it."""
    return {slot.name: (slot, kind) for kind in KINDS.values() for slot in kind.slots}


_NAME = re.compile(r"[a-z][a-z0-9_]*\Z")
_TARGET = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*\Z")
_RECIPE_NAME = re.compile(r"[a-z][a-z0-9_]*(-[a-z0-9_]+)*\Z")  # of a preset, such as divide_mix-cifar10-sym50
_RECIPE = re.compile(r"[A-Za-z_][\w.]*:[\w.-]+\.toml\Z")


@dataclasses.dataclass(frozen=True)
class Component:
    """
    What a plugin says about one component without importing it.

    Attributes:
        name: what users type; lower-case letters, digits and underscores, and hyphens in the name of a preset.
        target: ``"module:Class"``, imported only when the component is used; of a preset ``"package:file.toml"``, or
            ``"package:function"``, which returns the recipe.
        summary: one line for lists.
        paper: where it is defined (``"arXiv:1412.6596"``, a DOI, a URL), or empty.
        bibtex: the paper's whole BibTeX entry (``"@article{...}"``), or empty.

    Raises:
        ValueError: a name, a target or a BibTeX entry that is not of this form, or no summary.

    """

    name: str
    target: str
    summary: str
    paper: str = ""
    bibtex: str = ""

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            if not isinstance(getattr(self, field.name), str):
                raise ValueError(f"Component: {field.name} must be a string, not {getattr(self, field.name)!r}")
        recipe = bool(_RECIPE.match(self.target))
        if not (_RECIPE_NAME if recipe else _NAME).match(self.name):
            raise ValueError(f"Component: the name {self.name!r} is not made of a-z, 0-9 and _")
        if not (recipe or _TARGET.match(self.target)):
            raise ValueError(f"Component {self.name}: the target {self.target!r} is not 'module:Class'")
        if not self.summary.strip() or "\n" in self.summary:
            raise ValueError(f"Component {self.name}: the summary must be one line of text")
        if self.bibtex and not self.bibtex.lstrip().startswith("@"):
            raise ValueError(f"Component {self.name}: bibtex must be an entry that starts with @")


@hookspec
def nl_datasets() -> list[Component]:  # type: ignore[empty-body]
    """
    Datasets: where images and labels come from.

    The target is a class with ``load(source) -> Data``; see `nlcore.contracts.Dataset`. It may declare its own
    defaults for the run (a network width that suits it, noise or none) as a mapping ``defaults``.
    """


@hookspec
def nl_noise_models() -> list[Component]:  # type: ignore[empty-body]
    """
    Noise models: how given labels come to differ from true ones.

    The target is a class with ``corrupt(labels, num_classes, rng, data=None) -> labels``; see
    `nlcore.contracts.NoiseModel`. It never changes its input and draws from `rng` alone.
    """


@hookspec
def nl_architectures() -> list[Component]:  # type: ignore[empty-body]
    """
    Architectures: networks for any number of classes and any image size.

    The target is a class with ``build(num_classes, image_shape) -> nn.Module``; see `nlcore.contracts.Architecture`.
    """


@hookspec
def nl_augmentations() -> list[Component]:  # type: ignore[empty-body]
    """
    Augmentations: random changes of training images.

    The target is a class with ``draw(count, generator)`` and ``apply(images, draws)``; see
    `nlcore.contracts.Augmentation`.
    """


@hookspec
def nl_optimizers() -> list[Component]:  # type: ignore[empty-body]
    """
    Optimisers: how gradients become steps.

    The target is a class with ``make(groups) -> torch.optim.Optimizer`` and a parameter ``lr``; see
    `nlcore.contracts.Optimizer`.
    """


@hookspec
def nl_losses() -> list[Component]:  # type: ignore[empty-body]
    """
    Losses: one value for each sample, so that a strategy can weight, select or mix them.

    The target is a class with ``__call__(logits, targets, index) -> (B,)``; see `nlcore.contracts.Loss`.
    """


@hookspec
def nl_strategies() -> list[Component]:  # type: ignore[empty-body]
    """
    Training strategies: what happens in an epoch, with how many networks, on which samples.

    The target is a class with ``setup``, ``step`` and ``predict``; see `nlcore.contracts.Strategy`.
    """


@hookspec
def nl_trackers() -> list[Component]:  # type: ignore[empty-body]
    """
    Trackers: who else is told how a run goes.

    The target is a class with ``start``, ``epoch`` and ``end``; see `nlcore.contracts.Tracker`.
    """


@hookspec
def nl_estimators() -> list[Component]:  # type: ignore[empty-body]
    """
    Estimators: from out-of-sample predictions to the noise rate and the transition matrix.

    The target is a class with ``estimate(evidence) -> Estimate``; see `nlcore.contracts.Estimator`.
    """


@hookspec
def nl_detectors() -> list[Component]:  # type: ignore[empty-body]
    """
    Detectors: from predictions, features and histories to how suspicious each given label is.

    The target is a class with ``detect(evidence) -> Detection``; see `nlcore.contracts.Detector`.
    """


@hookspec
def nl_executors() -> list[Component]:  # type: ignore[empty-body]
    """
    Executors: where the runs of a study are computed.

    The target is a class with ``execute(jobs, work, ended, report)``; see `nlcore.contracts.Executor`.
    """


@hookspec
def nl_presets() -> list[Component]:  # type: ignore[empty-body]
    """
    Presets: recipes that ship with a package, for ``nl run --preset NAME``.

    The target is no class but a recipe file in a package: ``"my_package.presets:mine.toml"`` is ``mine.toml`` in the
    folder of `my_package.presets`. Where a recipe depends on what is installed, it is a function that returns the text,
    ``"my_package.presets:mine"``; it is given the folder of the data, and must not import torch. What a recipe's key
    ``note`` says is told to who runs it.
    """
