"""What a ledger can't see, as docs/ledger.md lists it: a test for each line, so that it is true."""

import copy
import os
import pickle
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from reference.diff.ledgers import diff
from reference.ledger.reader import Ledger, Memory
from reference.observe.observer import Observer
from tests.diff.pairs.small_trainings import Named, fit, mlp, rows, seeded
from tests.helpers.small import UNEVALUATED, watch


def test_an_evaluation_without_a_module_has_a_note() -> None:
    def train(second: bool) -> None:
        model = mlp()
        fit(model)
        with torch.no_grad():
            linear(rows(seed=int(second)), model[0].weight)

    verdict = diff(watch(train, False), watch(train, True))
    assert (verdict.verdict, verdict.notes) == ("identical", (UNEVALUATED,))


def test_a_threshold_of_the_script_has_a_note() -> None:
    def train(second: bool) -> list[bool]:
        model = mlp(1)
        fit(model, loss=lambda out, _: out.pow(2).mean())
        with torch.no_grad():
            return [float(out) > 0.5 * second for out in model(rows())]

    verdict = diff(watch(train, False), watch(train, True))
    assert verdict.verdict == "identical"
    (note,) = verdict.notes
    assert note.startswith("not compared: scores; what models gave in evaluations is equal")


def test_scores_of_an_evaluation_that_one_run_made_alone_are_not_called_unseen() -> None:
    """Nothing that a model gave there was compared, and nothing is said to be equal."""

    def train(second: bool) -> None:
        model = mlp()
        fit(model)
        with torch.no_grad():
            if second:
                model(rows())

    verdict = diff(watch(train, False), watch(train, True))
    assert verdict.verdict == "identical"
    (note,) = verdict.notes
    assert note.startswith("not compared: an evaluation that the other run didn't make")


def test_an_average_in_one_vector() -> None:
    """Its shapes aren't those of the model's tensors."""

    def train(rate: float) -> Ledger:
        memory = Memory({})
        with Observer(memory, uncalled=True):
            model = mlp()
            average = nn.utils.parameters_to_vector(model.parameters()).detach().clone()

            def blend(_step: int) -> None:
                average.lerp_(nn.utils.parameters_to_vector(model.parameters()).detach(), rate)

            fit(model, after=blend)
        return memory.ledger

    assert diff(train(0.1), train(0.2)).verdict == "identical"


def test_which_of_two_averages_is_which() -> None:
    def train(rates: tuple[float, float]) -> Ledger:
        memory = Memory({})
        with Observer(memory, uncalled=True):
            model = mlp()
            averages = [copy.deepcopy(model) for _ in rates]

            @torch.no_grad()
            def blend(_step: int) -> None:
                for average, rate in zip(averages, rates, strict=True):
                    for mean, tensor in zip(average.parameters(), model.parameters(), strict=True):
                        mean.lerp_(tensor, rate)

            fit(model, after=blend)
        return memory.ledger

    assert diff(train((0.1, 0.3)), train((0.3, 0.1))).verdict == "identical"
    assert diff(train((0.1, 0.3)), train((0.1, 0.4))).verdict == "diverged"


def test_a_small_factor_in_other_batches_of_what_bfloat16_computes() -> None:
    def train(second: bool, size: int) -> None:
        def call(self: Any, x: torch.Tensor) -> Any:
            return 1.002 * self.layer(x).float() if second else self.layer(x).float()

        model = Named(call, layer=mlp(1).bfloat16())
        fit(mlp())
        with torch.no_grad():
            for part in rows().bfloat16().split(size):
                model(part)

    assert diff(watch(train, False, 8), watch(train, True, 4)).verdict == "identical"
    assert diff(watch(train, False, 8), watch(train, True, 8)).verdict == "diverged"


def test_a_plain_attribute_until_something_follows() -> None:
    def train(second: bool, used: bool) -> None:
        def call(self: Any, x: torch.Tensor) -> Any:
            return self.layer(x) / (self.temperature if used else 1)

        model = seeded(lambda: Named(call, layer=mlp()))
        model.temperature = 2.0 if second else 1.0
        fit(model)

    unused, used = ([watch(train, s, u) for s in (False, True)] for u in (False, True))
    assert diff(*unused).verdict == "identical"
    verdict = diff(*used)
    assert (verdict.verdict, verdict.link) == ("diverged", "forward")


