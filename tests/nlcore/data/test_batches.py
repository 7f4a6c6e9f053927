"""What a pass yields: which samples, in which order, cut how, and augmented how."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import scipy.stats
import torch
from helpers import OnDemand, make_data, make_trainer, prepared, same_tensors, squares, train
from numpy.typing import NDArray
from torch import Tensor

from nlcore.contracts import Batch, Pass, StrategyContext
from nlcore.data.batches import TrainingBatches
from nlcore.data.run_data import RunData
from nlcore.data.views import View
from nlcore.errors import RunError
from nlcore.host.registry import registry

CPU = torch.device("cpu")


def training_data(count: int, *, on_demand: bool = False) -> RunData:
    images, labels = squares(count, channels=3)
    shown = OnDemand(images) if on_demand else images
    rgb: dict[str, Any] = {"mean": (0.4, 0.5, 0.6), "std": (0.2, 0.3, 0.25)}
    return prepared(make_data(shown, labels, test=squares(4, seed=1, channels=3), **rgb))


def batches_of(
    data: RunData,
    batch_size: int = 16,
    seed: int = 1,
    *,
    padding: int = 2,
    flip: bool = True,
    balanced: bool = False,
    epoch_batches: int | None = None,
) -> TrainingBatches:
    """Return batches whose weak view is shifted and flipped, and whose strong one has a hole besides."""
    known = registry()
    weak = known.create("augmentation", "crop_flip", {"padding": padding, "flip": flip})
    strong = [weak, known.create("augmentation", "cutout", {"size": 2})]
    views = {"weak": View([weak], ["crop_flip"]), "strong": View(strong, ["crop_flip", "cutout"])}
    return TrainingBatches(data.training, views, batch_size, seed, CPU, balanced, epoch_batches)


def make_batches(
    count: int, batch_size: int = 16, seed: int = 1, *, on_demand: bool = False, **options: Any
) -> TrainingBatches:
    return batches_of(training_data(count, on_demand=on_demand), batch_size, seed, **options)


def positions(batches: list[Batch]) -> list[int]:
    return torch.cat([batch.index for batch in batches]).tolist()


def same_batches(one: list[Batch], other: list[Batch]) -> bool:
    pairs = list(itertools.zip_longest(one, other))
    return all(
        a is not None and b is not None and torch.equal(a.index, b.index) and same_tensors(a.views, b.views)
        for a, b in pairs
    )


# ------------------------------------------------------------------------------------------ which samples


@pytest.mark.parametrize("epoch", [1, 2])
def test_a_pass_visits_every_sample_once_and_the_partial_batch_counts(epoch: int) -> None:
    visited = list(make_batches(200).iterate(Pass(), epoch, "0"))
    assert [len(batch.index) for batch in visited] == [16] * 12 + [8]
    assert sorted(positions(visited)) == list(range(200))


def test_twenty_thousand_samples_make_157_batches_of_128() -> None:
    images = np.zeros((20_000, 1, 1, 1), np.uint8)
    labels = np.arange(20_000, dtype=np.int64) % 10
    batches = batches_of(prepared(make_data(images, labels)), 128)
    assert batches.lengths(Pass()) == [128] * 156 + [32]
    assert batches.lengths(Pass(indices=torch.arange(12_345), batch_size=64)) == [64] * 192 + [57]


@pytest.mark.parametrize(
    ("count", "lengths"),
    [(1, [1]), (2, [2]), (16, [16]), (17, [17]), (18, [16, 2]), (32, [16, 16]), (33, [16, 17]), (34, [16, 16, 2])],
)
def test_a_tail_of_one_joins_the_batch_before_it(count: int, lengths: list[int]) -> None:
    batches = make_batches(40)
    chosen = Pass(indices=torch.arange(count))
    assert batches.lengths(chosen) == lengths
    visited = list(batches.iterate(chosen, 1, "0"))
    assert [len(batch.index) for batch in visited] == lengths
    assert sorted(positions(visited)) == list(range(count))


def test_a_pass_over_nothing_yields_nothing() -> None:
    assert list(make_batches(40).iterate(Pass(indices=torch.empty(0, dtype=torch.int64)), 1, "0")) == []


def test_a_pass_may_visit_a_part_of_the_samples_some_of_them_twice() -> None:
    chosen = torch.tensor([30, 4, 4, 39, 0])
    assert sorted(positions(list(make_batches(40).iterate(Pass(indices=chosen), 1, "0")))) == [0, 4, 4, 30, 39]


def test_without_shuffling_the_order_is_the_one_that_was_given() -> None:
    batches = make_batches(40)
    assert positions(list(batches.iterate(Pass(shuffle=False), 3, "0"))) == list(range(40))
    chosen = torch.tensor([30, 4, 39, 0, 7])
    assert (
        positions(list(batches.iterate(Pass(indices=chosen, shuffle=False, batch_size=2), 3, "0"))) == chosen.tolist()
    )


def test_a_pass_may_have_a_batch_size_of_its_own() -> None:
    visited = list(make_batches(40).iterate(Pass(batch_size=12), 1, "0"))
    assert [len(batch.index) for batch in visited] == [12, 12, 12, 4]


def test_targets_are_the_given_labels_of_the_samples() -> None:
    data = training_data(40)
    for batch in batches_of(data).iterate(Pass(label="first"), 1, "0"):
        assert batch.targets.dtype == torch.int64
        assert batch.targets.tolist() == data.train.labels[batch.index.numpy()].tolist()
        assert batch.label == "first"


@pytest.mark.parametrize(
    ("count", "most", "lengths"),
    [(33, 1, [16]), (33, 2, [16, 17]), (33, 3, [16, 17]), (34, 2, [16, 16]), (17, 1, [17]), (40, 3, [16, 16, 8])],
)
def test_no_more_batches_are_taken_than_an_epoch_has(count: int, most: int, lengths: list[int]) -> None:
    batches = make_batches(count, epoch_batches=most)
    assert batches.lengths(Pass()) == lengths
    visited = list(batches.iterate(Pass(), 1, "0"))
    assert [len(batch.index) for batch in visited] == lengths
    assert len({*positions(visited)}) == sum(lengths)


def test_of_images_that_are_decoded_on_demand_only_these_are() -> None:
    images, labels = squares(200, channels=3)
    store = OnDemand(images)
    rgb: dict[str, Any] = {"mean": (0.4, 0.5, 0.6), "std": (0.2, 0.3, 0.25)}
    batches = batches_of(prepared(make_data(store, labels, **rgb)), epoch_batches=3)
    before = store.fetched
    drawn = positions(list(batches.iterate(Pass(shuffle=False), 1, "0")))
    assert store.fetched - before == len({*drawn}) == 48
    assert drawn == sorted(drawn)
    assert max(drawn) > 100  # from anywhere, though in order


# -------------------------------------------------------------------------------- order and augmentation


def test_an_epoch_can_be_replayed() -> None:
    one, other = make_batches(40), make_batches(40)
    list(other.iterate(Pass(), 1, "0"))  # whatever was drawn before
    torch.rand(5)
    assert same_batches(list(one.iterate(Pass(views=2), 2, "0")), list(other.iterate(Pass(views=2), 2, "0")))


@pytest.mark.parametrize(
    ("seed", "epoch", "purpose"), [(2, 1, "0"), (1, 2, "0"), (1, 1, "1")], ids=["seed", "epoch", "pass"]
)
def test_order_and_augmentation_differ_with(seed: int, epoch: int, purpose: str) -> None:
    here = list(make_batches(64).iterate(Pass(), 1, "0"))
    there = list(make_batches(64, seed=seed).iterate(Pass(), epoch, purpose))
    assert positions(here) != positions(there)
    plain_order = Pass(shuffle=False)
    here = list(make_batches(64).iterate(plain_order, 1, "0"))
    there = list(make_batches(64, seed=seed).iterate(plain_order, epoch, purpose))
    assert positions(here) == positions(there)
    alike = [
        torch.equal(a, b) for x, y in zip(here, there, strict=True) for a, b in zip(x.images, y.images, strict=True)
    ]
    assert sum(alike) < 10  # 64 images and 50 cells


def test_any_order_is_as_likely_as_any_other() -> None:
    batches = make_batches(4, batch_size=4)
    orders = [tuple(positions(list(batches.iterate(Pass(views=("plain",)), epoch, "0")))) for epoch in range(1, 1201)]
    counts = [orders.count(order) for order in itertools.permutations(range(4))]
    assert sum(counts) == 1200
    assert scipy.stats.chisquare(counts).pvalue > 1e-3


def test_a_plain_view_is_the_image_as_it_is() -> None:
    data = training_data(40)
    images = torch.from_numpy(data.train.images.fetch(np.arange(40))).permute(0, 3, 1, 2) / 255
    expected = (images - torch.tensor(data.mean).view(3, 1, 1)) / torch.tensor(data.std).view(3, 1, 1)
    for batch in batches_of(data).iterate(Pass(views=("plain",) * 3), 1, "0"):
        assert len(batch.views) == 3
        for view in batch.views:
            torch.testing.assert_close(view, expected[batch.index], atol=1e-6, rtol=0)


def numbered(count: int) -> TrainingBatches:
    """Return batches whose pixels, times 255, tell where in the image they were: 1 to 9 in 3×3."""
    image = np.arange(1, 10, dtype=np.uint8).reshape(3, 3, 1)
    labels = np.arange(count, dtype=np.int64) % 2
    data = make_data(np.tile(image, (count, 1, 1, 1)), labels, mean=(0.0,), std=(1.0,))
    return batches_of(prepared(data), 500, padding=1)


def cells(view: Tensor) -> list[int]:
    """Return which of the 18 crops and flips of the numbered image each image is."""
    padded = np.pad(np.arange(1, 10).reshape(3, 3), 1)
    crops = [padded[dy : dy + 3, dx : dx + 3] for dy in range(3) for dx in range(3)]
    known = {tuple(crop.flatten()): number for number, crop in enumerate([*crops, *(crop[:, ::-1] for crop in crops)])}
    assert len(known) == 18
    return [known[tuple(row)] for row in (view * 255).round().int().flatten(1).tolist()]


def test_every_view_is_one_of_the_crops_all_equally_likely_and_views_are_independent() -> None:
    table = np.zeros((18, 18), np.int64)
    for batch in numbered(9000).iterate(Pass(views=2), 1, "0"):
        np.add.at(table, (cells(batch.views[0]), cells(batch.views[1])), 1)
    assert table.sum() == 9000
    for counts in (table.sum(0), table.sum(1)):
        assert scipy.stats.chisquare(counts).pvalue > 1e-3
    assert scipy.stats.chi2_contingency(table).pvalue > 1e-3


def test_an_image_is_augmented_anew_in_every_epoch() -> None:
    batches = numbered(3000)
    table = np.zeros((18, 18), np.int64)
    drawn = [
        cells(next(iter(batches.iterate(Pass(shuffle=False, batch_size=3000), epoch, "0"))).images) for epoch in (1, 2)
    ]
    np.add.at(table, tuple(drawn), 1)
    assert scipy.stats.chi2_contingency(table).pvalue > 1e-3


def test_views_are_normalised_floats_in_channels_last() -> None:
    for batch in make_batches(40).iterate(Pass(views=2), 1, "0"):
        assert batch.images is batch.views[0]
        for view in batch.views:
            assert view.dtype == torch.float32
            assert view.shape == (len(batch.index), 3, 8, 8)
            assert view.is_contiguous(memory_format=torch.channels_last)


def test_a_pass_has_the_views_that_it_names_in_their_order() -> None:
    data = training_data(40)
    for batch in batches_of(data, padding=0, flip=False).iterate(Pass(views=("strong", "plain", "weak")), 1, "0"):
        strong, plain, weak = batch.views
        assert torch.equal(weak, plain)  # shifted by nothing
        changed = (strong != plain).any(1)  # a hole of at most 2 × 2 pixels
        assert all(1 <= int(one.sum()) <= 4 for one in changed)


def test_views_of_one_name_are_drawn_independently() -> None:
    batches = list(make_batches(64).iterate(Pass(views=("strong", "strong", "weak", "weak")), 1, "0"))
    views = [torch.cat([batch.views[number] for batch in batches]) for number in range(4)]
    assert all(not torch.equal(one, other) for one, other in itertools.combinations(views, 2))


def test_no_view_of_another_name_is_known() -> None:
    with pytest.raises(ValueError, match=r"there is no view 'bright'; views are .*weak.*strong"):
        Pass(views=("weak", "bright"))


@pytest.mark.parametrize("wrong", [-1, 40])
def test_a_position_that_is_none_is_refused(wrong: int) -> None:
    with pytest.raises(RunError, match=r"asks for samples .* to .*, and there are 40 training samples"):
        list(make_batches(40).iterate(Pass(indices=torch.tensor([3, wrong])), 1, "0"))


# ------------------------------------------------------------------------------------------ balanced classes


def test_balanced_classes_are_drawn_equally_often_and_so_are_the_images_of_a_class() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(4), [600, 300, 80, 20])
    data = prepared(make_data(rng.integers(0, 256, (1000, 8, 8, 1)).astype(np.uint8), labels))
    batches = batches_of(data, 100, balanced=True)
    seen = [positions(list(batches.iterate(Pass(views=("plain",)), epoch, "0"))) for epoch in (1, 2)]
    assert [len(epoch) for epoch in seen] == [1000, 1000]
    drawn = np.bincount(np.concatenate(seen), minlength=1000)
    assert scipy.stats.chisquare([drawn[labels == label].sum() for label in range(4)]).pvalue > 1e-3
    assert scipy.stats.chisquare(drawn[labels == 3]).pvalue > 1e-3


def test_a_pass_that_names_its_samples_is_not_balanced() -> None:
    batches = make_batches(40, balanced=True)
    visited = list(batches.iterate(Pass(indices=torch.arange(10)), 1, "0"))
    assert sorted(positions(visited)) == list(range(10))


@pytest.mark.parametrize("most", [None, 2, 3, 5])
def test_what_a_method_divides_is_balanced_where_epochs_are_limited(most: int | None) -> None:
    """Also where a limited epoch holds as many as there are; without a limit it is all there are."""
    data = prepared(make_data(np.zeros((40, 8, 8, 1), np.uint8), np.repeat(np.arange(4), [20, 12, 6, 2])))
    batches = batches_of(data, epoch_batches=most, balanced=True)
    drawn = batches.samples(1, None)
    if most is None:
        assert drawn.tolist() == list(range(40))
    else:
        counts = torch.bincount(batches.given[drawn])
        assert counts.sum() == min(40, 16 * most)
        assert counts.max() - counts.min() <= 1


# ------------------------------------------------------------------------------------------ steps and rows


def test_a_step_finds_its_row_of_a_table() -> None:
    batches = make_batches(40)
    table = torch.rand(20, 5)
    for first in (0, 7):
        for number, batch in enumerate(batches.iterate(Pass(), 1, "0", first)):
            assert batch.step.shape == (1,)
            assert batch.step.item() == first + number
            assert torch.equal(batch.row(table), table[first + number])
            assert torch.equal(batch.row(table[:, 0]), table[first + number, 0])


# ------------------------------------------------------------------------------------------- a paired pass


def test_a_paired_pass_starts_over_in_a_new_order_when_it_is_used_up() -> None:
    batches = make_batches(100)
    paired = Pass(indices=torch.arange(80, 100), batch_size=8, views=2, label="unlabelled")
    visited = list(batches.iterate(Pass(indices=torch.arange(80), batch_size=10, paired=paired), 1, "0"))
    assert sorted(positions(visited)) == list(range(80))
    others = [batch.paired for batch in visited if batch.paired is not None]
    assert [len(batch.index) for batch in others] == [8, 8, 4, 8, 8, 4, 8, 8]
    assert all(batch.label == "unlabelled" and len(batch.views) == 2 for batch in others)
    turns = [positions(others[:3]), positions(others[3:6])]
    assert [sorted(turn) for turn in turns] == [list(range(80, 100))] * 2
    assert turns[0] != turns[1]
    assert not same_tensors(others[0].views[:1], others[0].views[1:])


def test_a_paired_pass_changes_nothing_of_the_pass_and_is_replayed_with_it() -> None:
    alone, with_other = Pass(), Pass(paired=Pass(indices=torch.arange(5), batch_size=2))
    batches = make_batches(40)
    assert same_batches(list(batches.iterate(alone, 1, "0")), list(batches.iterate(with_other, 1, "0")))
    one, other = ([batch.paired for batch in batches.iterate(with_other, 1, "0") if batch.paired] for _ in range(2))
    assert len(one) == 3
    assert same_batches(one, other)


def test_there_is_no_pair_where_the_other_pass_is_empty() -> None:
    paired = Pass(indices=torch.empty(0, dtype=torch.int64))
    assert [batch.paired for batch in make_batches(20).iterate(Pass(paired=paired), 1, "0")] == [None, None]


# --------------------------------------------------------------------------------------- images on demand


@pytest.mark.parametrize("flip", [True, False])
@pytest.mark.parametrize("views", [2, ("plain",), ("strong", "plain", "weak")], ids=str)
def test_images_on_demand_make_the_same_batches(flip: bool, views: Any) -> None:
    chosen = Pass(views=views, paired=Pass(indices=torch.arange(9), batch_size=4))
    array = list(make_batches(50, flip=flip).iterate(chosen, 2, "0"))
    on_demand = list(make_batches(50, flip=flip, on_demand=True).iterate(chosen, 2, "0"))
    assert same_batches(array, on_demand)
    assert same_batches([b.paired for b in array if b.paired], [b.paired for b in on_demand if b.paired])


@dataclass
class Plain:
    """Standard training."""

    def setup(self, ctx: StrategyContext) -> None:
        self.ctx = ctx
        self.network = ctx.network()
        self.loss = ctx.loss(self.network)
        self.optimizer = ctx.optimizer(self.network, self.loss)

    def step(self, batch: Batch) -> Tensor:
        losses = self.loss(self.network(batch.images), batch.targets, batch.index)
        return self.ctx.minimise(self.optimizer, losses.mean())

    def predict(self, images: Tensor) -> Tensor:
        logits: Tensor = self.network(images)
        return logits


def test_images_on_demand_make_the_same_run() -> None:
    rows: list[list[dict[str, Any]]] = []
    weights: list[list[Tensor]] = []
    for on_demand in (False, True):
        data, strategy = training_data(120, on_demand=on_demand), Plain()
        rows.append(train(make_trainer(strategy, data, batch_size=16)))
        weights.append(list(strategy.network.state_dict().values()))
    assert len(rows[0]) == 2
    assert rows[0] == rows[1]
    assert same_tensors(*weights)


def test_images_on_demand_are_fetched_once_for_all_views() -> None:
    images, labels = squares(40)
    store = OnDemand(images)
    batches = batches_of(prepared(make_data(store, labels)))
    assert store.fetched == 0
    list(batches.iterate(Pass(views=("weak", "weak", "strong", "plain")), 1, "0"))
    assert store.fetched == 40


def array_of(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the images as a dataset may hold them that maps its file into memory: not to be written to."""
    images.setflags(write=False)
    return images


@pytest.mark.parametrize("wrap", [array_of, lambda images: OnDemand(array_of(images))], ids=["array", "on demand"])
def test_images_need_not_be_writable(wrap: Any) -> None:
    images, labels = squares(20)
    batches = batches_of(prepared(make_data(wrap(images), labels)), 8)
    assert sorted(positions(list(batches.iterate(Pass(), 1, "0")))) == list(range(20))
