"""The alternatives do the same training as nlcore, so that only how it is done is compared."""

from __future__ import annotations

from typing import Any

import pytest
import scipy.stats
import torch
from nlcore_builtins.augmentations.crop_flip import CropFlip
from PIL import Image
from torch import Tensor, nn

from benchmarks import bare_step, course_loop, tuned_loop
from benchmarks.bench import Bench, Ours, Source
from benchmarks.command import FULL
from benchmarks.rows_training import course_images
from nlcore.config.experiment import resolve
from nlcore.contracts import Batch, Pass
from nlcore.data.views import Normalise

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def bench() -> Bench:
    source = Source(None, images=64)
    return Bench(source, source.load(), CPU, width=4, batch_size=16, batches=2, rounds=1, threads=1, say=print)


def one_batch(ours: Ours) -> Batch:
    return next(iter(ours.trainer.batches.iterate(Pass(indices=torch.arange(16)), 1, "test")))


def same_network(bench: Bench, ours: Ours) -> nn.Module:
    """Return a network of its own with the weights that ours has now."""
    network = bench.new_network()
    lacking = network.load_state_dict(ours.trainer.ctx.networks["network1"].state_dict(), strict=False)
    assert not lacking.unexpected_keys
    assert {key.rpartition(".")[2] for key in lacking.missing_keys} == {"num_batches_tracked"}  # which ours do without
    return network


def weights(network: nn.Module) -> Tensor:
    values = (value for key, value in network.state_dict().items() if not key.endswith("num_batches_tracked"))
    return torch.cat([value.detach().double().flatten() for value in values])


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_bare_step_is_our_step(bench: Bench, precision: str) -> None:
    ours = Ours(bench, bench.experiment(precision=precision))
    batch, network = one_batch(ours), bare_step.make_network(same_network(bench, ours), CPU)
    optimizer = bare_step.make_optimizer(network)
    for _ in range(2):  # the second one with momentum
        loss = bare_step.train_steps(network, (batch.images, batch.targets), [16], optimizer, precision == "bf16")
        assert loss == pytest.approx(ours.trainer.strategy.step(batch).item(), rel=1e-5)
    torch.testing.assert_close(weights(network), weights(ours.trainer.ctx.networks["network1"]), atol=1e-4, rtol=1e-3)


def test_the_bare_step_takes_batches_of_our_sizes(bench: Bench) -> None:
    network = bare_step.make_network(bench.new_network(), CPU)
    seen: list[int] = []
    network.register_forward_pre_hook(lambda _, given: seen.append(len(given[0])))
    batch = bare_step.make_batch(bench.batch_size, CPU)
    bare_step.train_steps(network, batch, bench.sizes, bare_step.make_optimizer(network), bf16=False)
    assert seen == bench.sizes == [16, 16, 4]


def test_a_step_of_the_course_loop_is_our_step(bench: Bench) -> None:
    """From He's start: after torch's, whose weights are shorter, the rounding of another memory layout weighs more."""
    ours = Ours(bench, bench.experiment(precision="fp32", **{"architecture.init": "he"}))
    batch, network = one_batch(ours), course_loop.make_network(same_network(bench, ours), CPU)
    optimizer = course_loop.make_optimizer(network)
    for _ in range(2):
        loss, _ = course_loop.train_epoch(network, [(batch.images.contiguous(), batch.targets)], optimizer, CPU)
        assert loss == pytest.approx(ours.trainer.strategy.step(batch).item(), rel=1e-4)
    torch.testing.assert_close(weights(network), weights(ours.trainer.ctx.networks["network1"]), atol=1e-4, rtol=1e-3)


def test_a_step_of_the_tuned_loop_is_our_step(bench: Bench) -> None:
    ours = Ours(bench, bench.experiment(precision="bf16"))
    batch, network = one_batch(ours), tuned_loop.make_network(same_network(bench, ours), CPU)
    optimizer = course_loop.make_optimizer(network)
    loss, _ = tuned_loop.train_epoch(network, [(batch.images.contiguous(), batch.targets)], optimizer, CPU)
    assert loss == pytest.approx(ours.trainer.strategy.step(batch).item(), rel=1e-4)
    torch.testing.assert_close(weights(network), weights(ours.trainer.ctx.networks["network1"]), atol=1e-4, rtol=1e-3)


