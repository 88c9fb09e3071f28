"""What a model was told beside its inputs, in the sentence: arguments and settings of modules."""

import gc
import weakref
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from reference.diff.ledgers import diff
from reference.diff.verdict_text import lines
from reference.ledger.reader import Ledger
from reference.ledger.record import encode
from reference.observe.step.settings import Settings
from tests.diff.pairs.small_trainings import Named, fit, labels, mlp, rows, seeded, sgd
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
    assert (
        "diverged: a and b part at step 1, link forward\nlikely cause: argument items is 512 in"
        in said
    )
    assert "\nlikely cause: argument items is 512 in A and absent in B" in said
    assert "what the model does inside" not in said


def test_an_argument_of_another_value_is_named() -> None:
    said = said_of({"items": 4, "verbose": True}, {"items": 8, "verbose": True})
    assert "\nlikely cause: argument items is 4 in A and 8 in B (2 times)" in said
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
    assert (
        "also: argument given[1] is run False in A and run True in B, as in the step before" in said
    )
    assert "argument given[2] is 1 in A and 2 in B (2 times)" in said


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
    assert "\nlikely cause: argument temperature is 1 in A and 2 in B" in said


def said_of_models(make: Any, **how: Any) -> str:
    """Of two trainings of `make(second)`."""

    def train(second: bool) -> None:
        fit(seeded(lambda: make(second)), **how)

    return "\n".join(lines("a and b", diff(*(watch(train, second) for second in (False, True)))))


@pytest.mark.parametrize(
    ("layer", "values", "said"),
    [
        (lambda p: nn.Dropout(p), (0.1, 0.2), "1.p is 0.1 in A and 0.2 in B (2 times)"),
        (
            lambda eps: nn.LayerNorm(6, eps=eps),
            (1e-5, 1e-12),
            "1.eps is 1e-05 in A and 1e-12 in B (1e+07 times)",
        ),
        (
            lambda eps: nn.BatchNorm1d(6, eps=eps),
            (1e-5, 1e-3),
            "1.eps is 1e-05 in A and 0.001 in B (100 times)",
        ),
        (
            lambda m: nn.BatchNorm1d(6, momentum=m),
            (0.1, 0.9),
            "1.momentum is 0.1 in A and 0.9 in B (9 times)",
        ),
        (lambda way: nn.GELU(way), ("none", "tanh"), "1.approximate is none in A and tanh in B"),
    ],
)
def test_what_a_module_is_set_to(layer: Any, values: tuple[Any, Any], said: str) -> None:
    text = said_of_models(
        lambda second: nn.Sequential(nn.Linear(4, 6), layer(values[second]), nn.Linear(6, 3))
    )
    assert text.startswith("diverged: ")
    assert f"\nlikely cause: {said}" in text
    assert "\nalso: " not in text


def test_settings_that_a_list_has_alike_are_one_line() -> None:
    def make(second: bool) -> nn.Module:
        return nn.Sequential(
            *(nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.2 if second else 0.1)) for _ in range(6)),
            nn.Linear(4, 3),
        )

    assert ("\nlikely cause: *.*.p is 0.1 (6 times) in A and 0.2 (6 times) in B") in said_of_models(
        make
    )


def test_one_setting_among_many_alike_is_named_by_its_place() -> None:
    def make(second: bool) -> nn.Module:
        drops = [0.1, 0.1, 0.2 if second else 0.1, 0.1]
        return nn.Sequential(nn.Linear(4, 6), *map(nn.Dropout, drops), nn.Linear(6, 3))

    said = said_of_models(make)
    assert "\nlikely cause: 3.p is 0.1 in A and 0.2 in B (2 times)" in said
    assert "\nalso: " not in said


def test_a_setting_of_no_effect_is_no_divergence() -> None:
    def make(second: bool) -> nn.Module:
        return nn.Sequential(nn.Linear(4, 3), nn.Dropout(0.2 if second else 0.1)).eval()

    assert said_of_models(make).startswith("identical: ")


def test_a_setting_that_changes_in_training_is_named_where_it_does() -> None:
    def train(second: bool) -> None:
        model = seeded(lambda: nn.Sequential(nn.Linear(4, 6), nn.Dropout(0.1), nn.Linear(6, 3)))
        fit(model, before=lambda step: setattr(model[1], "p", 0.3 if second and step == 4 else 0.1))

    ledgers = [watch(train, second) for second in (False, True)]
    assert [s.get("settings") for s in ledgers[1].steps[1:]] == [
        *(None, None, {"1.p": 0.3}, {"1.p": 0.1}),
    ]
    said = "\n".join(lines("a and b", diff(*ledgers)))
    assert "part at step 4" in said
    assert "\nlikely cause: 1.p is 0.1 in A and 0.3 in B (3 times)" in said


