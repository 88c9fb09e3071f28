"""Runs that differ where it is easy to look away, and runs that only look as if they differed."""

import gc
import socket
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim import SGD, Adam
from torch.utils.checkpoint import checkpoint

from reference.ledger.diff import diff
from reference.ledger.hashing import hash_tensors
from reference.ledger.observe import Observer
from reference.ledger.record import Ledger, Memory, Record


def watch(train: Callable[..., Any], *given: Any) -> Ledger:
    torch.manual_seed(0)
    memory = Memory({})
    with Observer(memory):
        train(*given)
    return memory.ledger


def net() -> nn.Sequential:
    return nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 2))


def train(model: nn.Module, steps: int = 3) -> None:
    optimizer = SGD(model.parameters(), 0.1)
    for _ in range(steps):
        optimizer.zero_grad()
        model(torch.randn(5, 4)).pow(2).sum().backward()
        optimizer.step()


class Normed(nn.Module):
    """A wrapper with state of its own, named as its inner model's."""

    def __init__(self, inner: nn.Module, momentum: float) -> None:
        super().__init__()
        self.inner = inner
        self.norm = nn.BatchNorm1d(2, affine=False, momentum=momentum)

    def forward(self, x: Tensor) -> Tensor:
        normed: Tensor = self.norm(self.inner(x))
        return normed


@pytest.mark.parametrize("looked_at", [False, True], ids=["wrapped", "inner model seen first"])
def test_a_wrappers_own_buffers_are_compared(looked_at: bool) -> None:
    def wrapped(momentum: float) -> None:
        inner = nn.Sequential(nn.Linear(4, 2))
        inner.add_module("norm", nn.BatchNorm1d(2, affine=False))
        model = Normed(inner, momentum)
        if looked_at:
            inner(torch.zeros(2, 4))
        train(model)

    assert diff(watch(wrapped, 0.1), watch(wrapped, 0.1)).verdict == "identical"
    verdict = diff(watch(wrapped, 0.1), watch(wrapped, 0.5))
    assert (verdict.verdict, verdict.step, verdict.link) == ("diverged", 1, "update")
    assert "buffers" in verdict.detail


@pytest.mark.parametrize("change", ["more batches", "reset"])
def test_buffers_that_change_after_the_last_step(change: str) -> None:
    def normed(changes: bool) -> None:
        model = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3))
        train(model)
        if changes and change == "reset":
            model[1].reset_running_stats()  # type: ignore[operator]
        elif changes:
            with torch.no_grad():
                model(torch.randn(50, 4))

    assert diff(watch(normed, False), watch(normed, False)).verdict == "identical"
    verdict = diff(watch(normed, False), watch(normed, True))
    assert (verdict.verdict, verdict.step, verdict.link) == ("diverged", 3, "update")
    assert verdict.detail.startswith("buffers changed after the last step: ")


def test_an_evaluation_that_cant_be_recorded_is_not_equal() -> None:
    def evaluated(seed: int) -> None:
        model = net()
        train(model)
        torch.manual_seed(seed)
        with torch.no_grad():
            model(torch.randn(3, 4))
            torch.vmap(model)(torch.randn(3, 4))

    verdict = diff(watch(evaluated, 0), watch(evaluated, 1))
    assert verdict.verdict == "incomparable"
    assert any("not compared: metrics" in note for note in verdict.notes)
    assert any("the evaluation after step 3 of the first ledger" in n for n in verdict.notes)


def test_what_a_models_own_hook_gives_is_what_it_predicts() -> None:
    def evaluated(factor: float) -> None:
        model = net()
        train(model)
        model.register_forward_hook(lambda _m, _a, output: output * factor)
        with torch.no_grad():
            model(torch.ones(3, 4))

    assert diff(watch(evaluated, 1.0), watch(evaluated, 1.0)).verdict == "identical"
    verdict = diff(watch(evaluated, 1.0), watch(evaluated, -1.0))
    assert (verdict.verdict, verdict.link) == ("diverged", "metrics")


def test_an_own_hook_that_raises_leaves_the_next_pass_whole() -> None:
    def raising() -> None:
        model = net()
        calls = []

        def hook(_module: nn.Module, _args: Any, output: Tensor) -> Tensor:
            calls.append(0)
            if len(calls) == 2:
                raise ValueError("own")
            return output

        model.register_forward_hook(hook)
        train(model, 1)
        with pytest.raises(ValueError, match="own"):
            model(torch.zeros(1, 4))
        train(model, 1)
        assert len(model._forward_hooks) == 1  # and none of ours

    first, second = watch(raising).steps
    assert len(first["batch"]) == len(second["batch"]) == 1


@dataclass(slots=True)
class Slotted:
    logits: Tensor


