"""Whether a strategy's losses see how each sample's own image is predicted, by strategies of which it is known."""

from __future__ import annotations

from nlcore.checks.history import own_images_shown
from nlcore.host.registry import registry


def test_it_is_seen_where_images_are_mixed() -> None:
    create = registry().create
    assert own_images_shown(create("strategy", "standard"), 2) == [True, True]
    assert own_images_shown(create("strategy", "mixup"), 2) == [False, False]
    assert own_images_shown(create("strategy", "dynamic_bootstrap"), 2) == [False, False]
    assert create("strategy", "elr_plus", {"alpha": 0}).no_history == ""
    assert all(own_images_shown(create("strategy", "elr_plus", {"alpha": 0}), 2))
