"""Trainings that are odd, and recorded rightly all the same."""

import copy
import gc
import logging
import warnings
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam
from torch.utils.checkpoint import checkpoint

from reference.diff.ledgers import diff
from reference.ledger.reader import Memory
from reference.ledger.record import Record
from reference.observe.observer import Observer
from tests.helpers.small import net, train, watch


def test_buffers_that_only_one_run_has_do_nothing() -> None:
    class Constant(nn.Module):
        def __init__(self, inner: nn.Module) -> None:
            super().__init__()
            self.inner = inner
            self.register_buffer("constant", torch.ones(3))

        def forward(self, x: Tensor) -> Tensor:
            found: Tensor = self.inner(x)
            return found

    def normed(wraps: bool) -> None:
        inner = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3))
        inner(torch.ones(2, 4))
        train(Constant(inner) if wraps else inner)

    assert diff(watch(normed, False), watch(normed, True)).verdict == "identical"


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

    kept, again = watch(remade, False), watch(remade, True)
    assert kept.steps[2]["optimizer"]["index"] != again.steps[2]["optimizer"]["index"]
    assert diff(kept, again).verdict == "identical"


def test_a_rate_set_by_hand_is_the_optimizers() -> None:
    def in_turns(rate: float) -> None:
        model = net()
        both = SGD(model.parameters(), 0.1), Adam(model.parameters(), rate)
        for number in range(4):
            both[number % 2].zero_grad()
            model(torch.randn(5, 4)).sum().backward()
            both[number % 2].step()

    def kept() -> None:
        model = net()
        optimizer = SGD(model.parameters(), 0.1)
        for _ in range(3):
            optimizer.zero_grad()
            model(torch.randn(5, 4)).sum().backward()
            optimizer.step()

    def remade(rate: float) -> None:
        model = net()
        for one in (0.1, 0.1, rate):
            optimizer = SGD(model.parameters(), one)
            optimizer.zero_grad()
            model(torch.randn(5, 4)).sum().backward()
            optimizer.step()

    for train_with, step in ((in_turns, 2), (remade, 3)):
        verdict = diff(watch(train_with, 0.01), watch(train_with, 0.02))
        assert (verdict.verdict, verdict.step, verdict.link) == ("diverged", step, "optimizer")
    verdict = diff(watch(kept), watch(remade, 0.2))
    assert (verdict.verdict, verdict.step, verdict.link) == ("diverged", 3, "optimizer")


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
            assert [record["kind"] for record in written] == ["model", *["step"] * number]


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
    assert ledger.evaluations
    assert all("unseen" in evaluation for evaluation in ledger.evaluations)
    assert diff(ledger, ledger).verdict == "incomparable"


@dataclass
class Wide:
    x: Tensor
    others: list[list[int]]


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
        model(Wide(torch.ones(2, 4), [[]] * 20_000)).sum().backward()
        optimizer.step()

    def many_numbers() -> None:
        model = Takes()
        optimizer = SGD(model.parameters(), 0.1)
        model(Wide(torch.ones(2, 4), list(range(20_000)))).sum().backward()  # type: ignore[arg-type]
        optimizer.step()

    assert "fields" in watch(wide).steps[0]["unseen"]
    assert "unseen" not in watch(many_numbers).steps[0]
    assert "can't be recorded" in capsys.readouterr().err


def test_no_step_is_lost_after_one_that_raised() -> None:
    """Whatever frame gets the address of the one that raised: a search over many sizes."""
    log = logging.getLogger("no step is lost")
    log.addHandler(logging.NullHandler())
    log.setLevel(logging.INFO)
    source = """
def second(model, optimizer{more}):
    for _ in range(3):
        log.info("looks through the frames")
        optimizer.zero_grad()
        model(torch.randn(5, 4)).sum().backward()
        optimizer.step()
"""

    def search(size: int) -> None:
        model = net()
        failing = torch.optim.LBFGS(model.parameters())

        def closure() -> float:
            raise ValueError("no line")

        model(torch.randn(5, 4)).sum().backward()
        with pytest.raises(ValueError, match="no line"):
            failing.step(closure)
        log.info("failed")
        space = {"log": log, "torch": torch}
        exec(source.format(more="".join(f", a{i}=0" for i in range(size))), space)
        second: Callable[..., None] = space["second"]  # type: ignore[assignment]
        second(net(), SGD(model.parameters(), 0.1))

    for size in range(16):
        assert len(watch(search, size).steps) == 3, size


