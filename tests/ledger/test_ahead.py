"""What another core reads while the training computes: the same as if the training had waited."""

import copy
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW, Optimizer

from reference.ledger import ahead, hashing, parallel
from reference.ledger.ahead import READERS
from reference.ledger.record import Ledger
from tests.ledger.small import watch

STEPS = 6
LATE = 4  # the step from which on something happens


class Wide(nn.Module):
    """As large as is worth another core: 9 MB."""

    def __init__(self, before: Callable[[nn.Module], None] = lambda _: None) -> None:
        super().__init__()
        self.first = nn.Linear(1500, 1500)
        self.second = nn.Linear(1500, 2)
        self._in_forward = before

    def forward(self, x: Tensor) -> Tensor:
        self._in_forward(self)
        found: Tensor = self.second(torch.tanh(self.first(x)))
        return found


Between = Callable[[nn.Module, int], None]


def train(
    model: nn.Module,
    optimizer: Optimizer,
    *,
    before: Between = lambda *_: None,
    after: Between = lambda *_: None,
) -> None:
    """`before` the optimizer's step, `after` it."""
    for step in range(1, STEPS + 1):
        optimizer.zero_grad()
        model(torch.randn(5, 1500)).pow(2).sum().backward()
        before(model, step)
        optimizer.step()
        after(model, step)


def adamw(model: nn.Module, **options: Any) -> Optimizer:
    return AdamW(model.parameters(), 1e-3, **options)


def plain() -> None:
    model = Wide()
    train(model, adamw(model))


def fused() -> None:
    model = Wide()
    train(model, adamw(model, fused=True))


def clipped() -> None:
    def clip(model: nn.Module, _step: int) -> None:
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)

    model = Wide()
    train(model, SGD(model.parameters(), 0.1, momentum=0.9), before=clip)


def clamp(model: nn.Module, step: int = LATE) -> None:
    if step >= LATE:
        for parameter in model.parameters():
            parameter.data.clamp_(-0.01, 0.01)


def clamped_late() -> None:
    """Behind the back of torch's count of changes."""
    model = Wide()
    train(model, adamw(model), after=clamp)


def clamped_always() -> None:
    model = Wide()
    train(model, adamw(model), after=lambda model, _: clamp(model))


def averaged() -> None:
    """At one step the weights of an earlier one are put in."""
    model = Wide()
    average = copy.deepcopy(model.state_dict())

    def load(model: nn.Module, step: int) -> None:
        if step == LATE:
            model.load_state_dict(average)

    train(model, adamw(model), after=load)


def replaced() -> None:
    """A weight gets other memory, as `.to()` gives it."""

    def replace(model: nn.Module, step: int) -> None:
        if step == LATE:
            weight = next(model.parameters())
            weight.data = weight.data + 1

    model = Wide()
    train(model, adamw(model), after=replace)


def binary() -> None:
    """Other weights within each forward pass, and the trained ones put back for the step."""
    trained: list[Tensor] = []

    def binarize(model: nn.Module) -> None:
        trained[:] = [p.data for p in model.parameters()]
        for parameter in model.parameters():
            parameter.data = parameter.data.sign() / 100

    def restore(model: nn.Module, _step: int) -> None:
        for parameter, data in zip(model.parameters(), trained, strict=True):
            parameter.data = data

    model = Wide(binarize)
    train(model, adamw(model), before=restore)


def averaging() -> None:
    """Each forward pass moves another model's weights in place, behind torch's back."""

    def follow(model: nn.Module) -> None:
        for slow, fast in zip(target.parameters(), model.parameters(), strict=True):
            slow.data.mul_(0.9).add_(fast.data, alpha=0.1)

    model = Wide(follow)
    target = copy.deepcopy(model)
    target._in_forward = lambda _: None  # type: ignore[assignment]

    def distil(model: nn.Module, _step: int) -> None:
        target(torch.randn(5, 1500))

    train(model, adamw(model), after=distil)


def row_always() -> None:
    """A change that no sample of the weights shows."""

    def zero(model: nn.Module, _step: int) -> None:
        next(model.parameters()).data[700].zero_()

    model = Wide()
    train(model, adamw(model), after=zero)