def test_an_attribute_of_a_module_of_ones_own() -> None:
    def make(second: bool) -> nn.Module:
        model = Named(lambda self, x: self.layer(x) / self.temperature, layer=nn.Linear(4, 3))
        model.temperature = 2.0 if second else 1.0
        return model

    assert "\nlikely cause: Named's temperature is 1 in A and 2 in B (2 times)" in said_of_models(
        make
    )


def test_frozen_parameters_are_named_by_their_part() -> None:
    def make(second: bool) -> nn.Module:
        model = nn.Sequential(nn.Sequential(nn.Linear(4, 6), nn.Tanh()), nn.Linear(6, 3))
        if second:
            model[0].requires_grad_(False)
            model[1].bias.requires_grad_(False)
        return model

    said = said_of_models(make)
    assert (
        "\nlikely cause: different parameters are trained: requires_grad is on for all in A and "
        "off for 1.bias, 0 in B" in said
    )


def test_parameters_that_are_thawed_later() -> None:
    def train(second: bool) -> None:
        model = seeded(lambda: nn.Sequential(nn.Linear(4, 6), nn.Linear(6, 3)))
        model[0].requires_grad_(False)
        fit(model, before=lambda step: model[0].requires_grad_(step >= (2 if second else 3)))

    said = "\n".join(lines("a and b", diff(*(watch(train, second) for second in (False, True)))))
    assert "part at step 2" in said
    assert (
        "\nlikely cause: different parameters are trained: requires_grad is off for 0 in A and on "
        "for all in B" in said
    )


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"label_smoothing": 0.1}, "label_smoothing is 0 in A and 0.1 in B"),
        ({"reduction": "sum"}, "reduction is mean in A and sum in B"),
        ({"ignore_index": 1}, "ignore_index is -100 in A and 1 in B"),
        (
            {"weight": torch.tensor([1.0, 2.0, 1.0])},
            "weight is absent in A and [1.0, 2.0, 1.0] in B",
        ),
    ],
)
def test_settings_of_a_loss_module(settings: dict[str, Any], said: str) -> None:
    def train(second: bool) -> None:
        fit(mlp(), loss=nn.CrossEntropyLoss(**settings if second else {}))

    text = "\n".join(lines("a and b", diff(*(watch(train, second) for second in (False, True)))))
    assert "unequal: loss: " in text
    assert f"\nlikely cause: CrossEntropyLoss.{said}" in text


class Weighed(nn.Module):
    """A loss that is told its weight."""

    def forward(self, given: Tensor, target: Tensor, weight: float = 1.0) -> Tensor:
        return cross_entropy(given, target) * weight


@pytest.mark.parametrize("by_name", [False, True])
def test_an_argument_of_a_loss_module(by_name: bool) -> None:
    def train(second: bool) -> None:
        def loss(given: Tensor, target: Tensor) -> Tensor:
            weight = {"weight": 2.0} if second else {}
            if by_name:
                return Weighed()(given=given, target=target, **weight)
            return Weighed()(given, target, **weight)

        fit(mlp(), loss=loss)

    ledgers = [watch(train, second) for second in (False, True)]
    said = "\n".join(lines("a and b", diff(*ledgers)))
    assert "unequal: loss: " in said
    assert "\nlikely cause: argument Weighed.weight is absent in A and 2 in B" in said


def test_settings_are_written_once() -> None:
    def train() -> None:
        fit(mlp(), loss=lambda out, y: nn.CrossEntropyLoss()(out, y))

    first, *later = watch(train).steps
    assert first["settings"]["requires_grad"] == "on for all"
    assert all("settings" not in step for step in later)


def test_models_of_other_names_are_compared_by_settings_that_both_have() -> None:
    def make(second: bool) -> nn.Module:
        drop = nn.Dropout(0.2 if second else 0.1)
        model = nn.Sequential(nn.Linear(4, 6), drop, nn.Linear(6, 3))
        return Named(lambda self, x: self.inner(x), inner=model) if second else model

    said = said_of_models(make)
    assert "parameters matched by position" in said
    assert "\nlikely cause: 1.p is 0.1 in A and 0.2 in B (2 times)" in said
    assert "\nalso: " not in said