def test_another_model_after_an_interrupted_pass_is_seen() -> None:
    class Interrupted(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = net()

        def forward(self, x: Tensor) -> Tensor:
            raise KeyboardInterrupt

    def interrupted() -> None:
        with pytest.raises(KeyboardInterrupt):
            Interrupted()(torch.ones(1, 4))
        train(net())

    first, second, third = watch(interrupted).steps
    assert first["unseen"]
    assert len(second["batch"]) == len(third["batch"]) == 1


def test_a_models_hook_may_copy_it() -> None:
    def copying() -> None:
        model = net()
        best: list[nn.Module] = []
        model.register_forward_hook(lambda m, _args, _out: best.append(copy.deepcopy(m)))
        train(model, 1)
        assert len(best) == 1

    assert len(watch(copying).steps) == 1


class Drawing:
    """A batch that draws its noise when it is first asked for it."""

    __slots__ = ("noise", "x")

    def __init__(self, x: Tensor) -> None:
        self.x = x

    def __getattr__(self, name: str) -> Tensor:
        self.noise = torch.randn(5, 4)
        return self.noise


def test_looking_into_a_batch_runs_nothing_of_it() -> None:
    class Noisy(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = net()

        def forward(self, batch: Drawing) -> Tensor:
            torch.rand(1)
            found: Tensor = self.inner(batch.x + batch.noise)
            return found

    def noisy() -> Tensor:
        torch.manual_seed(0)
        model = Noisy()
        optimizer = SGD(model.parameters(), 0.1)
        model(Drawing(torch.ones(5, 4))).sum().backward()
        optimizer.step()
        return torch.cat([p.detach().flatten() for p in model.parameters()])

    plain = noisy()
    with Observer(Memory({})):
        assert torch.equal(noisy(), plain)


def test_a_whole_model_under_the_other_checkpointing_is_seen() -> None:
    def checkpointed() -> None:
        model = net()
        optimizer = SGD(model.parameters(), 0.1)
        for _ in range(2):
            with torch.no_grad():
                model(torch.ones(2, 4))
            x = torch.randn(3, 4, requires_grad=True)
            optimizer.zero_grad()
            checkpoint(model, x, use_reentrant=False).sum().backward()
            optimizer.step()

    ledger = watch(checkpointed)
    assert all("batch" in record and "unseen" not in record for record in ledger.steps)
    assert not any("unseen" in evaluation for evaluation in ledger.evaluations)


def test_a_module_that_calls_itself_is_one_pass() -> None:
    class Tree(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.Linear(4, 4)

        def forward(self, x: Tensor, depth: int = 2) -> Tensor:
            if depth == 0:
                found: Tensor = self.inner(x)
                return found
            return self(x, depth - 1) + self(x, depth - 1)

    def grown(sign: float) -> None:
        model = Tree()
        train(model)

        with torch.no_grad():
            model.inner.weight.mul_(1.0)
            model(sign * torch.ones(3, 4))

    ledger = watch(grown, 1.0)
    assert [len(record["batch"]) for record in ledger.steps] == [1, 1, 1]
    assert [e["metrics"]["count"] for e in ledger.evaluations] == [3]
    assert diff(ledger, watch(grown, -1.0)).link == "metrics"


def test_a_model_that_gives_its_memory_back_keeps_its_end() -> None:
    alive: list[nn.Module] = []

    def moved(moves: bool) -> None:
        model = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3))
        alive.append(model)
        train(model)
        if moves:
            model.to("meta")

    assert diff(watch(moved, False), watch(moved, True)).verdict == "identical"


def test_scores_end_an_evaluation_also_before_one_that_cant_be_recorded() -> None:
    torch.manual_seed(0)
    memory = Memory({})
    with Observer(memory) as observer:
        model = net()
        train(model, 1)
        with torch.no_grad():
            model(torch.ones(2, 4))
            observer.add_scores({"accuracy": 1.0})
            torch.vmap(model)(torch.ones(2, 4))
    first, second = memory.ledger.evaluations
    assert "unseen" not in first
    assert second["unseen"]


def test_observing_makes_no_warning_of_a_compiled_model() -> None:
    def compiled() -> None:
        model = torch.compile(net(), backend="eager")
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            warnings.filterwarnings("ignore", category=DeprecationWarning)
            with Observer(Memory({})):
                train(model, 1)  # type: ignore[arg-type]

    compiled()