class InSlots(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = net()

    def forward(self, x: Tensor) -> Slotted:
        return Slotted(self.inner(x))


def test_an_output_in_slots_is_seen() -> None:
    def evaluating(evaluates: bool) -> None:
        model = InSlots()
        optimizer = SGD(model.parameters(), 0.1)
        for _ in range(3):
            optimizer.zero_grad()
            model(torch.randn(5, 4)).logits.sum().backward()
            optimizer.step()
            if evaluates:
                model.eval()(torch.ones(2, 4))
                model.train()

    plain, with_evaluations = watch(evaluating, False), watch(evaluating, True)
    assert "logits" in plain.steps[0]["forward"][0]
    assert diff(plain, with_evaluations).verdict == "identical"


def test_an_optimizer_made_anew_at_each_step_is_the_same_one() -> None:
    def remade(again: bool) -> None:
        model = net()
        optimizer = SGD(model.parameters(), 0.1)
        for _ in range(3):
            optimizer = SGD(model.parameters(), 0.1) if again else optimizer
            optimizer.zero_grad()
            model(torch.randn(5, 4)).sum().backward()
            optimizer.step()

    assert diff(watch(remade, False), watch(remade, True)).verdict == "identical"


def test_one_that_loses_its_momentum_is_not() -> None:
    def remade(again: bool) -> None:
        model = net()
        optimizer = SGD(model.parameters(), 0.1, momentum=0.9)
        for _ in range(3):
            optimizer = SGD(model.parameters(), 0.1, momentum=0.9) if again else optimizer
            optimizer.zero_grad()
            model(torch.randn(5, 4)).sum().backward()
            optimizer.step()

    verdict = diff(watch(remade, False), watch(remade, True))
    assert (verdict.verdict, verdict.step, verdict.link) == ("diverged", 2, "update")


def test_a_step_that_raised_keeps_nothing_alive() -> None:
    def failing() -> None:
        model = net()
        optimizer = torch.optim.LBFGS(model.parameters())
        model(torch.ones(1, 4)).sum().backward()

        def once() -> weakref.ref[Tensor]:
            large = torch.zeros(1000)

            def closure() -> float:
                raise ValueError("own")

            with pytest.raises(ValueError, match="own"):
                optimizer.step(closure)
            return weakref.ref(large)

        reference = once()
        gc.collect()
        assert reference() is None

    watch(failing)


def test_steps_on_bare_tensors_are_written_as_they_go() -> None:
    written: list[Record] = []

    class Sink(Memory):
        def write(self, record: Record) -> None:
            written.append(record)

    weights = torch.ones(3, requires_grad=True)
    optimizer = Adam([weights])
    with Observer(Sink({})):
        for number in range(5):
            optimizer.zero_grad()
            weights.pow(2).sum().backward()
            optimizer.step()
            assert len(written) == number


def test_a_whole_model_under_reentrant_checkpointing_is_no_evaluation() -> None:
    def checkpointed() -> None:
        model = net()
        train(model, 1)
        optimizer = SGD(model.parameters(), 0.1)
        x = torch.randn(3, 4, requires_grad=True)
        checkpoint(model, x, use_reentrant=True).sum().backward()
        optimizer.step()

    ledger = watch(checkpointed)
    assert "reentrant" in ledger.steps[1]["unseen"]
    assert all("unseen" in evaluation for evaluation in ledger.evaluations)
    assert diff(ledger, ledger).verdict == "incomparable"


@dataclass
class Wide:
    x: Tensor
    others: list[int]


def test_what_is_too_wide_to_look_through_leaves_its_step_without_a_batch(
    capsys: pytest.CaptureFixture[str],
) -> None:
    class Takes(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = net()

        def forward(self, wide: Wide) -> Tensor:
            found: Tensor = self.inner(wide.x)
            return found

    def wide() -> None:
        model = Takes()
        optimizer = SGD(model.parameters(), 0.1)
        model(Wide(torch.ones(2, 4), list(range(20_000)))).sum().backward()
        optimizer.step()

    assert "fields" in watch(wide).steps[0]["unseen"]
    assert "can't be recorded" in capsys.readouterr().err


def _distributed(rank: int, port: int) -> None:
    """One of two processes: the gradients in its ledger are those that its script sees."""
    store = f"tcp://127.0.0.1:{port}"
    torch.distributed.init_process_group("gloo", init_method=store, rank=rank, world_size=2)
    model = nn.Sequential(nn.Linear(400, 1000), nn.Tanh(), nn.Linear(1000, 400))
    seen: list[str] = []

    def parallel() -> None:
        wrapped = DistributedDataParallel(model)
        optimizer = SGD(wrapped.parameters(), 0.01)
        torch.manual_seed(rank)
        for _ in range(4):
            optimizer.zero_grad()
            wrapped(torch.randn(8, 400)).pow(2).mean().backward()
            seen.append(" ".join(hash_tensors([p.grad for p in model.parameters()])))
            optimizer.step()

    steps = watch(parallel).steps
    assert [record["gradient"]["tensors"] for record in steps] == seen
    assert all(record["clip"]["factor"] == 1.0 for record in steps)
    torch.distributed.destroy_process_group()


def test_gradients_are_read_when_all_processes_have_given_theirs() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    torch.multiprocessing.spawn(_distributed, (port,), nprocs=2)
