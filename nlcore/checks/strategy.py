"""
What holds for strategies.

Each trains with the engine's own loop on a tiny problem: 97 images of four classes that are easy to tell apart, a fifth
of the labels wrong, a small network with dropout and batch normalisation, cross-entropy.
"""

from __future__ import annotations

import io
import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nlcore.checks.history import says_when_there_is_no_history
from nlcore.checks.replay import ReplayError, differences
from nlcore.checks.suite import NotApplicable
from nlcore.checks.two_processes import from_one_process
from nlcore.contracts import Batch, Pass, StrategyContext
from nlcore.testing.same import equal
from nlcore.testing.tiny_run import TinyRun
from nlcore.testing.toy import K, prepared
from nlcore.training.capture import may_be_captured


def learns_a_separable_problem(cls: type) -> None:
    """After twelve epochs at least 75 % of the test images are predicted right, where chance gives 25 %."""
    accuracy = TinyRun(cls(), epochs=12).train()[-1]["test_accuracy"]
    assert accuracy >= 0.75, (
        f"After twelve epochs {accuracy:.0%} of the toy's test images are predicted right. Do its steps minimise the "
        "loss (ctx.minimise) of the network that predict() asks?"
    )


def same_seed_gives_same_numbers(cls: type) -> None:
    """Trained twice it gives the same bits, whatever the global generators of Python and numpy did before."""
    runs = []
    state = np.random.get_state(), random.getstate()
    try:
        for seed in (1, 2):
            np.random.seed(seed)
            random.seed(seed)
            runs.append(TinyRun(cls(), epochs=2))
            runs[-1].train()
    finally:
        np.random.set_state(state[0])
        random.setstate(state[1])
    assert equal(*(run.trainer.state_dict() for run in runs)), (
        "Two runs of the same seed differ. Draw from ctx.generator(purpose, epoch) alone, in begin_epoch; keep nothing "
        "in the class or the module."
    )


def resumed_equals_straight(cls: type) -> None:
    """Stopped after any epoch and resumed from its saved state, a run ends with the same bits as without a stop."""
    straight, saved = TinyRun(cls(), epochs=3), []
    straight.train(lambda: saved.append(_through_a_file(straight.trainer.state_dict())))
    end = straight.trainer.state_dict()
    for done, state in enumerate(saved[:-1], start=1):
        resumed = TinyRun(cls(), epochs=3)
        resumed.trainer.load_state_dict(state)
        resumed.train(done=done)
        assert equal(resumed.trainer.state_dict(), end), (
            f"Resumed after epoch {done} it ends elsewhere. What it keeps from epoch to epoch must be in state_dict() "
            "and come back in load_state_dict(state); draws come from ctx.generator(purpose, epoch)."
        )


def epochs_may_leave_samples_out(cls: type) -> None:
    """It trains where epochs are of two batches (``--epoch-batches``), so that most samples are left out of each."""
    try:
        TinyRun(cls(), epochs=3, epoch_batches=2).train()
    except Exception as error:
        raise AssertionError(
            f"With --epoch-batches 2: {error} Size what an epoch draws by ctx.steps(), and keep what is known of "
            "samples that an epoch has not shown."
        ) from error


def says_when_it_chooses_samples(cls: type) -> None:
    """Where its passes name samples, ``chooses_samples`` says when: ``--sampling balanced`` does not balance these."""
    run = TinyRun(cls(), epochs=4)
    iterate, chosen = run.trainer.batches.iterate, list[bool]()

    def watched(of: Pass, *where: Any) -> Iterator[Batch]:
        chosen.append(of.indices is not None)
        return iterate(of, *where)

    run.trainer.batches.iterate = watched  # type: ignore[method-assign,assignment]
    run.train()
    assert hasattr(run.strategy, "chooses_samples") or not any(chosen), (
        "It chooses the samples of a pass itself (Pass(indices=...)) and does not say so: give it chooses_samples = "
        '"after its warm-up", or whenever it does.'
    )


