"""Gradients that another core reads during the step: the same as if the training had waited."""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW, Optimizer
from torch.optim.optimizer import (
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)

from reference.ledger.reader import Ledger
from reference.observe import torch_internals
from reference.observe.tensors import hashing, overlapped_gradients, two_threads
from reference.observe.tensors.overlapped_gradients import READERS
from reference.observe.tensors.parameters import Parameters
from tests.helpers.small import watch

STEPS = 3


def wide() -> nn.Module:
    """As large as is worth another core: 9 MB."""
    return nn.Sequential(nn.Linear(1500, 1500), nn.Tanh(), nn.Linear(1500, 2))


def train(
    model: nn.Module, optimizer: Optimizer, before: Callable[[nn.Module], None] = lambda _: None
) -> None:
    """`before` the optimizer's step."""
    for _ in range(STEPS):
        optimizer.zero_grad()
        model(torch.randn(5, 1500)).pow(2).sum().backward()
        before(model)
        optimizer.step()


def with_optimizer(kind: Callable[..., Optimizer], **options: Any) -> Callable[[], None]:
    def training() -> None:
        model = wide()
        train(model, kind(model.parameters(), lr=0.01, **options))

    return training


def clipped() -> None:
    def clip(model: nn.Module) -> None:
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)

    model = wide()
    train(model, SGD(model.parameters(), 0.1, momentum=0.9), clip)


def halve(optimizer: Optimizer, *_: Any) -> None:
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            parameter.grad.data.mul_(0.5)  # not counted by torch


def with_own_hook(when: str) -> Callable[[], None]:
    def training() -> None:
        model = wide()
        optimizer = AdamW(model.parameters())
        getattr(optimizer, f"register_step_{when}_hook")(halve)
        train(model, optimizer)

    return training


def with_global_hook(register: Callable[[Any], Any]) -> Callable[[], None]:
    def training() -> None:
        model = wide()
        handle = register(halve)
        try:
            train(model, AdamW(model.parameters()))
        finally:
            handle.remove()

    return training


class Scaling(SGD):
    """Changes its gradients in place, as old ones do for their decay."""

    def step(self, closure: Any = None) -> Any:
        halve(self)
        return super().step(closure)


@contextmanager
def patched_step() -> Iterator[None]:
    torchs: Any = AdamW.step

    def step(self: Any, closure: Any = None) -> Any:
        halve(self)
        return torchs(self, closure)

    step.__wrapped__ = torchs  # type: ignore[attr-defined]  # as `functools.wraps` does
    AdamW.step = step  # type: ignore[method-assign]
    try:
        yield
    finally:
        AdamW.step = torchs  # type: ignore[method-assign]


def patched() -> None:
    model = wide()
    with patched_step():
        train(model, AdamW(model.parameters()))


def scaled_by_torch() -> None:
    """As `GradScaler` tells a fused optimizer, which then divides its gradients in place."""
    model = wide()
    optimizer: Any = AdamW(model.parameters(), fused=True)
    optimizer.grad_scale, optimizer.found_inf = torch.tensor(2.0), torch.tensor(0.0)
    train(model, optimizer)


def of_the_weights() -> None:
    """Gradients in the weights' own memory, which the step changes."""

    def alias(model: nn.Module) -> None:
        for parameter in model.parameters():
            parameter.grad = parameter.data

    model = wide()
    train(model, SGD(model.parameters(), 0.1), alias)


def raised() -> None:
    """A step fails, and the gradients change before the next."""
    model = wide()
    optimizer = SGD(model.parameters(), 0.1)
    optimizer.param_groups[0]["momentum"] = "much"
    with pytest.raises(TypeError):
        train(model, optimizer)
    halve(optimizer)
    optimizer.param_groups[0]["momentum"] = 0.0
    optimizer.step()
    train(model, optimizer)


# Each with whether another core may read.
TRAININGS: dict[str, tuple[Callable[[], None], bool]] = {
    "adam": (with_optimizer(Adam), True),
    "adamw": (with_optimizer(AdamW), True),
    "adamw fused": (with_optimizer(AdamW, fused=True), True),
    "clipped": (clipped, True),
    "a step that raised": (raised, True),
    "nesterov": (with_optimizer(SGD, momentum=0.9, nesterov=True, foreach=True), False),
    "a decay that is a tensor": (with_optimizer(SGD, weight_decay=torch.tensor(0.1)), False),
    "another optimizer": (with_optimizer(torch.optim.RMSprop), False),
    "a hook before its step": (with_own_hook("pre"), False),
    "a hook after its step": (with_own_hook("post"), False),
    "a hook before any step": (with_global_hook(register_optimizer_step_pre_hook), False),
    "a hook after any step": (with_global_hook(register_optimizer_step_post_hook), False),
    "a subclass": (with_optimizer(Scaling), False),
    "a patched step": (patched, False),
    "scaled by torch": (scaled_by_torch, False),
    "of the weights' memory": (of_the_weights, False),
}


@pytest.fixture(autouse=True)
def two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(two_threads, "usable_cores", lambda: 2)


