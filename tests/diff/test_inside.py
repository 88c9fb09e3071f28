"""Which module of a model is the first that is unequal, and what is different of it."""

import copy
import random
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, dropout
from torch.optim import SGD
from transformers import BertConfig, BertForSequenceClassification

from reference.diff.ledgers import diff
from reference.diff.verdict_text import lines
from reference.ledger.reader import Item, Ledger
from reference.ledger.record import encode
from tests.diff.pairs.small_trainings import labels, rows, seeded
from tests.helpers.refusal import refusal, says
from tests.helpers.small import watch

Loss = Callable[[Tensor, Tensor], Tensor]


def train(model: nn.Module, loss: Loss | None = None, *, seed: int = 0) -> None:
    torch.manual_seed(seed)
    optimizer = SGD(model.parameters(), 0.1)
    for step in range(2):
        optimizer.zero_grad()
        given = model(rows(seed=step))
        (given.sum() if loss is None else loss(given, labels(seed=step))).backward()
        optimizer.step()


def said(a: Ledger, b: Ledger) -> str:
    """What is said of the inside."""
    found = [note for note in diff(a, b).notes if note.startswith("inside: ")]
    return "\n".join(line.removeprefix("inside: ") for line in found)


def of_models(a: nn.Module, b: nn.Module, *losses: Loss) -> str:
    pair = zip((a, b), losses or (None, None), strict=True)
    return said(*(watch(train, model, loss, inside=(1, 2)) for model, loss in pair))


