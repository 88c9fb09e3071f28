"""What a ledger can't see, as docs/ledger.md lists it: a test for each line, so that it is true."""

import os
from typing import Any

import torch
from torch.nn.functional import linear

from reference.diff.ledgers import diff
from reference.ledger.record import Ledger, Memory
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


def test_an_average_in_plain_tensors() -> None:
    def looked_around(second: bool) -> Ledger:
        memory = Memory({})
        with Observer(memory, uncalled=True):
            model = mlp()
            average = {name: tensor.clone() for name, tensor in model.state_dict().items()}

            def blend(_step: int) -> None:
                for name, tensor in model.state_dict().items():
                    average[name].lerp_(tensor, 0.2 if second else 0.1)

            fit(model, after=blend)
        return memory.ledger

    assert diff(looked_around(False), looked_around(True)).verdict == "identical"


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


def test_a_forked_child() -> None:
    def train(second: bool) -> None:
        fit(mlp())
        child = os.fork()
        if child == 0:
            os._exit(0 if second else 1)
        os.waitpid(child, 0)

    assert diff(watch(train, False), watch(train, True)).verdict == "identical"