def row_late() -> None:
    """The same, counted by torch."""

    def zero(model: nn.Module, step: int) -> None:
        if step == LATE:
            with torch.no_grad():
                next(model.parameters())[700].zero_()

    model = Wide()
    train(model, adamw(model), after=zero)


def scaled_by_torch() -> None:
    """As `GradScaler` tells a fused optimizer, which then divides its gradients in place."""
    model = Wide()
    optimizer: Any = adamw(model, fused=True)
    optimizer.grad_scale, optimizer.found_inf = torch.tensor(2.0), torch.tensor(0.0)
    train(model, optimizer)


def zeroed_by_a_hook() -> None:
    def zero(optimizer: Optimizer, *_: Any) -> None:
        optimizer.zero_grad(set_to_none=False)

    model = Wide()
    optimizer = adamw(model)
    optimizer.register_step_post_hook(zero)
    train(model, optimizer)


def hooked() -> None:
    """A hook on the optimizer changes the gradients after the ledger has begun to read them."""

    def halve(optimizer: Optimizer, *_: Any) -> None:
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                parameter.grad.data.mul_(0.5)

    model = Wide()
    optimizer = adamw(model)
    optimizer.register_step_pre_hook(halve)
    train(model, optimizer)


class Scaling(SGD):
    """Changes its gradients in place, as old ones do for their decay."""

    def step(self, closure: Any = None) -> Any:
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.grad.data.add_(parameter.data, alpha=0.1)
        return super().step(closure)


def scaled() -> None:
    model = Wide()
    train(model, Scaling(model.parameters(), 0.1))


def raised() -> None:
    """A forward pass fails, and the weights change before the next."""
    model = Wide()
    optimizer = adamw(model)
    train(model, optimizer)
    with pytest.raises(RuntimeError, match="shapes"):
        model(torch.randn(5, 3))
    clamp(model)
    train(model, optimizer)


TRAININGS = (
    plain,
    fused,
    clipped,
    clamped_late,
    clamped_always,
    averaged,
    replaced,
    binary,
    averaging,
    row_always,
    row_late,
    scaled_by_torch,
    zeroed_by_a_hook,
    hooked,
    scaled,
    raised,
)


@pytest.fixture(autouse=True)
def two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "cores", lambda: 2)


