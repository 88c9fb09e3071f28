"""Trainings in which it isn't plain which pass belongs to which step."""

import threading
import weakref
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import SGD, Adam, Optimizer
from torch.utils.checkpoint import checkpoint

from reference.diff.ledgers import diff
from reference.ledger.reader import Memory
from reference.ledger.record import Record
from reference.observe.observer import Observer
from reference.observe.step import describe
from reference.observe.tensors.hashing import hash_tensors
from tests.helpers.small import watch


def step(optimizer: Optimizer, loss: torch.Tensor) -> None:
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def models(record: Record) -> list[int]:
    return [entry.get("model", 0) for entry in record["batch"]]


def test_a_fake_is_part_of_both_steps_that_it_is_used_in() -> None:
    def gan() -> None:
        generator, critic = nn.Linear(2, 2), nn.Linear(2, 1)
        first, second = SGD(critic.parameters(), 0.1), SGD(generator.parameters(), 0.1)
        for _ in range(2):
            fake = generator(torch.ones(1, 2))
            step(first, critic(fake.detach()).sum())
            step(second, critic(fake).sum())

    passes = [models(record) for record in watch(gan).steps]
    assert passes == [[1], [1, 0], [1], [1, 0]]  # the critic's, then the fake's own


def test_a_gradient_of_the_input_is_no_pass_of_the_step() -> None:
    def train(saliency: bool) -> None:
        model = nn.Linear(4, 1)
        optimizer = SGD(model.parameters(), 0.1)
        for _ in range(2):
            if saliency:
                x = torch.zeros(3, 4, requires_grad=True)
                torch.autograd.grad(model.eval()(x).sum(), x)
            step(optimizer, model.train()(torch.ones(2, 4)).sum())

    plain, with_saliency = watch(train, False), watch(train, True)
    assert [len(record["batch"]) for record in with_saliency.steps] == [1, 1]
    assert diff(plain, with_saliency).verdict == "identical"


def test_gradients_that_are_set_by_hand_have_their_pass() -> None:
    def train() -> None:
        model = nn.Linear(4, 1)
        optimizer = SGD(model.parameters(), 0.1)
        weights = list(model.parameters())
        for found in (torch.autograd.grad(model(torch.ones(2, 4)).sum(), weights),):
            for parameter, gradient in zip(weights, found, strict=True):
                parameter.grad = gradient
        optimizer.step()

    (record,) = watch(train).steps
    assert len(record["batch"]) == 1
    assert float(record["clip"]["norm"]) > 0


def test_a_penalty_on_gradients_keeps_its_pass() -> None:
    """Its own gradient is taken with a graph: it is part of the loss."""

    def train() -> None:
        model = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 1))
        x = torch.ones(2, 4, requires_grad=True)
        (slope,) = torch.autograd.grad(model(x).sum(), x, create_graph=True)
        step(SGD(model.parameters(), 0.1), slope.pow(2).sum())

    (record,) = watch(train).steps
    assert len(record["batch"]) == 1


@pytest.mark.parametrize("reentrant", [True, False])
def test_checkpointing_is_one_backward_pass(reentrant: bool) -> None:
    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.ModuleList(nn.Linear(2, 2) for _ in range(3))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.layers[0](x)
            for layer in self.layers[1:]:
                x = checkpoint(layer, x, use_reentrant=reentrant)
            return x

    def train() -> None:
        model = Model()
        optimizer = SGD(model.parameters(), 0.1)
        for _ in range(2):
            step(optimizer, model(torch.ones(1, 2)).sum())

    for record in watch(train).steps:
        assert record["gradient"]["backward_passes"] == 1
        assert record["gradient"]["norm"] == record["clip"]["norm"]


@pytest.mark.parametrize("change", ["mul_", "squeeze_", "flatten"])
def test_an_output_that_is_changed_in_place_has_its_pass(change: str) -> None:
    """Also in eval mode, where a pass without backward would be an evaluation."""

    def train() -> None:
        model = nn.Sequential(nn.Linear(4, 1), nn.Flatten(0)).eval()
        optimizer = SGD(model.parameters(), 0.1)
        for _ in range(2):
            y = model(torch.ones(2, 4))
            y = y.mul_(2) if change == "mul_" else y.squeeze_(-1) if change == "squeeze_" else y
            step(optimizer, y.sum())

    ledger = watch(train)
    assert [len(record["batch"]) for record in ledger.steps] == [1, 1]
    assert ledger.evaluations == []