def test_a_resumed_run_is_compared_by_the_settings_of_the_whole_one() -> None:
    def make() -> nn.Module:
        torch.manual_seed(1)
        return nn.Sequential(nn.Linear(4, 6), nn.LayerNorm(6), nn.Linear(6, 3))

    whole, half = make(), make()
    fit(half, steps=2)
    half[1].eps = 1e-2
    ledgers = watch(lambda: fit(whole)), watch(lambda: fit(half, steps=3, first=2))
    said = "\n".join(lines("a and b", diff(*ledgers)))
    assert "begins where" in said
    assert "\nlikely cause: 1.eps is 1e-05 in A and 0.01 in B (1000 times)" in said


def test_edited_arguments_and_settings_are_read_all_the_same() -> None:
    def edited(said: Any) -> Ledger:
        ledger = watch(lambda: scaled({"items": 4} if said == [1] else {"items": 8}))
        item = next(item for item in ledger.items if item.kind == "step")
        record = item.record
        record["batch"][0]["arguments"] = {"items": said, "x": {"y": said}}
        record["settings"] |= {"a.*.b": said, "a.1.b": {"c": said}, "requires_grad": said}
        item.line = encode(record)
        return ledger

    said = "\n".join(lines("a and b", diff(edited([1]), edited([]))))
    assert "argument items is [1] in A and [] in B" in said
    assert "also: different parameters are trained: requires_grad is [1] in A and [] in B" in said


class Unequal:
    """Something that a script keeps in a module, and that can't be compared or written."""

    def __eq__(self, other: object) -> bool:
        raise AssertionError("the script's own code is run")

    __hash__ = object.__hash__

    def __str__(self) -> str:
        raise AssertionError("the script's own code is run")


@pytest.mark.parametrize("later", ["rows", "number", "own", "address"])
def test_an_attribute_that_holds_no_plain_value_later_is_marked_once(later: str) -> None:
    kept: list[weakref.ref[Tensor]] = []

    def train() -> None:
        def call(self: Any, x: Tensor) -> Any:
            hidden = self.layer(x)
            number = hidden.mean()
            kept.append(weakref.ref(number))
            given = {"rows": hidden, "number": number, "own": Unequal(), "address": f"{object()}"}
            self.cache = given[later]
            return hidden

        model = seeded(lambda: Named(call, layer=nn.Linear(4, 3)))
        model.cache = 0
        fit(model)
        model.cache = 0
        gc.collect()
        assert all(number() is None for number in kept)

    told = [step.get("settings", {}).get("cache") for step in watch(train).steps]
    assert told == [0, "no plain value", None, None, None]


def test_a_text_with_an_address_is_no_setting() -> None:
    def make(_second: bool) -> nn.Module:
        model = Named(lambda self, x: self.layer(x), layer=nn.Linear(4, 3))
        model.told = f"{object()}"
        return model

    assert "told" not in watch(lambda: fit(seeded(lambda: make(False)))).steps[0]["settings"]


def test_a_loss_that_leaves_out_no_plain_label_is_seen() -> None:
    class Odd(nn.CrossEntropyLoss):
        def forward(self, given: Tensor, target: Tensor) -> Tensor:
            return cross_entropy(given, target)

    def train() -> None:
        loss = Odd()
        loss.ignore_index = Unequal()  # type: ignore[assignment]
        fit(mlp(), loss=loss)

    ledger = watch(train)
    assert len(ledger.steps) == 5
    assert "Odd.reduction" in ledger.steps[0]["settings"]
    assert "Odd.ignore_index" not in ledger.steps[0]["settings"]


def test_a_key_that_is_no_plain_value_is_told_by_its_place() -> None:
    step = watch(lambda: scaled({"options": {Unequal(): 1, "b": 2, 3: 4}})).steps[0]
    told = {"options[0]": 1, "options.b": 2, "options.3": 4}
    assert step["batch"][0]["arguments"] == told


def test_settings_of_a_model_whose_shapes_come_late_are_in_its_first_step() -> None:
    def make(second: bool) -> nn.Module:
        drop = nn.Dropout(0.2 if second else 0.1)
        return nn.Sequential(nn.LazyLinear(6), drop, nn.Linear(6, 3))

    said = said_of_models(make)
    assert "\nlikely cause: 1.p is 0.1 in A and 0.2 in B (2 times)" in said


def test_nothing_is_kept_of_the_settings_of_models_that_are_gone() -> None:
    settings = Settings()
    models = [mlp() for _ in range(20)]
    for number in range(20):
        settings.look(number, models[0], [])
        models.pop(0)
        gc.collect()
    told = settings.take()
    assert told["requires_grad"] == told["model19.requires_grad"] == "on for all"
    assert {*settings._models, *settings._known} == {19}
