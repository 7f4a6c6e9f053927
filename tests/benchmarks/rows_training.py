"""Rows that compare training with training, on any device."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from benchmarks import bare_step as bare
from benchmarks import course_loop as course
from benchmarks import tuned_loop as tuned
from benchmarks.bench import Bench, Ours
from benchmarks.measure import Figure, Side, interleaved
from nlcore.data.stores import ArrayStore
from nlcore.training.build import build

COURSE_EPOCHS = 20


def course_loop(bench: Bench) -> Figure:
    """Return our speed over the course loop's."""
    ours, device = Ours(bench, bench.experiment()), bench.device
    network = course.make_network(bench.new_network(), device)
    loader = course.make_loader(course_images(bench), bench.batch_size)
    optimizer = course.make_optimizer(network)
    return _speed(bench, ours, "course loop", lambda: course.train_epoch(network, loader, optimizer, device))


def tuned_loop(bench: Bench) -> Figure:
    """Return our speed over the tuned loop's."""
    ours, device = Ours(bench, bench.experiment()), bench.device
    network = tuned.make_network(bench.new_network(), device)
    loader = tuned.make_loader(course_images(bench), bench.batch_size, device)
    optimizer = course.make_optimizer(network)
    return _speed(bench, ours, "tuned loop", lambda: tuned.train_epoch(network, loader, optimizer, device))


def bare_step(bench: Bench) -> Figure:
    """Return our speed over that of the bare step."""
    ours, device = Ours(bench, bench.experiment()), bench.device
    network = bare.make_network(bench.new_network(), device)
    batch, optimizer = bare.make_batch(bench.batch_size, device), bare.make_optimizer(network)
    bf16 = ours.trainer.hardware.precision == "bf16"
    return _speed(bench, ours, "bare step", lambda: bare.train_steps(network, batch, bench.sizes, optimizer, bf16))


def cost(name: str, plain: str, bench: Bench, **settings: Any) -> Figure:
    """Return the time of training with these settings over that of the default run; both names stand beside speeds."""
    ours, default = Ours(bench, bench.experiment(**settings)), Ours(bench, bench.experiment())
    images = sum(bench.sizes)
    sides = [Side(name, ours.train, images), Side(plain, default.train, images)]
    return interleaved(sides, bench.rounds, bench.device, bench.say).cost(name, plain)


def preset(name: str, bench: Bench) -> Figure:
    """
    Return the time of the course loop's 20 epochs over that of a whole run with a preset.

    Both are extrapolated from timed steps, the preset's from an epoch of each half of its run, as they may differ. Its
    evaluation after each epoch counts, the course loop's does not.
    """
    excerpt = replace(bench, batches=10 * bench.batches)
    ours = Ours(excerpt, bench.preset(name))
    epochs, images = ours.trainer.settings.epochs, len(bench.data.train)
    evaluator, halves = ours.trainer.evaluator, (max(epochs // 4, 1), epochs - epochs // 4)
    network = course.make_network(bench.new_network(), bench.device)
    loader = course.make_loader(course_images(bench), bench.batch_size)
    optimizer = course.make_optimizer(network)
    sides = [
        Side("course loop", lambda: course.train_epoch(network, loader, optimizer, bench.device), sum(bench.sizes)),
        Side(f"{name}, training", lambda: [ours.train_in(epoch) for epoch in halves], 2 * sum(excerpt.sizes)),
        Side(f"{name}, evaluation", evaluator.epoch, evaluator.images_per_epoch),
    ]
    times = interleaved(sides, bench.rounds, bench.device, bench.say)
    rounds = zip(*times.columns.values(), strict=True)
    return Figure(
        [
            COURSE_EPOCHS * images * theirs / (epochs * (images * training + evaluator.images_per_epoch * evaluation))
            for theirs, training, evaluation in rounds
        ],
        times.rates,
    )


def setup(bench: Bench) -> Figure:
    """Return the time of the slowest step of set-up over that of an epoch, from what the excerpt takes an image."""
    values = []
    for number in range(1, bench.rounds + 1):
        seconds: dict[str, float] = {}
        start = time.perf_counter()
        if bench.source.data_dir:  # drawing synthetic images is no part of a run
            bench.source.load()
            seconds["data"] = time.perf_counter() - start
        start = time.perf_counter()
        build(bench.experiment(threads="auto"), bench.data)
        seconds["networks and threads"] = time.perf_counter() - start
        ours = Ours(bench, bench.experiment())
        start = time.perf_counter()
        ours.train()
        first = time.perf_counter() - start
        start = time.perf_counter()
        ours.train()
        later = time.perf_counter() - start
        seconds["what the first steps take longer"] = first - later
        epoch = later / sum(bench.sizes) * len(bench.data.train)
        slowest = max(seconds, key=lambda step: seconds[step])
        values.append(seconds[slowest] / epoch)
        shown = ", ".join(f"{step} {value:.2f} s" for step, value in seconds.items())
        bench.say(f"  round {number} of {bench.rounds}: {shown}; an epoch {epoch:,.1f} s")
    return Figure(values)


def _speed(bench: Bench, ours: Ours, theirs: str, run: Callable[[], object]) -> Figure:
    images = sum(bench.sizes)
    sides = [Side("nlcore", ours.train, images), Side(theirs, run, images)]
    return interleaved(sides, bench.rounds, bench.device, bench.say).speed("nlcore", theirs)


def course_images(bench: Bench) -> course.NoisyCifar:
    """Return the images of one timing as the course loop's dataset."""
    train, positions = bench.data.train, bench.positions.numpy()
    assert isinstance(train.images, ArrayStore)
    transform = course.make_transform(bench.data.mean, bench.data.std)
    return course.NoisyCifar(train.images.images[positions], train.labels[positions], transform)