def test_the_batch_is_what_the_model_was_given() -> None:
    """Before the model writes into it: by its name, or by its place."""

    class Clamps(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(2, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.linear(x.clamp_(0, 1))

    def train(value: float, named: bool) -> None:
        model, x = Clamps(), torch.full((1, 2), value)
        step(SGD(model.parameters(), 0.1), (model(x=x) if named else model(x)).sum())

    for named in (True, False):
        verdict = diff(watch(train, 5.0, named), watch(train, 9.0, named))
        assert (verdict.verdict, verdict.link) == ("diverged", "batch")
    assert diff(watch(train, 5.0, True), watch(train, 5.0, False)).verdict == "identical"


def test_each_loss_belongs_to_the_pass_that_it_was_made_of() -> None:
    losses: list[float] = []

    def train() -> None:
        model, criterion = nn.Linear(2, 1), nn.MSELoss()
        optimizer = SGD(model.parameters(), 0.1)
        outputs = [model(torch.ones(1, 2)), model(torch.zeros(1, 2))]
        found = [criterion(y, torch.ones(1, 1)) for y in outputs]
        losses.extend(loss.item() for loss in found)
        step(optimizer, found[0] + found[1])

    (record,) = watch(train).steps
    assert [entry["loss"] for entry in record["forward"]] == losses
    assert losses[0] != losses[1]


def test_inputs_may_have_any_name() -> None:
    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Embedding(10, 4)

        def forward(self, tokens: torch.Tensor, model: torch.Tensor) -> torch.Tensor:
            return self.embedding(tokens).sum() + model.sum()

    def train(tokens: int, number: int) -> None:
        model = Model()
        inputs = {"tokens": torch.tensor([tokens]), "model": torch.tensor([number])}
        step(SGD(model.parameters(), 0.1), model(**inputs))

    for given in ((2, 1), (1, 2)):
        verdict = diff(watch(train, 1, 1), watch(train, *given))
        assert (verdict.verdict, verdict.link) == ("diverged", "batch")


def test_a_step_that_raised_is_none() -> None:
    class Raises(SGD):
        def step(self, closure: Any = None) -> Any:
            raise RuntimeError

    def train() -> None:
        model = nn.Linear(2, 1)
        broken, sound = Raises(model.parameters(), 0.5), Adam(model.parameters(), 0.1)
        model(torch.ones(1, 2)).sum().backward()
        with pytest.raises(RuntimeError):
            broken.step()
        sound.step()
        step(sound, model(torch.ones(1, 2)).sum())

    ledger = watch(train)
    assert [record["optimizer"]["class"] for record in ledger.steps] == ["Adam", "Adam"]
    assert [record["schedule"]["learning_rate"] for record in ledger.steps] == [[0.1], [0.1]]


def test_a_step_within_a_step_is_one() -> None:
    class Outer(SGD):
        def __init__(self, inner: Optimizer, parameters: Any) -> None:
            super().__init__(parameters, 0.1)
            self.inner = inner

        def step(self, closure: Any = None) -> Any:
            return self.inner.step()

    def train() -> None:
        model = nn.Linear(2, 1)
        outer = Outer(Adam(model.parameters(), 0.1), model.parameters())
        for _ in range(2):
            step(outer, model(torch.ones(1, 2)).sum())

    assert [record["optimizer"]["class"] for record in watch(train).steps] == ["Outer", "Outer"]


def test_steps_within_the_backward_pass_are_not_recorded_wrongly() -> None:
    def train() -> None:
        model = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 1))
        optimizers = {p: SGD([p], 0.1) for p in model.parameters()}

        def at_once(parameter: torch.Tensor) -> None:
            optimizers[parameter].step()
            optimizers[parameter].zero_grad()

        for parameter in model.parameters():
            parameter.register_post_accumulate_grad_hook(at_once)
        for _ in range(2):
            model(torch.randn(4, 3)).pow(2).mean().backward()

    ledger = watch(train)
    assert ledger.steps == []
    assert ledger.end is not None
    assert "within the backward pass" in ledger.end["lost"]