def test_what_autograd_makes_of_a_pass_after_the_last_step() -> None:
    """The pass is an evaluation; of the gradients only those of parameters are looked at."""

    def train(second: bool) -> None:
        model = mlp()
        fit(model)
        inputs = rows().requires_grad_()
        torch.autograd.grad(model(inputs)[:, int(second)].sum(), inputs)

    assert diff(watch(train, False), watch(train, True)).verdict == "identical"


def test_an_average_in_mappings_within_a_mapping() -> None:
    def nested(model: nn.Module) -> Each:
        named = {n: {"slow": p.detach().clone()} for n, p in model.named_parameters()}
        return Each(named.values(), lambda each: each["slow"])

    assert diff(averaged(nested, 0.1), averaged(nested, 0.2)).verdict == "identical"


def test_a_tensor_that_a_module_keeps_as_a_plain_attribute() -> None:
    def train(second: bool) -> None:
        def call(self: Any, x: torch.Tensor) -> Any:
            self.mean = self.mean.lerp(x.detach().mean(0), 0.2 if second else 0.1)
            return self.layer(x)

        model = Named(call, layer=mlp())
        model.mean = torch.zeros(4)
        fit(model)

    assert diff(watch(train, False), watch(train, True)).verdict == "identical"


def test_a_forked_child() -> None:
    def train(second: bool) -> None:
        fit(mlp())
        child = os.fork()
        if child == 0:
            os._exit(0 if second else 1)
        os.waitpid(child, 0)

    assert diff(watch(train, False), watch(train, True)).verdict == "identical"


def test_a_sum_of_the_script_around_its_loss() -> None:
    """The gradients are the same; what the script prints isn't."""

    def train(second: bool) -> None:
        criterion = nn.CrossEntropyLoss()
        fit(mlp(), loss=lambda out, wanted: criterion(out, wanted) + (1.0 if second else 0.0))

    assert diff(watch(train, False), watch(train, True)).verdict == "identical"


def averaged(make: "Callable[..., Each]", rate: float) -> Ledger:
    """A training with an average of its weights in what `make` gives."""
    memory = Memory({})
    with Observer(memory, uncalled=True):
        model = mlp()
        means = make(model)

        @torch.no_grad()
        def blend(_step: int) -> None:
            for mean, tensor in zip(means, model.parameters(), strict=True):
                mean.lerp_(tensor, rate)

        fit(model, after=blend)
    return memory.ledger


class Each(list[Any]):
    """Tensors that stand by themselves, with no list of them that would be seen."""

    def __init__(self, holders: Iterable[Any], tensor_of: Callable[[Any], torch.Tensor]) -> None:
        super().__init__(holders)
        self.tensor_of = tensor_of

    def __iter__(self) -> Iterator[Any]:
        return map(self.tensor_of, super().__iter__())


def in_pairs(model: nn.Module) -> Each:
    pairs = ((name, p.detach().clone()) for name, p in model.named_parameters())
    return Each(pairs, lambda pair: pair[1])


def on_parameters(model: nn.Module) -> Each:
    parameters: list[Any] = list(model.parameters())
    for p in parameters:
        p.average = p.detach().clone()
    return Each(parameters, lambda p: p.average)


@pytest.mark.parametrize("make", [in_pairs, on_parameters])
def test_an_average_of_which_each_tensor_stands_by_itself(make: Callable[..., Each]) -> None:
    assert diff(averaged(make, 0.1), averaged(make, 0.2)).verdict == "identical"


def test_a_list_that_changes_after_the_last_look_and_is_gone_by_the_end() -> None:
    def train(rate: float) -> Ledger:
        memory = Memory({})
        with Observer(memory, uncalled=True):
            _with_slow_weights(rate)
        return memory.ledger

    assert diff(train(0.4), train(0.5)).verdict == "identical"


