"""Observing never ends a training: what can't be recorded is left out, and the ledger says so."""

import gc
import io
import random
import warnings
import weakref
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.func import functional_call

from reference.ledger.reader import Ledger, Memory
from reference.observe.observer import Observer
from reference.observe.recording import Recording
from reference.observe.step.forward_pass import ForwardPass
from reference.observe.step.open_step import OpenStep


def watch(train: Callable[[], Any]) -> Ledger:
    """Its ledger; raises what `train` raises."""
    torch.manual_seed(0)
    random.seed(0)
    memory = Memory({})
    with Observer(memory):
        train()
    return memory.ledger


def learn(model: nn.Module, *batches: torch.Tensor) -> None:
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    for batch in batches:
        optimizer.zero_grad()
        model(batch).sum().backward()
        optimizer.step()


class Output(nn.Module):
    """A linear layer, and something done to what it gives."""

    def __init__(self, change: Callable[[torch.Tensor], Any]) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)
        self.change = change

    def forward(self, x: torch.Tensor) -> Any:
        return self.change(self.linear(x))


def lazy_layers() -> None:
    learn(nn.Sequential(nn.LazyLinear(4), nn.ReLU(), nn.LazyLinear(1)), *torch.randn(3, 2, 3))


def resized_input() -> None:
    model, buffer = nn.Linear(3, 1), torch.empty(0)
    for rows in (2, 4, 8):
        fresh = torch.randn(rows, 3)
        learn(model, buffer.resize_(fresh.shape).copy_(fresh))


def resized_weight() -> None:
    model = nn.Linear(3, 1)
    learn(model, torch.randn(2, 3))
    model.weight.data.untyped_storage().resize_(64)  # as sharded training does