def test_what_a_model_keeps_beside_its_weights_is_compared() -> None:
    def train(momentum: float) -> None:
        model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4, momentum=momentum))
        optimizer = SGD(model.parameters(), 0.1)
        for _ in range(2):
            step(optimizer, model(torch.randn(8, 3)).pow(3).mean())

    assert diff(watch(train, 0.1), watch(train, 0.1)).verdict == "identical"
    verdict = diff(watch(train, 0.1), watch(train, 0.01))
    assert (verdict.verdict, verdict.step, verdict.link) == ("diverged", 1, "update")
    assert "1.running_mean" in verdict.detail


def test_a_model_in_another_thread_takes_nothing_away() -> None:
    started, over = threading.Event(), threading.Event()

    class Slow(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(3, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            started.set()
            over.wait(timeout=600)  # the training runs within this very pass
            return self.linear(x)

    def train(beside: bool) -> None:
        model, other = nn.Linear(3, 1), Slow()
        optimizer = SGD(model.parameters(), 0.1)
        started.clear()
        over.clear()

        def evaluate() -> None:
            with torch.no_grad():
                other(torch.zeros(1, 3))

        thread = threading.Thread(target=evaluate)
        for number in range(3):
            step(optimizer, model(torch.randn(2, 3)).sum())
            if beside and number == 0:
                thread.start()
                started.wait(timeout=600)
        over.set()
        if beside:
            thread.join()

    alone, beside = watch(train, False), watch(train, True)
    assert diff(alone, beside).verdict == "identical"


def test_many_passes_that_lead_nowhere_are_not_kept() -> None:
    """Inference with gradients on is an evaluation, and its passes leave as their graphs do."""
    memory = Memory({})
    with Observer(memory) as observer:
        model = nn.Linear(3, 2)
        step(SGD(model.parameters(), 0.1), model(torch.randn(2, 3)).sum())
        model.eval()
        for _ in range(50):
            model(torch.randn(2, 3))
        assert len(observer.recording.open_step.forwards) < 3
    (evaluation,) = memory.ledger.evaluations
    assert evaluation["metrics"]["count"] == 100


def test_a_look_through_a_part_changes_nothing() -> None:
    def train(look: bool) -> None:
        encoder = nn.Linear(3, 4)
        model = nn.Sequential(encoder, nn.Linear(4, 1))
        if look:
            with torch.no_grad():
                encoder(torch.ones(1, 3))
        step(SGD(model.parameters(), 0.1), model(torch.randn(4, 3)).sum())

    assert diff(watch(train, False), watch(train, True)).verdict == "identical"


def test_large_gradients_are_those_that_are_there() -> None:
    """They are read by the other core while autograd goes on; the hashes are of the same bits."""
    found: list[list[str]] = []

    def train() -> None:
        model = nn.Sequential(nn.Embedding(20_000, 256), nn.Linear(256, 1024), nn.Linear(1024, 1))
        optimizer = SGD(model.parameters(), 0.1)
        for _ in range(3):
            optimizer.zero_grad()
            model(torch.randint(20_000, (4, 8))).pow(2).sum().backward()
            found.append(hash_tensors(p.grad for p in model.parameters()))
            optimizer.step()

    ledger = watch(train)
    assert [record["gradient"]["tensors"].split() for record in ledger.steps] == found
    assert [record["clip"]["factor"] for record in ledger.steps] == [1.0] * 3


def test_wrapped_or_seen_in_parts_a_models_buffers_are_the_same() -> None:
    def train(how: str, momentum: float = 0.1) -> None:
        encoder = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4, momentum=momentum))
        model: nn.Module = nn.Sequential(encoder, nn.Linear(4, 4), nn.BatchNorm1d(4))
        if how == "wrapped":
            model = nn.Sequential(model)
        if how == "in parts":
            encoder.eval()(torch.ones(2, 3))
            encoder.train()
        optimizer = SGD(model.parameters(), 0.1)
        for _ in range(2):
            step(optimizer, model(torch.randn(8, 3)).pow(3).mean())

    for how in ("wrapped", "in parts"):
        assert diff(watch(train, "plain"), watch(train, how)).verdict == "identical"
        verdict = diff(watch(train, "plain"), watch(train, how, 0.2))
        assert (verdict.verdict, verdict.step, verdict.link) == ("diverged", 1, "update")
        assert "buffers" in verdict.detail