@pytest.fixture
def slow_other(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The other core is so late that it sees what the training does after it was asked to read.

    It begins when somebody waits for it, and not before.
    """
    awaited = threading.Event()

    def late(item: Any) -> Any:
        if threading.current_thread().name.startswith("ledger"):
            assert awaited.wait(timeout=600)
        return work(item)

    def results_at_last(self: Any) -> Any:
        awaited.set()
        try:
            return results(self)
        finally:
            awaited.clear()

    work, results = hashing._hash_and_square, two_threads.SharedWork.results
    monkeypatch.setattr(hashing, "_hash_and_square", late)
    monkeypatch.setattr(two_threads.SharedWork, "results", results_at_last)
    yield
    awaited.set()  # a read that nobody waited for


def kept(training: Callable[[], None], free: bool, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    monkeypatch.setattr(overlapped_gradients, "_has_free_core", lambda: free)
    return watch(training)


@pytest.mark.usefixtures("slow_other")
@pytest.mark.parametrize("name", TRAININGS)
def test_a_ledger_is_the_same_with_a_free_core_and_without(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    training, may_read = TRAININGS[name]
    running: list[bool] = []  # whether something is read in a step, at each of its ends
    begin, gradients = Parameters.begin_gradients, Parameters.gradients
    waits = [False]

    def waiting(self: Parameters) -> Any:
        waits[0] = True
        try:
            return gradients(self)
        finally:
            waits[0] = False

    def beginning(self: Parameters) -> Any:
        running.append(not waits[0])
        return begin(self)

    monkeypatch.setattr(Parameters, "gradients", waiting)
    monkeypatch.setattr(Parameters, "begin_gradients", beginning)
    read_ahead = kept(training, True, monkeypatch).steps
    assert any(running) is may_read
    waited = kept(training, False, monkeypatch).steps
    assert read_ahead == waited
    assert len(waited) >= STEPS
    assert not any("unseen" in step for step in waited)


def test_the_training_does_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other core goes on here only when the step does: waiting for it would take for ever."""
    held = False
    running, read = threading.Event(), threading.Event()
    seen = []

    def by_the_other(item: Any) -> Any:
        nonlocal held
        if held and threading.current_thread().name.startswith("ledger"):
            held = False
            assert running.wait(timeout=600)
            read.set()
        return work(item)

    def hold(_model: nn.Module) -> None:
        nonlocal held
        held = True

    def sgd(*args: Any, **options: Any) -> None:
        running.set()
        seen.append(read.wait(timeout=600))
        running.clear()
        read.clear()
        functional(*args, **options)

    module, work = sys.modules["torch.optim.sgd"], hashing._hash_and_square
    functional = module.sgd
    monkeypatch.setattr(module, "sgd", sgd)
    monkeypatch.setattr(hashing, "_hash_and_square", by_the_other)
    model = wide()
    ledger = kept(lambda: train(model, SGD(model.parameters(), 0.1), hold), True, monkeypatch)
    assert len(ledger.steps) == STEPS
    assert seen == [True] * STEPS


def test_gradients_changed_within_the_step_are_no_record(monkeypatch: pytest.MonkeyPatch) -> None:
    """As torch does it with no option that is let through."""

    def sgd(params: list[Tensor], gradients: list[Tensor], *args: Any, **options: Any) -> None:
        for gradient in gradients:
            gradient.mul_(2)
        functional(params, gradients, *args, **options)

    module = sys.modules["torch.optim.sgd"]
    functional = module.sgd
    monkeypatch.setattr(module, "sgd", sgd)
    ledger = kept(with_optimizer(SGD), True, monkeypatch)
    assert len(ledger.steps) == STEPS
    for step in ledger.steps:
        assert "changed gradients" in step["unseen"]
        assert "clip" not in step


def test_what_only_has_a_name_like_torchs_is_not_torchs() -> None:
    named: dict[str, Any] = {}
    beside = f"{Path(torch.__file__).parent}_optimizer/adamw.py"
    exec(compile("def step(self): ...", beside, "exec"), named)
    assert not overlapped_gradients._is_torchs(named["step"])
    assert overlapped_gradients._is_torchs(AdamW.step)


@pytest.mark.parametrize(
    ("threads", "together", "free"), [(1, False, True), (2, False, False), (1, True, False)]
)
def test_a_core_is_free_where_one_process_trains_on_fewer(
    threads: int, together: bool, free: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overlapped_gradients, "usable_cores", lambda: 2)
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    distributed = SimpleNamespace(is_available=lambda: True, is_initialized=lambda: together)
    monkeypatch.setattr(torch, "distributed", distributed)
    assert overlapped_gradients._has_free_core() is free


def options_of(kind: Callable[..., Optimizer]) -> Iterator[dict[str, Any]]:
    """Each of what a group may have, with each of the others."""
    own: dict[str, tuple[Any, ...]] = {"amsgrad": (False, True)}
    if kind is SGD:
        own = {"momentum": (0.0, 0.9), "dampening": (0.0, 0.1), "nesterov": (False, True)}
    choices = {"weight_decay": (0.0, 0.1), "maximize": (False, True), **own}
    for how in ("fused", "foreach", None):
        for values in product(*choices.values()):
            options = dict(zip(choices, values, strict=True))
            if options.get("nesterov") and (options["dampening"] or not options["momentum"]):
                continue  # torch refuses it
            yield {**options, **({how: True} if how else {})}


@pytest.mark.parametrize("kind", READERS)
def test_steps_that_are_let_through_write_no_gradient(
    kind: Callable[..., Optimizer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch_internals, "global_step_hooks", lambda: 1)
    assert not overlapped_gradients._only_reads(kind([torch.zeros(1)], lr=0.1, differentiable=True))
    let_through = 0
    for options in options_of(kind):
        model = nn.Linear(9, 9)
        optimizer = kind(model.parameters(), lr=0.1, **options)
        if not overlapped_gradients._only_reads(optimizer):
            continue
        let_through += 1
        for _ in range(3):
            optimizer.zero_grad()
            model(torch.randn(4, 9)).pow(2).sum().backward()
            gradients = [p.grad for p in model.parameters() if p.grad is not None]
            before = [(gradient.clone(), gradient._version) for gradient in gradients]
            optimizer.step()
            for gradient, (values, version) in zip(gradients, before, strict=True):
                assert torch.equal(gradient, values)
                assert gradient._version == version
    assert let_through >= 24