def masked_by_infinity() -> None:
    class Masked(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(4, 4)

        def forward(self, x: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
            return self.linear(x) * attention_mask.exp()

    Masked()(torch.randn(3, 4), attention_mask=torch.tensor([0.0, 0, -torch.inf, 0]))


def other_numpy_generator() -> None:
    before = np.random.get_bit_generator()
    np.random.set_bit_generator(np.random.PCG64(1))
    try:
        learn(nn.Linear(3, 1), *torch.randn(2, 2, 3))
    finally:
        np.random.set_bit_generator(before)


def fake_tensors() -> None:
    from torch._subclasses import FakeTensorMode

    with FakeTensorMode():
        nn.Linear(3, 1)(torch.randn(2, 3))


def meta_tensors() -> None:
    with torch.device("meta"):
        nn.Linear(3, 1)(torch.randn(2, 3))


def traced() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.trace(nn.Linear(3, 1), torch.randn(2, 3))


def exported() -> None:
    torch.export.export(nn.Linear(3, 1), (torch.randn(2, 3),))


def saved_output() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        torch.save(nn.Linear(3, 1)(torch.randn(2, 3)), io.BytesIO())


def transformed_by_func() -> None:
    model = nn.Linear(3, 1)
    weights = {name: p.detach() for name, p in model.named_parameters()}

    def loss(weights: dict[str, torch.Tensor], x: torch.Tensor) -> torch.Tensor:
        return functional_call(model, weights, (x[None],)).pow(2).mean()

    torch.func.vmap(torch.func.grad(loss), (None, 0))(weights, torch.randn(4, 3))


def nested_input() -> None:
    rows = [torch.randn(2, 3), torch.randn(4, 3)]
    nn.Linear(3, 1)(torch.nested.nested_tensor(rows, layout=torch.jagged))


@pytest.mark.parametrize(
    ("train", "steps"),
    [
        (lazy_layers, 3),
        (resized_input, 3),
        (resized_weight, 1),
        (masked_by_infinity, 0),
        (other_numpy_generator, 2),
        (lambda: learn(Output(lambda y: y.to_sparse().to_dense()), torch.randn(2, 4)), 1),
        (lambda: Output(lambda y: y > 0)(torch.randn(2, 4)), 0),
        (lambda: Output(lambda y: (y > 0, y.mean()))(torch.randn(2, 4)), 0),
        (lambda: Output(lambda y: y.to_sparse())(torch.randn(2, 4)), 0),
        (lambda: Output(lambda y: torch.fft.fft(y).sum())(torch.randn(2, 4)), 0),
        (fake_tensors, 0),
        (meta_tensors, 0),
        (traced, 0),
        (exported, 0),
        (saved_output, 0),
    ],
)
def test_what_is_unusual_is_recorded(
    train: Callable[[], None], steps: int, capsys: pytest.CaptureFixture[str]
) -> None:
    ledger = watch(train)
    assert len(ledger.steps) == steps
    assert all("batch" in step and "weights" in step for step in ledger.steps)
    assert ledger.end is not None
    assert ledger.end["complete"]
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("train", [transformed_by_func, nested_input])
def test_a_pass_that_cant_be_read_is_left_out(
    train: Callable[[], None], capsys: pytest.CaptureFixture[str]
) -> None:
    """Its step has no batch, and says why; the next one has all again."""

    def both() -> None:
        model = nn.Linear(3, 1)
        train()
        learn(model, *torch.randn(2, 4, 3))

    ledger = watch(both)
    first, second = ledger.steps
    assert first["unseen"]
    assert "batch" not in first
    assert "forward" not in first
    assert "batch" in second
    assert "unseen" not in second
    assert capsys.readouterr().err.count("can't be recorded") == 1


def test_an_evaluation_with_such_a_pass_says_so() -> None:
    def evaluate() -> None:
        model = nn.Linear(3, 1)
        learn(model, torch.randn(2, 3))
        model.eval()
        with torch.no_grad():
            model(torch.randn(2, 3))
            model(torch.nested.nested_tensor([torch.randn(2, 3)], layout=torch.jagged))

    (evaluation,) = watch(evaluate).evaluations
    assert "nested" in evaluation["unseen"]


def test_a_fault_of_ours_ends_the_ledger_and_not_the_training(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from reference.observe.generators import StatesOfStep

    steps: list[int] = []

    def states(_: StatesOfStep) -> dict[str, str]:
        if len(steps) == 2:
            raise ValueError("planted")
        return {"python": "", "numpy": "", "torch": ""}

    monkeypatch.setattr(StatesOfStep, "later", states)

    def train() -> None:
        model = nn.Linear(3, 1)
        for batch in torch.randn(4, 2, 3):
            learn(model, batch)
            steps.append(1)

    ledger = watch(train)
    assert len(steps) == 4
    assert len(ledger.steps) == 2
    assert ledger.end is not None
    assert not ledger.end["complete"]
    assert ledger.end["lost"] == "ValueError: planted"
    assert capsys.readouterr().err == (
        "reference: observing stopped (ValueError: planted); the training goes on, and its "
        "ledger ends here\n"
    )


HOOKS = {
    "gradients are there": (OpenStep, "set_gradient"),
    "an optimizer steps": (OpenStep, "take_optimizer"),
    "it has stepped": (Recording, "take_step"),
}


@pytest.mark.parametrize("when", [*HOOKS, "asked for"])
def test_once_it_is_lost_nothing_of_the_training_is_held(
    when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither gradients nor weights, nor what the last batch and its evaluation gave."""
    observer = Observer(Memory({}))
    seen: list[weakref.ref[torch.UntypedStorage]] = []
    made: list[weakref.ref[Any]] = []
    of_pass = ForwardPass.__init__

    def note(self: ForwardPass, *args: Any, **kwargs: Any) -> None:
        of_pass(self, *args, **kwargs)
        made.append(weakref.ref(self))

    def fail(*_: Any, **__: Any) -> None:
        raise ValueError("planted")

    def train() -> None:
        model = nn.Linear(3, 1)
        optimizer = torch.optim.SGD(model.parameters(), 0.1)
        for number, batch in enumerate(torch.randn(4, 2, 3)):
            if number == 2 and when in HOOKS:
                monkeypatch.setattr(*HOOKS[when], fail)
            optimizer.zero_grad()
            model(batch).sum().backward()
            if number == 2 and when not in HOOKS:
                observer.lose(when)
            tensors = [tensor for p in model.parameters() for tensor in (p, p.grad)]
            seen.extend(weakref.ref(t.untyped_storage()) for t in tensors if t is not None)
            optimizer.step()

    monkeypatch.setattr(ForwardPass, "__init__", note)
    with observer:
        train()
        gc.collect()
        assert observer.lost
        assert made
        assert not [each() for each in (*seen, *made) if each() is not None]


def test_what_the_writer_raises_reaches_the_training() -> None:
    class Full(Memory):
        def write(self, record: dict[str, Any]) -> None:
            if record["kind"] == "step":
                raise OSError("no room")
            super().write(record)

    observer = Observer(Full({})).start()
    try:
        with pytest.raises(OSError, match="no room"):
            learn(nn.Linear(3, 1), *torch.randn(2, 2, 3))
    finally:
        observer.remove_hooks()


def test_models_optimizers_and_batches_that_arent_as_torchs() -> None:
    class Listed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(3, 1)

        def parameters(self, recurse: bool = True) -> Any:
            return list(super().parameters(recurse))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.linear(x)

    class Argues(torch.optim.SGD):
        def step(self, closure: Any = None) -> Any:
            if closure is not None:
                closure(True)
            return super().step()

    class TakesModel(torch.optim.SGD):
        def step(self, model: Any = None) -> Any:
            assert list(model.parameters())
            return super().step()

    def train() -> None:
        model = Listed()
        learn(model, torch.randn(2, 3))
        argues, takes = Argues(model.parameters(), 0.1), TakesModel(model.parameters(), 0.1)

        def closure(_again: bool) -> torch.Tensor:
            loss = model(torch.ones(2, 3)).sum()
            loss.backward()
            return loss

        argues.step(closure)
        model(torch.ones(2, 3)).sum().backward()
        takes.step(model)

    assert len(watch(train).steps) == 3


def test_a_batch_that_is_made_as_it_is_read_is_left_alone() -> None:
    class Fresh(Mapping[str, torch.Tensor]):
        def __getitem__(self, key: str) -> torch.Tensor:
            return torch.randn(2, 3)

        def __iter__(self) -> Any:
            return iter(["x"])

        def __len__(self) -> int:
            return 1

    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(3, 1)

        def forward(self, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
            return self.linear(batch["x"])

    ends: list[torch.Tensor] = []

    def train() -> None:
        model = Model()
        optimizer = torch.optim.SGD(model.parameters(), 0.1)
        for _ in range(2):
            optimizer.zero_grad()
            model(Fresh()).sum().backward()
            optimizer.step()
        ends.append(model.linear.weight.detach())

    ledger = watch(train)
    torch.manual_seed(0)
    train()
    assert torch.equal(*ends)
    assert all("unseen" in step for step in ledger.steps)
