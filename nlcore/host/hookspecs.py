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

#: What a plugin can bring, the components in the order in which a run uses them, and the hook that yields each.
HOOKS = {
    "dataset": "nl_datasets",
    "noise": "nl_noise_models",
    "architecture": "nl_architectures",
    "loss": "nl_losses",
    "strategy": "nl_strategies",
    "preset": "nl_presets",
}


_NAME = re.compile(r"[a-z][a-z0-9_]*\Z")
_TARGET = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*\Z")


@dataclasses.dataclass(frozen=True)
class Component:
    """
    What a plugin says about one component without importing it.

    Attributes:
        name: what users type; lower-case letters, digits and underscores.
        target: ``"module:Class"``, imported only when the component is used.
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
        if not _NAME.match(self.name):
            raise ValueError(f"Component: the name {self.name!r} is not made of a-z, 0-9 and _")
        if not _TARGET.match(self.target):
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
def nl_presets() -> list[Component]:  # type: ignore[empty-body]
    """
    Presets: recipes that ship with a package, for ``nl run --preset NAME``.

    The target is no class but a recipe file in a package: ``"my_package.presets:mine.toml"`` is ``mine.toml`` in the
    folder of `my_package.presets`.
    """