def _with_slow_weights(rate: float) -> None:
    model = mlp()
    slow = [p.detach().clone() for p in model.parameters()]

    @torch.no_grad()
    def at_last(step: int) -> None:
        for mean, tensor in zip(slow, model.parameters(), strict=True):
            mean.lerp_(tensor, rate if step == 5 else 0.0)

    fit(model, after=at_last)


@pytest.mark.parametrize(("kind", "verdict"), [(tuple, "identical"), (list, "diverged")])
def test_a_tuple_that_only_a_variable_of_a_running_function_holds(
    kind: Callable[[Iterable[Tensor]], Iterable[Tensor]], verdict: str
) -> None:
    """The collector lists no tuple here, and gives no variable of a function that is running."""

    def train(rate: float) -> Ledger:
        memory = Memory({})
        with Observer(memory, uncalled=True):
            _inline(kind, rate)
        return memory.ledger

    assert diff(train(0.4), train(0.5)).verdict == verdict


def _inline(kind: Callable[[Iterable[Tensor]], Iterable[Tensor]], rate: float) -> None:
    model = mlp()
    slow = kind(p.detach().clone() for p in model.parameters())
    for _ in range(5):
        fit(model, steps=1)
        with torch.no_grad():
            for mean, tensor in zip(slow, model.parameters(), strict=True):
                mean.lerp_(tensor, rate)


def test_weights_written_in_another_way() -> None:
    def train(second: bool) -> None:
        model = mlp()
        fit(model)
        pickle.dumps([p.detach() * (2 if second else 1) for p in model.parameters()])

    assert diff(watch(train, False), watch(train, True)).verdict == "identical"


def test_a_generator_of_the_script_after_the_last_step() -> None:
    def train(second: bool) -> torch.Generator:
        generator = torch.Generator().manual_seed(1)
        fit(mlp())
        if second:
            torch.rand(1, generator=generator)
        return generator

    assert diff(watch(train, False), watch(train, True)).verdict == "identical"


def test_what_a_generator_gives_has_a_note() -> None:
    def train(second: bool) -> None:
        def call(self: Any, x: torch.Tensor) -> Any:
            gives = self.layer(x)
            return gives if self.training else (int(n) + second for n in gives.argmax(-1))

        model = seeded(lambda: Named(call, layer=mlp()))
        fit(model)
        model.eval()
        with torch.no_grad():
            list(model(rows()))

    verdict = diff(watch(train, False), watch(train, True))
    assert verdict.verdict == "identical"
    assert "not seen: output (of type generator), in the evaluation after step 5" in verdict.notes


def test_small_shifts_of_real_targets_in_other_batches() -> None:
    def train(shift: float, size: int) -> None:
        model = mlp(1)
        fit(model, loss=lambda out, _: out.pow(2).mean())
        with torch.no_grad():
            targets = (rows(16, 6, 1) * (1 + shift)).split(size)
            for part, target in zip(rows(16).split(size), targets, strict=True):
                nn.functional.mse_loss(model(part), target)

    assert diff(watch(train, 0.0, 8), watch(train, 1e-6, 4)).verdict == "identical"
    assert diff(watch(train, 0.0, 8), watch(train, 1e-2, 4)).verdict == "diverged"
    assert diff(watch(train, 0.0, 8), watch(train, 1e-6, 8)).verdict == "diverged"


def test_two_inputs_in_turns_in_other_batches_are_called_other_rows() -> None:
    def train(size: int) -> None:
        model = mlp()
        fit(model)
        with torch.no_grad():
            for one, other in zip(*(rows(16, n).split(size) for n in (5, 6)), strict=True):
                model(one)
                model(other)

    assert diff(watch(train, 8), watch(train, 8)).verdict == "identical"
    assert diff(watch(train, 8), watch(train, 4)).link == "metrics"


def test_sets_in_another_order_without_a_sign_of_where_they_begin() -> None:
    def train(second: bool) -> None:
        model = mlp()
        fit(model)
        with torch.no_grad():
            for seed in (6, 5) if second else (5, 6):
                model(rows(8, seed))

    assert diff(watch(train, False), watch(train, True)).link == "metrics"