@pytest.fixture
def slow_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other core is so late that it sees what the training does after it was asked to read."""

    def late(work: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def by_the_other(item: Any) -> Any:
            if threading.current_thread().name.startswith("ledger"):
                time.sleep(0.02)
            return work(item)

        return by_the_other

    monkeypatch.setattr(parallel, "digest", late(parallel.digest))
    monkeypatch.setattr(hashing, "_hash_and_square", late(hashing._hash_and_square))


def kept(training: Callable[[], None], free: bool, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    monkeypatch.setattr(ahead, "has_free_core", lambda: free)
    return watch(training)


@pytest.mark.usefixtures("slow_other")
@pytest.mark.parametrize("training", TRAININGS, ids=lambda t: t.__name__)
def test_a_ledger_is_the_same_with_a_free_core_and_without(
    training: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    read_ahead, waited = (kept(training, free, monkeypatch).steps for free in (True, False))
    assert read_ahead == waited
    assert len(waited) >= STEPS
    assert not any("unseen" in step for step in waited)


def test_the_training_does_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other core goes on here only when the training does: waiting for it would take for ever.

    The gradients in every step, the weights from the third pass on.
    """
    held = expected = False
    running, read = threading.Event(), threading.Event()
    seen = []

    def holding(work: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def by_the_other(item: Any) -> Any:
            nonlocal held
            if held and threading.current_thread().name.startswith("ledger"):
                held = False
                assert running.wait(timeout=10)
                read.set()
            return work(item)

        return by_the_other

    def hold(_model: nn.Module, _step: int) -> None:
        nonlocal held, expected
        held = expected = True

    def runs(what: str) -> None:
        nonlocal expected
        if expected:
            running.set()
            seen.append((what, read.wait(timeout=10)))
        expected = False
        running.clear()
        read.clear()

    def sgd(*args: Any, **options: Any) -> None:
        runs("step")
        functional(*args, **options)

    module = sys.modules["torch.optim.sgd"]
    functional = module.sgd
    monkeypatch.setattr(module, "sgd", sgd)
    monkeypatch.setattr(parallel, "digest", holding(parallel.digest))
    monkeypatch.setattr(hashing, "_hash_and_square", holding(hashing._hash_and_square))
    model = Wide(lambda _: runs("pass"))

    def hold_late(model: nn.Module, step: int) -> None:
        if 1 < step < STEPS:
            hold(model, step)

    def training() -> None:
        train(model, SGD(model.parameters(), 0.1), before=hold, after=hold_late)

    ledger = kept(training, True, monkeypatch)
    assert len(ledger.steps) == STEPS
    assert not any("unseen" in step for step in ledger.steps)
    assert seen == [("step", True)] * 2 + [("pass", True), ("step", True)] * (STEPS - 2)


def test_weights_changed_by_the_pass_that_reads_them_are_no_record(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Once: from then on the training waits, and what was there before the pass is known."""
    passes = []
    held, changed = False, threading.Event()

    def change(model: nn.Module) -> None:
        passes.append(model)
        if len(passes) >= LATE:
            clamp(model)
            changed.set()

    def hold(_model: nn.Module, step: int) -> None:
        nonlocal held
        held = step == LATE - 1

    def changing() -> None:
        passes.clear()
        model = Wide(change)
        train(model, adamw(model), after=hold)

    digest = parallel.digest

    def slow(buffer: memoryview) -> str:
        if held and threading.current_thread().name.startswith("ledger"):
            assert changed.wait(timeout=10)
        return digest(buffer)

    waited = kept(changing, False, monkeypatch).steps
    changed.clear()
    monkeypatch.setattr(parallel, "digest", slow)
    steps = kept(changing, True, monkeypatch).steps
    assert "changed in part" in steps[LATE - 1]["unseen"]
    for place in set(range(STEPS)) - {LATE - 1}:
        assert steps[place] == waited[place]


OPTIONS: dict[Callable[..., Optimizer], list[dict[str, Any]]] = {
    Adam: [{}, {"weight_decay": 0.1, "amsgrad": True}, {"weight_decay": 0.1, "maximize": True}],
    AdamW: [{}, {"weight_decay": 0.1, "amsgrad": True}, {"weight_decay": 0.1, "maximize": True}],
    SGD: [
        {},
        {"weight_decay": 0.1, "momentum": 0.9, "nesterov": True},
        {"weight_decay": 0.1, "momentum": 0.9, "dampening": 0.1, "maximize": True},
    ],
}


def test_gradients_changed_within_the_step_end_the_ledger(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As no release of torch does it."""

    def sgd(params: list[Tensor], gradients: list[Tensor], *args: Any, **options: Any) -> None:
        for gradient in gradients:
            gradient.mul_(2)
        functional(params, gradients, *args, **options)

    module = sys.modules["torch.optim.sgd"]
    functional = module.sgd
    monkeypatch.setattr(module, "sgd", sgd)
    model = Wide()
    ledger = kept(lambda: train(model, SGD(model.parameters(), 0.1)), True, monkeypatch)
    assert not ledger.steps
    assert "gradients were changed within the optimizer's step" in capsys.readouterr().err


@pytest.mark.parametrize("how", [{}, {"foreach": True}, {"fused": True}], ids=str)
@pytest.mark.parametrize("kind", READERS)
def test_optimizers_that_are_trusted_write_no_gradient(
    kind: Callable[..., Optimizer], how: dict[str, bool]
) -> None:
    for options in OPTIONS[kind]:
        model = nn.Linear(9, 9)
        optimizer = kind(model.parameters(), lr=0.1, **options, **how)
        for _ in range(3):
            optimizer.zero_grad()
            model(torch.randn(4, 9)).pow(2).sum().backward()
            gradients = [p.grad for p in model.parameters() if p.grad is not None]
            before = [(gradient.clone(), gradient._version) for gradient in gradients]
            optimizer.step()
            for gradient, (values, version) in zip(gradients, before, strict=True):
                assert torch.equal(gradient, values)
                assert gradient._version == version