def bert(attention: str = "eager", **config: Any) -> BertForSequenceClassification:
    sizes = {"hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2}
    sizes |= {"intermediate_size": 8, "vocab_size": 20, "max_position_embeddings": 8}
    whole = BertConfig(**sizes, attn_implementation=attention, **config)
    model: BertForSequenceClassification = seeded(lambda: BertForSequenceClassification(whole))
    return model.train()


def train_bert(model: nn.Module) -> None:
    torch.manual_seed(0)
    optimizer = SGD(model.parameters(), 0.1)
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(0, 20, (2, 6), generator=generator)
    mask = torch.ones_like(ids)
    mask[0, 4:] = 0
    model(input_ids=ids, attention_mask=mask, labels=torch.tensor([0, 1])).loss.backward()
    optimizer.step()


def of_berts(a: nn.Module, b: nn.Module) -> str:
    return said(*(watch(train_bert, model, inside=(1,)) for model in (a, b)))


LAYER = "bert.encoder.layer.1"


def test_dropout_of_one_layer_by_its_name_and_both_values() -> None:
    other = bert()
    other.bert.encoder.layer[1].output.dropout.p = 0.2
    assert of_berts(bert(), other) == (
        f"{LAYER}.output.dropout (Dropout) is the first whose output is unequal; what goes in is "
        "equal; p: 0.1 and 0.2"
    )


def test_dropout_that_attention_computes_without_calling_it() -> None:
    other = bert("sdpa")
    other.bert.encoder.layer[1].attention.self.dropout.p = 0.2
    assert of_berts(bert("sdpa"), other) == (
        f"in {LAYER}.attention.self (BertSelfAttention) itself, after its parts: what these give "
        "is equal, and its own output is the first that isn't; its dropout's p: 0.1 and 0.2"
    )


def test_an_implementation_of_attention_by_its_layer() -> None:
    assert of_berts(bert("eager"), bert("sdpa")) == (
        "in bert (BertModel) itself, before it calls bert.encoder (BertEncoder), whose "
        "attention_mask is the first that is unequal (float32 [2, 1, 6, 6] and bool [2, 1, 6, 6]);"
        " the first unequal output is that of bert.encoder.layer.0.attention.self "
        "(BertSelfAttention); _attn_implementation: eager and sdpa"
    )


def test_the_eps_of_a_norm() -> None:
    other = bert()
    other.bert.encoder.layer[0].output.LayerNorm.eps = 1e-3
    found = of_berts(bert(), other)
    says(found, "bert.encoder.layer.0.output.LayerNorm (LayerNorm) is the first whose output is")
    says(found, "; what goes in is equal; eps: 1e-12 and 0.001")


def test_another_gelu() -> None:
    found = of_berts(bert(hidden_act="gelu"), bert(hidden_act="gelu_new"))
    says(found, "bert.encoder.layer.0.intermediate.intermediate_act_fn (GELUActivation and New")
    says(found, "is the first whose output is unequal; what goes in is equal")


class Steps(nn.Module):
    """Two layers with something between them, and something after them."""

    def __init__(self, between: Any = None, after: Any = None) -> None:
        super().__init__()
        self.between, self.after = between, after
        self.a, self.b = nn.Linear(4, 4), nn.Linear(4, 3)

    def forward(self, x: Tensor, scale: float | None = None) -> Tensor:
        x = self.a(x)
        x = self.b(self.between(x) if self.between else x)
        return self.after(x) if self.after else x


def steps(between: Any = None, after: Any = None) -> Steps:
    model: Steps = seeded(lambda: Steps(None, None))
    model.between, model.after = between, after
    return model


def half(x: Tensor) -> Tensor:
    return dropout(x, 0.5)


def tenth(x: Tensor) -> Tensor:
    return dropout(x, 0.1)


def test_what_a_module_does_between_its_parts() -> None:
    found = of_models(nn.Sequential(steps(tenth)), nn.Sequential(steps(half)))
    assert found == (
        "in 0 (Steps) itself, before it calls 0.b (Linear), whose input is the first that is "
        "unequal; the first unequal output is that of 0.b (Linear); 0's between: tenth and half"
    )


def test_what_a_module_does_after_its_parts() -> None:
    found = of_models(steps(after=tenth), steps(after=half))
    says(found, "in the model (Steps) itself, after its parts: what these give is equal, and its")
    says(found, "; after: tenth and half")


def test_a_module_that_only_one_run_has() -> None:
    found = of_models(steps(), steps(nn.Dropout(0.2)))
    says(found, "in the model (Steps) itself, before it calls b (Linear), whose input is the first")
    says(found, "; before that only B calls between (Dropout)")


def test_one_that_does_nothing_is_no_cause() -> None:
    found = of_models(steps(nn.Identity(), nn.Dropout(0.1)), steps(None, nn.Dropout(0.2)))
    says(found, "after (Dropout) is the first whose output is unequal", "; p: 0.1 and 0.2")
    says(found, "; before that only A calls between (Identity)")


class Parts(nn.Module):
    """A layer, dropout and a layer, called in some order."""

    def __init__(self, order: str, drop: str = "b", p: float = 0.5) -> None:
        super().__init__()
        self.order = list(order)
        self.add_module("a", nn.Linear(4, 4))
        self.add_module(drop, nn.Dropout(p))
        self.add_module("c", nn.Linear(4, 2))

    def forward(self, x: Tensor) -> Tensor:
        for name in self.order:
            x = self.get_submodule(name)(x)
        return x


def test_modules_that_are_called_in_another_order() -> None:
    found = of_models(seeded(lambda: Parts("abc")), seeded(lambda: Parts("bac")))
    says(found, "in the model (Parts) itself: all is equal up to where A calls a ")
    says(found, "(Linear) and B calls b (Dropout)")


def test_a_part_of_another_name_is_the_same_part() -> None:
    found = of_models(seeded(lambda: Parts("abc")), seeded(lambda: Parts("adc", "d", 0.2)))
    says(found, "b (Dropout) is the first whose output is unequal; what goes in is equal")


def test_a_temporary_module_is_named_by_its_class() -> None:
    found = of_models(
        steps(lambda x: nn.Dropout(0.1)(nn.Dropout(0.3)(x))),
        steps(lambda x: nn.Dropout(0.2)(nn.Dropout(0.3)(x))),
    )
    says(found, "Dropout 2 is the first whose output is unequal; what goes in is equal; p: 0.1 and")


@pytest.mark.parametrize(("draw", "told"), [(lambda: torch.rand(1), True), (random.random, False)])
def test_random_numbers_that_were_drawn_before(draw: Callable[[], Any], told: bool) -> None:
    """Python's own are often others in each process, and no module of torch's draws them."""

    def drawing(x: Tensor) -> Tensor:
        draw()
        return x

    found = of_models(
        steps(lambda x: x, nn.Dropout(0.5)), steps(drawing, nn.Dropout(0.5 if told else 0.4))
    )
    says(found, "after (Dropout) is the first whose output is unequal; what goes in is equal")
    assert found.endswith("; the random generators stood elsewhere when it was called") == told


def test_a_loss_module_after_the_model() -> None:
    found = of_models(
        steps(), steps(), nn.CrossEntropyLoss(), nn.CrossEntropyLoss(label_smoothing=0.1)
    )
    says(found, "CrossEntropyLoss is the first whose output is unequal; what goes in is equal")
    says(found, "; label_smoothing: 0.0 and 0.1")


def test_what_a_script_does_to_outputs_before_their_loss() -> None:
    loss = nn.CrossEntropyLoss()

    def scaled(given: Tensor, wanted: Tensor) -> Tensor:
        given = given.view_as(given)
        given.mul_(2)
        return loss(given, wanted)

    found = of_models(steps(), steps(), loss, scaled)
    says(found, "in the script itself, before it calls CrossEntropyLoss, whose input is the first")


def test_an_argument_that_only_one_run_gives() -> None:
    class Scaled(nn.Module):
        def __init__(self, options: dict[str, float]) -> None:
            super().__init__()
            self.part, self._options = Part(), options

        def forward(self, x: Tensor) -> Tensor:
            given: Tensor = self.part(x, **self._options)
            return given

    class Part(nn.Linear):
        def __init__(self) -> None:
            super().__init__(4, 2)

        def forward(self, x: Tensor, **options: float) -> Tensor:
            return super().forward(x) * options.get("scale", 1.0)

    found = of_models(seeded(lambda: Scaled({})), seeded(lambda: Scaled({"scale": 2.0})))
    says(found, "part (Part)", "; yet only B gives it scale (2.0)")


def test_equal_inside_though_the_gradients_are_not() -> None:
    found = of_models(
        nn.Sequential(steps(), nn.Dropout(0.0)),
        nn.Sequential(steps(), nn.Dropout(0.0, inplace=True)),
        cross_entropy,
        lambda given, wanted: 2 * cross_entropy(given, wanted),
    )
    assert found == (
        "all 5 calls of modules are equal, in and out; unequal all the same: 1's inplace: False "
        "and True"
    )


def test_the_pass_is_named_where_there_are_several() -> None:
    def twice(p: float) -> None:
        model = seeded(lambda: nn.Sequential(nn.Linear(4, 2), nn.Dropout(0.1)))
        optimizer = SGD(model.parameters(), 0.1)
        model(rows()).sum().backward()
        model[1].p = p
        model(rows()).sum().backward()
        optimizer.step()

    a, b = (watch(twice, p, inside=(1,)) for p in (0.1, 0.4))
    says(said(a, b), "pass 2, 1 (Dropout) is the first whose output", "p: 0.1 and 0.4")


class Outer(nn.Module):
    """Another model around one."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        given: Tensor = self.net(x)
        return given


@pytest.mark.parametrize("wrap", [Outer, lambda m: Outer(Outer(m))], ids=["once", "twice"])
def test_a_wrapped_model_is_compared_with_one_that_is_not(wrap: Callable[[Steps], Outer]) -> None:
    plain, other = steps(after=nn.Dropout(0.1)), wrap(steps(after=nn.Dropout(0.2)))
    for pair in ((plain, other), (other, plain)):
        found = of_models(*(copy.deepcopy(model) for model in pair))
        says(found, "after (Dropout) is the first whose output is unequal", "; p: 0.")


def test_how_to_get_it_where_no_ledger_holds_it() -> None:
    a, b = (watch(train, steps(after=after)) for after in (tenth, half))
    text = "\n".join(lines("a and b", diff(a, b)))
    says(text, "diff --inside A B runs both again up to step 1; or observe them with --inside 1\n")
    a = watch(train, steps(after=tenth), inside=(1,))
    says("\n".join(lines("a and b", diff(a, b))), "--inside 1, as A has been")


def test_no_such_hint_where_they_part_before_the_forward_pass() -> None:
    a, b = watch(train, steps()), watch(train, steps(), lambda given, wanted: given.sum() * 2)
    assert "inside" not in "\n".join(lines("a and b", diff(a, b)))


def test_two_equal_runs_are_identical_whatever_one_holds_beside() -> None:
    a, b = (watch(train, steps(), inside=which) for which in ((), (1, 2)))
    assert diff(a, b).verdict == "identical"
    assert "inside" not in "\n".join(lines("a and b", diff(a, b)))


def test_what_a_ledger_left_out_is_said() -> None:
    a, b = (watch(train, steps(), f, inside=(1,)) for f in (None, lambda y, _: 2 * y.sum()))
    b = edited(b, lambda inside: inside.update(left_out=7))
    a = edited(a, lambda inside: inside.update(lost="RuntimeError: why"))
    says(said(a, b), "of A no more is known (RuntimeError: why)")
    says(said(a, b), "of B 7 calls more aren't listed")


def edited(ledger: Ledger, edit: Callable[[dict[str, Any]], Any]) -> Ledger:
    """The ledger with the first pass of its first step changed."""
    items = []
    for item in ledger.items:
        record = copy.deepcopy(item.record)
        if record.get("step") == 1 and "inside" in record:
            edit(record["inside"][0])
        items.append(Item(encode(record), item.where))
    return Ledger(ledger.header, items)


@pytest.mark.parametrize(
    "edit",
    [
        lambda inside: inside.pop("calls"),
        lambda inside: inside.update(calls=None),
        lambda inside: inside["calls"][0].__setitem__(0, 99),
        lambda inside: inside["calls"][0].__setitem__(1, 1),
        lambda inside: inside["calls"][0].pop(),
        lambda inside: inside["calls"][0].__setitem__(3, {"x": 1}),
        lambda inside: inside["calls"].extend([[0, d, "", {}, {}] for d in range(2, 500)]),
        lambda inside: inside["modules"][0].__setitem__(3, 99),
        lambda inside: inside["settings"].append(["p"]),
        lambda inside: inside.update(left_out=-1),
    ],
    ids=lambda _: "edit",
)
def test_a_record_that_somebody_edited_is_refused(edit: Callable[[dict[str, Any]], Any]) -> None:
    a, b = (watch(train, steps(after=after), inside=(1,)) for after in (tenth, half))
    bad = edited(b, edit)
    says(refusal(lambda: diff(a, bad)), "field inside", "record the run again")