def test_loss_and_accuracy_are_means_over_images(bench: Bench) -> None:
    random = torch.Generator().manual_seed(1)
    batches = [(torch.randn(size, 3, generator=random), torch.arange(size) % 3) for size in (4, 2)]
    network = nn.Linear(3, 3)
    still = torch.optim.SGD(network.parameters(), lr=0.0)
    images, labels = (torch.cat(column) for column in zip(*batches, strict=True))
    with torch.no_grad():
        logits = network(images).double()
    losses = logits.logsumexp(1) - logits[torch.arange(6), labels]
    loss, accuracy = course_loop.train_epoch(network, batches, still, CPU)
    assert loss == pytest.approx(losses.mean().item(), rel=1e-5)
    assert accuracy == pytest.approx((logits.argmax(1) == labels).double().mean().item())


@pytest.mark.parametrize("make", [course_loop.make_optimizer, bare_step.make_optimizer])
def test_they_have_our_optimiser(make: object) -> None:
    assert callable(make)
    (group,) = make(nn.Linear(2, 2)).param_groups
    ours = resolve()["optimizer"]
    assert ours.name == "sgd"
    assert {name: group[name] for name in ours.params} == ours.params


class Noted:
    """A strategy that notes which images its steps take; all else is its own."""

    def __init__(self, strategy: Any, seen: list[Tensor]) -> None:
        self._strategy = strategy
        self._seen = seen

    def __getattr__(self, name: str) -> Any:
        return getattr(self._strategy, name)

    def step(self, batch: Batch) -> Tensor:
        self._seen.append(batch.index)
        loss: Tensor = self._strategy.step(batch)
        return loss


def test_all_sides_take_the_same_images_in_batches_of_the_same_sizes(bench: Bench) -> None:
    ours = Ours(bench, bench.experiment())
    seen: list[Tensor] = []
    ours.trainer.strategy = Noted(ours.trainer.strategy, seen)
    ours.train()
    assert [len(index) for index in seen] == bench.sizes
    assert torch.equal(torch.cat(seen).sort().values, bench.positions.sort().values)

    dataset = course_images(bench)
    labels = bench.data.train.labels[bench.positions.numpy()]
    assert (dataset.labels == labels).all()
    assert dataset.images.tobytes() == bench.data.train.images.fetch(bench.positions.numpy()).tobytes()
    loader = course_loop.make_loader(dataset, bench.batch_size)
    drawn = [targets for _, targets in loader]
    assert [len(targets) for targets in drawn] == bench.sizes
    assert sorted(torch.cat(drawn).tolist()) == sorted(labels.tolist())


def test_the_tuned_loader_gives_the_same_batches(bench: Bench) -> None:
    loader = tuned_loop.make_loader(course_images(bench), bench.batch_size, CPU)
    drawn = [(images.shape, targets) for images, targets in loader]
    assert [shape for shape, _ in drawn] == [(size, 3, 32, 32) for size in bench.sizes]
    labels = bench.data.train.labels[bench.positions.numpy()]
    assert sorted(torch.cat([targets for _, targets in drawn]).tolist()) == sorted(labels.tolist())


@pytest.mark.slow
def test_the_course_loop_has_our_law_of_augmentation(bench: Bench) -> None:
    """Each of its images is one of our 2·9·9 crops, and all of them are drawn equally often."""
    image = bench.data.train.images.fetch(bench.positions[:1].numpy())
    cells = torch.cartesian_prod(torch.arange(9), torch.arange(9), torch.arange(2))
    (law,), (dy, dx, flip) = bench.experiment()["augmentation"].create_all(), cells.unbind(1)
    assert law == CropFlip(padding=4, flip=True)
    images = torch.from_numpy(image).permute(0, 3, 1, 2).expand(162, -1, -1, -1)
    crops = law.apply(images, {"dy": dy, "dx": dx, "flip": flip})
    ours = Normalise(bench.data.mean, bench.data.std, CPU)(crops)
    cell = {crop.contiguous().numpy().tobytes(): number for number, crop in enumerate(crops)}
    assert len(cell) == 162

    transform = course_loop.make_transform(bench.data.mean, bench.data.std)
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (bench.data.mean, bench.data.std))
    torch.manual_seed(1)
    picture, counts = Image.fromarray(image[0]), torch.zeros(162)
    for _ in range(162 * 20):
        drawn = transform(picture)
        number = cell[((drawn * std + mean) * 255).round().to(torch.uint8).numpy().tobytes()]
        torch.testing.assert_close(ours[number], drawn, atol=1e-6, rtol=0)
        counts[number] += 1
    assert scipy.stats.chisquare(counts.numpy()).pvalue > 1e-3


def test_the_full_benchmark_is_the_default_run() -> None:
    source = Source(None, images=64)
    bench = Bench(source, source.load(), CPU, FULL.width, FULL.batch_size, FULL.cpu_batches, FULL.rounds, 1, print)
    assert bench.experiment(threads="auto", device="auto").config() == resolve().config()
    assert FULL.rounds >= 5
