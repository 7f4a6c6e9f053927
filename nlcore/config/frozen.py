"""``--freeze``: epochs that train the head alone, and what cannot go with them."""

from __future__ import annotations

from collections.abc import Mapping

from nlcore.config.settings import TrainingSettings
from nlcore.errors import ParameterError, UserError, plural
from nlcore.host.selection import Selection


def frozen_epochs(settings: TrainingSettings) -> int:
    """Return how many epochs train the head alone."""
    return settings.epochs if isinstance(settings.freeze, str) else settings.freeze


def is_pretrained(architecture: Selection) -> bool:
    """Tell whether a network starts from weights that it brings along: its parameter `pretrained`."""
    return architecture.params.get("pretrained") not in (None, False, "", "none", "false")


def refuse_frozen(selections: Mapping[str, Selection], settings: TrainingSettings) -> None:
    """
    Refuse to freeze what is drawn, and methods that need more of an image than its features.

    Raises:
        ParameterError: more epochs than there are.
        UserError: the others.

    """
    if not settings.freeze:
        return
    if frozen_epochs(settings) > settings.epochs:
        raise ParameterError(
            f"freeze = {settings.freeze}: the run has {plural(settings.epochs, 'epoch')}. Give fewer, or all, which "
            "trains the head alone."
        )
    if settings.init is None and not is_pretrained(selections["architecture"]):
        raise UserError(
            f"freeze = {settings.freeze}: the network is drawn, and its features mean nothing before they are trained. "
            "Start from weights: --architecture torchvision --architecture.pretrained true, or --init FILE; or train "
            "all of it: --freeze 0."
        )
    strategy, loss = selections["strategy"], selections["loss"]
    reason = getattr(strategy.sample, "not_frozen", None)
    if reason:
        raise UserError(
            f"freeze = {settings.freeze}: the strategy {strategy.name} cannot do with features that are computed once: "
            f"{reason}. Choose another, or train all of the network from the start: --freeze 0."
        )
    if getattr(loss.sample, "views", 1) > 1:
        raise UserError(
            f"freeze = {settings.freeze}: the loss {loss.name} judges several views of an image together, and features "
            "that are computed once are of one. Choose another, or train all of the network from the start: --freeze 0."
        )


def said_of_frozen(selections: Mapping[str, Selection], settings: TrainingSettings) -> tuple[str, ...]:
    """Return what a user should know of the epochs that train the head alone."""
    augmentation = selections["augmentation"].name
    if not settings.freeze or augmentation == "none":
        return ()
    return (f"While only the head is trained, images are as they are: {augmentation} does not change them.",)