def never_sees_clean_labels(cls: type) -> None:
    """With the same given labels and images and other true labels, training gives the same bits."""
    right = prepared()
    assert right.truth.train is not None
    others = prepared((right.truth.train + 1) % K)
    runs = [TinyRun(cls(), epochs=2, data=data) for data in (right, others)]
    for run in runs:
        run.train()
    assert equal(*(run.trainer.state_dict() for run in runs)), (
        "Training depends on the true labels. They are for the evaluator alone: use batch.targets and ctx.given_labels."
    )


def asks_for_nothing_but_the_contract(cls: type) -> None:
    """Of its context it uses what `nlcore.contracts.StrategyContext` lists and nothing else."""
    asked: list[str] = []
    TinyRun(cls(), epochs=1, wrap=lambda ctx: _Contract(ctx, asked)).train()
    assert not asked, f"It uses ctx.{asked[0]}, which is not in nlcore.contracts.StrategyContext and may change."


def step_returns_the_mean_loss(cls: type) -> None:
    """Every step returns a finite scalar tensor that is detached from the graph."""
    run, error = TinyRun(cls(), epochs=1), None
    try:
        run.train()
    except Exception as raised:  # what it returned may be the reason
        error = raised
    for loss in run.returned:
        assert isinstance(loss, Tensor), f"step returns {type(loss).__name__}, not a tensor: do not call .item()."
        assert loss.ndim == 0, f"step returns {tuple(loss.shape)}, not a scalar."
        assert not loss.requires_grad, "step returns a loss with its graph, which fills the memory: return it detached."
        assert loss.isfinite(), f"step returns {loss.item()}."
    assert run.returned, "passes(epoch) gave no batch."
    if error:
        raise error


def observes_before_it_asks(cls: type) -> None:
    """In a step, a loss is shown the network's predictions by ``observe`` before it is called."""
    run = TinyRun(cls(), epochs=2)
    run.train()
    within = False
    shown: set[int] = set()
    for loss, event in run.events:
        if event in ("begin", "end"):
            within, shown = event == "begin", set()
        elif event == "observe":
            shown.add(loss)
        elif within:
            assert loss in shown, (
                "A step calls a loss that it has not shown the network's predictions: call loss.observe(logits, index) "
                "first, once a step. Losses with a memory of each sample live from it."
            )