def test_diff_says_why_a_step_or_the_rest_lacks_something() -> None:
    def train(how: str) -> None:
        model = nn.Linear(3, 1)
        optimizer = SGD(model.parameters(), 0.1)
        batches = torch.randn(3, 2, 3)
        for number, batch in enumerate(batches):
            if number == 1 and how == "transformed":
                torch.vmap(model)(batch)
            if number == 2 and how == "within":
                model.weight.register_post_accumulate_grad_hook(lambda _: optimizer.step())
            step(optimizer, model(batch).sum())

    verdict = diff(watch(train, "plainly"), watch(train, "transformed"))
    assert verdict.verdict == "incomparable"
    assert any("step 2 of B" in note for note in verdict.notes)
    verdict = diff(watch(train, "plainly"), watch(train, "within"))
    assert verdict.verdict == "incomparable"
    assert "within the backward pass" in verdict.detail


def test_an_interrupted_pass_is_no_part_of_the_next_one() -> None:
    class Interrupts(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(2, 1)
            self.calls = 0

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.calls += 1
            if self.calls == 1:
                raise KeyboardInterrupt
            return self.linear(x)

    def train() -> None:
        model = Interrupts()
        with pytest.raises(KeyboardInterrupt):
            model(torch.ones(1, 2))
        step(SGD(model.parameters(), 0.1), model(torch.full((1, 2), 2.0)).sum())

    (record,) = watch(train).steps
    assert record["batch"][0]["x"][3] == 2.0


def test_a_backward_pass_that_raised_hides_none_after_it() -> None:
    seen: list[list[str]] = []

    def train() -> None:
        model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
        optimizer = SGD(model.parameters(), 0.1)
        loss = model(torch.ones(1, 2)).sum()
        handle = model[0].weight.register_hook(lambda _: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            loss.backward(retain_graph=True)
        handle.remove()
        optimizer.zero_grad()
        loss.backward()
        seen.append(hash_tensors(p.grad for p in model.parameters()))
        optimizer.step()

    (record,) = watch(train).steps
    assert record["gradient"]["tensors"].split() == seen[0]
    assert record["clip"]["factor"] == 1.0


def test_a_backward_pass_of_weights_alone_counts() -> None:
    def train() -> None:
        model = nn.Linear(2, 1)
        optimizer = SGD(model.parameters(), 0.1)
        model(torch.ones(1, 2)).sum().backward()
        (model.weight**2).sum().backward()
        optimizer.step()

    (record,) = watch(train).steps
    assert record["gradient"]["backward_passes"] == 2
    assert record["clip"]["factor"] == 1.0


def test_what_a_hook_does_to_other_gradients_is_in_the_record() -> None:
    seen: list[list[str]] = []

    def train() -> None:
        model = nn.Sequential(nn.Linear(300, 300), nn.Linear(300, 8192))
        optimizer = SGD(model.parameters(), 0.1)

        def scale(_: torch.Tensor) -> None:
            for parameter in model[1].parameters():
                if parameter.grad is not None:
                    parameter.grad.mul_(0.5)

        model[0].weight.register_post_accumulate_grad_hook(scale)
        model(torch.ones(4, 300)).sum().backward()
        seen.append(hash_tensors(p.grad for p in model.parameters()))
        optimizer.step()

    (record,) = watch(train).steps
    assert record["gradient"]["tensors"].split() == seen[0]


def test_parameters_of_no_model_beside_one_are_compared_and_named() -> None:
    def train(rate: float) -> None:
        model, alone = nn.Linear(2, 1), nn.Parameter(torch.ones(()))
        optimizer = SGD([{"params": model.parameters()}, {"params": [alone], "lr": rate}], lr=0.1)
        for _ in range(2):
            step(optimizer, model(torch.ones(1, 2)).sum() + alone**2)

    verdict = diff(watch(train, 0.1), watch(train, 0.4))
    assert (verdict.verdict, verdict.step, verdict.link) == ("diverged", 1, "optimizer")
    assert "learning_rate (1 of 3 parameters, first model1.tensor0): 0.1 and 0." in verdict.detail
    # The model's own passes were seen, and all that the optimizer gets and makes.
    verdict = diff(watch(train, 0.1), watch(train, 0.1))
    assert verdict.verdict == "identical"
    assert verdict.notes[0].startswith("not seen: what 1 parameter of no called model is used for")


def test_a_regularizer_is_not_the_loss() -> None:
    class Squares(nn.Module):
        def forward(self, weight: torch.Tensor) -> torch.Tensor:
            return weight.pow(2).sum()

    def train() -> None:
        model, criterion = nn.Linear(2, 1), nn.MSELoss()
        output = model(torch.ones(1, 2))
        penalty = Squares()(model.weight)
        loss = criterion(output, torch.ones(1, 1))
        expected.append(loss.item())
        step(SGD(model.parameters(), 0.1), loss + penalty)

    expected: list[float] = []
    (record,) = watch(train).steps
    assert record["forward"][0]["loss"] == expected[0]


class arguments(nn.Module):  # noqa: N801
    """A loss by the name of a field of the ledger."""

    def forward(self, given: torch.Tensor) -> torch.Tensor:
        return given.pow(2).mean()


@pytest.mark.parametrize("by_module", [False, True])
def test_an_output_may_have_the_name_of_a_field(by_module: bool) -> None:
    class Model(nn.Linear):
        def forward(self, x: torch.Tensor) -> Any:
            y = super().forward(x)
            return {"logits" if by_module else "arguments": y, "other": x}

    def train() -> None:
        model = Model(4, 2)
        optimizer = SGD(model.parameters(), 0.1)
        for _ in range(2):
            (y, _x) = model(torch.ones(3, 4)).values()
            step(optimizer, 3 * arguments()(y) + 0.7 * y.sum())

    first, second = watch(train), watch(train)
    outputs = first.steps[0]["forward"][0]
    assert "arguments" not in outputs
    assert "arguments (the model's)" in outputs
    assert diff(first, second).verdict == "identical"


def test_labels_on_another_device_than_the_ids_are_described(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The device `meta` stands for another one; its values aren't asked for here."""
    monkeypatch.setattr(describe, "hash_tensor", lambda tensor: str(tensor.device))
    monkeypatch.setattr(describe, "constant", lambda _: None)
    labels = torch.tensor([[1, -100, 2]])
    for device, more in (("meta", {"ignored": 1}), ("cpu", {"ignored": 1, "unlike_ids": 0})):
        ids = torch.tensor([[1, 2, 2]], device=device)
        told = describe.batch({"input_ids": ids, "labels": labels})
        assert told["labels"][4:] == [more]
        assert told["input_ids"][0] == device


class Sum(nn.Module):
    def forward(self, given: torch.Tensor) -> torch.Tensor:
        return given.sum()


@pytest.mark.parametrize("name", ["output", "loss", "rows"])
def test_a_complex_number_is_an_output_and_no_loss(name: str) -> None:
    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones(4, dtype=torch.complex64))

        def forward(self, x: torch.Tensor) -> Any:
            y = self.weight * x
            return {name: y if name == "rows" else y.sum()}

    def train(scale: complex) -> None:
        model = Model()
        optimizer = SGD(model.parameters(), 0.1)
        for _ in range(2):
            y = model(torch.full((4,), scale))[name]
            step(optimizer, (Sum()(y) if name == "rows" else y).abs())

    first, second, other = watch(train, 1 + 2j), watch(train, 1 + 2j), watch(train, 1 + 3j)
    for record in first.steps:
        assert "unseen" not in record
        (outputs,) = record["forward"]
        assert outputs[name][1:] == [[4] if name == "rows" else [], []]
        assert list(outputs) == [name]
    assert first.steps[0]["forward"] != other.steps[0]["forward"]
    assert diff(first, second).verdict == "identical"


@pytest.mark.parametrize("steps", [True, False])
def test_no_gradient_lives_longer_for_being_observed(steps: bool) -> None:
    lived: list[bool] = []

    def train() -> None:
        model = nn.Linear(2, 1)
        optimizer = SGD(model.parameters(), 0.1)
        model(torch.ones(1, 2)).sum().backward()
        gradient = weakref.ref(model.weight.grad)
        if steps:
            optimizer.step()
        optimizer.zero_grad()
        if not steps:
            model(torch.ones(1, 2))  # only then it is told that no step follows
        lived.append(gradient() is not None)

    watch(train)
    assert lived == [False]


def test_outputs_are_told_apart_in_their_own_precision() -> None:
    one = torch.full((3,), 1.0, dtype=torch.float64)
    apart = describe.forward({"output": one + 1e-12})
    assert describe.forward({"output": one}) != apart
    assert describe.forward({"output": one.bfloat16()}) == describe.forward({"output": one.float()})
