"""What a model was told beside its inputs, in the sentence: arguments and settings of modules."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from reference.diff.ledgers import diff
from reference.diff.verdict_text import lines
from tests.diff.pairs.small_trainings import Named, labels, rows, seeded, sgd
from tests.helpers.small import watch


def scaled(given: dict[str, Any], steps: int = 3, first: int = 1) -> None:
    """Trains a model whose loss is a sum that is divided by an argument."""

    def call(
        self: Any, x: Tensor, y: Tensor, items: Any = None, *, verbose: bool = False, **_rest: Any
    ) -> Any:
        logits = self.layer(x)
        loss = cross_entropy(logits, y, reduction="mean" if items is None else "sum")
        return {"loss": loss if items is None else loss / items, "logits": logits}

    class Scaled(Named):
        def forward(
            self, x: Tensor, y: Tensor, items: Any = None, verbose: bool = False, **rest: Any
        ) -> Any:
            return call(self, x, y, items, verbose=verbose, **rest)

    model = seeded(lambda: Scaled(call, layer=nn.Linear(4, 3)))
    optimizer = sgd(model)
    for step in range(1, steps + 1):
        optimizer.zero_grad()
        named = given if step >= first else {}
        model(rows(seed=step), labels(seed=step), **named)["loss"].backward()
        optimizer.step()


def said_of(a: dict[str, Any], b: dict[str, Any], **how: Any) -> str:
    ledgers = (watch(lambda given=given: scaled(given, **how)) for given in (a, b))
    return "\n".join(lines("a and b", diff(*ledgers)))


@pytest.mark.parametrize("items", [512, torch.tensor(512), np.int64(512)])
def test_an_argument_of_one_run_is_named(items: Any) -> None:
    said = said_of({"items": items}, {})
    assert "diverged: a and b part at step 1, link forward: loss: " in said
    assert "\nargument items: 512 and absent" in said
    assert "what the model does inside" not in said


def test_an_argument_of_another_value_is_named() -> None:
    said = said_of({"items": 4, "verbose": True}, {"items": 8, "verbose": True})
    assert "\nargument items: 4 and 8 (2 times)" in said
    assert "verbose" not in said


def test_an_argument_of_no_effect_is_no_divergence() -> None:
    assert said_of({"verbose": True, "use_cache": 1}, {}).startswith("identical: ")


@pytest.mark.parametrize("default", [{"verbose": False}, {"items": None}, {"anything": None}])
def test_an_argument_with_its_default_is_one_that_is_not_given(default: dict[str, Any]) -> None:
    given = watch(lambda: scaled(default)).steps[0]["batch"]
    assert given == watch(lambda: scaled({})).steps[0]["batch"]
    assert "arguments" not in given[0]


def test_an_argument_that_did_nothing_in_the_step_before_is_said_to() -> None:
    def train(second: bool) -> None:
        def call(self: Any, x: Tensor, tag: str, scale: float) -> Tensor:
            return self.layer(x).pow(2).mean() * scale

        model = seeded(lambda: Named(call, layer=nn.Linear(4, 3)))
        optimizer = sgd(model)
        for step in range(1, 4):
            optimizer.zero_grad()
            model(rows(seed=step), f"run {second}", 2.0 if second and step == 3 else 1.0).backward()
            optimizer.step()

    said = "\n".join(lines("a and b", diff(*(watch(train, second) for second in (False, True)))))
    assert "part at step 3, link forward" in said
    assert "given[1]: run False and run True, as in the step before, which was equal" in said
    assert "argument given[2]: 1 and 2 (2 times)" in said


def test_what_is_kept_of_arguments_is_bounded() -> None:
    long = {"text": "x" * 5000, "sizes": list(range(100)), "pairs": [(1, 2)], "huge": 1 << 20000}
    many = {f"n{i:04}": i for i in range(3000)}
    step = watch(lambda: scaled({**long, "many": many, "deep": [[[1]]]})).steps[0]
    kept = step["batch"][0]["arguments"]
    assert kept["pairs[0][0]"] == 1
    assert kept["pairs[0][1]"] == 2
    assert kept["text"].startswith("xxxx")
    assert kept["sizes"].startswith("100 values, ")
    assert kept["many"] == "more than 256 values"
    assert sum(len(f"{name}{value}") for name, value in kept.items()) < 500
    assert len(watch(lambda: scaled(many)).steps[0]["batch"][0]["arguments"]) == 16


def test_arguments_of_an_evaluation_are_named() -> None:
    def evaluate(second: bool) -> None:
        def call(self: Any, x: Tensor, temperature: float = 1.0) -> Tensor:
            return self.layer(x) / temperature

        model = seeded(lambda: Named(call, layer=nn.Linear(4, 3)))
        model(rows()).pow(2).mean().backward()
        sgd(model).step()
        with torch.no_grad():
            for batch in range(3):
                model(rows(seed=batch), temperature=2.0 if second else 1.0)

    said = "\n".join(lines("a and b", diff(*(watch(evaluate, s) for s in (False, True)))))
    assert "link metrics" in said
    assert "\nargument temperature: 1 and 2" in said