def predicts_logits(cls: type) -> None:
    """``predict`` gives finite logits (B, K) for B images, one too, and the same ones when it is asked again.

    It works from ``setup`` on: that is how a trained model is loaded.
    """
    run = TinyRun(cls(), epochs=1)
    images = torch.randn(5, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    with run.ctx.evaluating():
        for given in (images, images[:1]):
            logits = run.strategy.predict(given)
            good = logits.shape == (len(given), K) and logits.is_floating_point() and bool(logits.isfinite().all())
            assert good, (
                f"predict gives {logits.dtype} {tuple(logits.shape)} for {len(given)} images, not finite (B, {K})."
            )
            assert equal(logits, run.strategy.predict(given)), "predict gives something else when it is asked again."


def _opinion(cls: type, name: str) -> tuple[Tensor, int]:
    """Return what a strategy says of the samples, by the method of this name, after two epochs, and their number."""
    run = TinyRun(cls(), epochs=2)
    if not hasattr(run.strategy, name):
        raise NotApplicable(f"It has no {name}.")
    run.train()
    said: Tensor | None = getattr(run.strategy, name)()
    if said is None:
        raise NotApplicable("It has no opinion after two epochs; checked_with may name settings that get it there.")
    return said, run.ctx.num_samples


def clean_probability_is_one(cls: type) -> None:
    """``clean_probability`` gives a float within 0..1 for each training sample."""
    p, count = _opinion(cls, "clean_probability")
    assert p.shape == (count,), f"clean_probability gives {tuple(p.shape)}, not {(count,)}."
    good = p.is_floating_point() and bool(((p >= 0) & (p <= 1)).all())
    assert good, (
        f"clean_probability gives {p.dtype} from {p.min().item()} to {p.max().item()}, not a float within 0..1."
    )


def suggested_labels_are_labels(cls: type) -> None:
    """``suggested_labels`` gives a class, int64, for each training sample."""
    labels, count = _opinion(cls, "suggested_labels")
    good = labels.dtype == torch.int64 and labels.shape == (count,) and bool(((labels >= 0) & (labels < K)).all())
    assert good, (
        f"suggested_labels gives {labels.dtype} {tuple(labels.shape)}, not classes 0..{K - 1}, int64 {(count,)}."
    )


def a_loaded_model_predicts_what_was_measured(cls: type) -> None:
    """From the saved weights alone, a new instance predicts what the trained one does, bit for bit."""
    run = TinyRun(cls(), epochs=2)
    run.train()
    images = torch.randn(7, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    with run.ctx.evaluating():
        trained = run.strategy.predict(images)
    loaded = run.loaded(cls())
    with torch.no_grad():
        again = loaded.predict(images)
    assert equal(trained, again), (
        "A model that is loaded from its weights predicts something else. What predict() asks must come from "
        "ctx.network(), ctx.module(...) or ctx.teacher(...): only these are saved with the model."
    )


def captured_steps_do_the_same(cls: type) -> None:
    """Where it declares ``capturable``, steps that are captured once and replayed give the same bits."""
    if not may_be_captured(cls):
        raise NotApplicable("It does not declare capturable.")
    try:
        found = differences(lambda epochs: TinyRun(cls(), epochs))
    except ReplayError as error:
        found = str(error)
    assert not found, (
        f"Captured: {found}. Of a captured step only the operations on tensors are done again: draw in begin_epoch, "
        "into tensors that stay where they are (copy_), and let variant(epoch) tell where Python does something else."
    )


def two_processes_do_the_same(cls: type) -> None:
    """Two processes that share each batch train as one does, up to the order of sums."""
    difference = from_one_process(cls, None)
    assert not difference, (
        f"In two processes {difference}. All draws come from ctx.generator(purpose, epoch), gradients from "
        "ctx.minimise or ctx.gradients, and predictions from the networks themselves, called on whole batches."
    )


CHECKS = (
    learns_a_separable_problem,
    same_seed_gives_same_numbers,
    resumed_equals_straight,
    epochs_may_leave_samples_out,
    says_when_it_chooses_samples,
    says_when_there_is_no_history,
    never_sees_clean_labels,
    asks_for_nothing_but_the_contract,
    step_returns_the_mean_loss,
    observes_before_it_asks,
    predicts_logits,
    clean_probability_is_one,
    suggested_labels_are_labels,
    a_loaded_model_predicts_what_was_measured,
    captured_steps_do_the_same,
    two_processes_do_the_same,
)

#: A method with phases made short need not learn much.
WITH_DEFAULTS_ONLY = (learns_a_separable_problem,)


class _Contract:
    """A context that notes what is asked of it beyond the contract, and has none of it."""

    def __init__(self, ctx: Any, asked: list[str]) -> None:
        self.__dict__["_nlcore_checks"] = (ctx, asked)

    def __getattr__(self, name: str) -> Any:
        ctx, asked = self.__dict__["_nlcore_checks"]
        if name in StrategyContext.__annotations__ or name in vars(StrategyContext):
            return getattr(ctx, name)
        if not name.startswith("__"):
            asked.append(name)
        raise AttributeError(name)


def _through_a_file(state: dict[str, Any]) -> dict[str, Any]:
    """Return a state as it comes back from a checkpoint."""
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    try:
        loaded: dict[str, Any] = torch.load(file, weights_only=True)
    except Exception as error:
        raise AssertionError(f"state_dict() holds more than tensors and primitives: {error}") from error
    return loaded
