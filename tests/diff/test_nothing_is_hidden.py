"""Runs that differ where it is easy to look away."""

import copy
import gc
import weakref
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim import SGD

from reference.diff.ledgers import diff
from reference.errors import InputError
from reference.ledger import reader
from reference.ledger.reader import Item, Ledger
from reference.ledger.record import SCHEMA, Record, encode
from reference.observe.tensors.hashing import hash_tensors
from tests.helpers.small import UNEVALUATED, net, train, watch


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


def test_buffers_of_one_name_are_two() -> None:
    def wrapped(momentum: float) -> None:
        inner = nn.Sequential(nn.Linear(4, 2))
        inner.add_module("norm", nn.BatchNorm1d(2, affine=False, momentum=momentum))
        inner(torch.zeros(2, 4))
        model = Normed(inner, 0.1)
        inner.eval()
        train(model)
        inner.train()
        with torch.no_grad():
            inner(torch.ones(2, 4))
            inner.norm.running_mean.mul_(momentum)  # type: ignore[union-attr, operator]

    assert len(watch(wrapped, 0.1).steps[0]["update"]["buffers"]["tensors"]) == 6
    assert diff(watch(wrapped, 0.1), watch(wrapped, 0.5)).verdict == "diverged"


def test_a_wrappers_own_buffers_are_compared_at_the_end() -> None:
    def wrapped(resets: bool) -> None:
        inner = nn.Sequential(nn.Linear(4, 2))
        inner(torch.zeros(2, 4))
        model = Normed(inner, 0.1)
        train(model)
        if resets:
            model.norm.reset_running_stats()

    verdict = diff(watch(wrapped, False), watch(wrapped, True))
    assert (verdict.verdict, verdict.step, verdict.link) == ("diverged", 3, "update")


@pytest.mark.parametrize("looks_first", [False, True])
def test_what_is_thawed_under_a_wrapper_has_its_gradients(looks_first: bool) -> None:
    def thawed() -> None:
        inner = net().requires_grad_(False)
        inner(torch.ones(1, 4))
        model = nn.Sequential(inner, nn.Softmax(-1))
        if looks_first:
            model(torch.ones(1, 4))
        inner.requires_grad_(True)
        train(model, 1)

    (record,) = watch(thawed).steps
    assert record["gradient"]["backward_passes"] == 1
    assert "-" not in record["gradient"]["tensors"].split()


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
    assert any("the evaluation after step 3 of A" in n for n in verdict.notes)


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
    assert (verdict.verdict, verdict.step) == ("diverged", 2)


def _distributed(rank: int, store: Path) -> None:
    """One of two processes: the gradients in its ledger are those that its script sees."""
    method = store.as_uri()
    torch.distributed.init_process_group("gloo", init_method=method, rank=rank, world_size=2)
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


def test_gradients_are_read_when_all_processes_have_given_theirs(tmp_path: Path) -> None:
    torch.multiprocessing.spawn(_distributed, (tmp_path / "store",), nprocs=2)


def test_steps_in_a_row_leave_an_end_that_can_be_compared() -> None:
    def twice(resets: bool) -> None:
        model = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3))
        optimizer = SGD(model.parameters(), 0.1)
        model(torch.randn(5, 4)).sum().backward()
        optimizer.step()
        optimizer.step()
        if resets:
            torch.nn.init.zeros_(model[0].weight)  # type: ignore[arg-type]

    assert diff(watch(twice, False), watch(twice, False)).verdict == "identical"
    assert diff(watch(twice, False), watch(twice, True)).verdict == "diverged"


STEP_2 = b'{"kind":"step","step":2,'


def test_buffers_that_were_edited_are_not_filled_in() -> None:
    ledger = watch(lambda: train(nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3))))
    edited = copy.deepcopy(ledger)
    (place,) = (
        i for i, one in enumerate(edited.items) if (one.kind, one.record.get("step")) == ("step", 2)
    )
    edited.items[place].record["weights"]["buffers"]["hash"] = "0" * 32
    edited.items[place] = Item(encode(edited.items[place].record), "edited")
    verdict = diff(ledger, edited)
    assert (verdict.verdict, verdict.step, verdict.link) == ("diverged", 2, "weights")


@pytest.mark.parametrize("probe", [False, True])
def test_weights_that_change_after_the_last_step_are_seen_beside_another_model(probe: bool) -> None:
    """A second model's pass makes other lists of weights: those of the trained one are compared."""

    def trained(wiped: bool, looked_at: bool) -> None:
        model = net()
        train(model)
        if looked_at:
            nn.Linear(2, 3)(model(torch.zeros(5, 4)))
        if wiped:
            with torch.no_grad():
                model[0].weight.zero_()

    same = diff(watch(trained, False, False), watch(trained, False, probe))
    assert same.verdict == "identical"
    verdict = diff(watch(trained, False, False), watch(trained, True, probe))
    assert (verdict.verdict, verdict.step, verdict.link) == ("diverged", 3, "update")
    assert "after the last step: 1 of 4 tensors, first 0.weight" in verdict.detail


def test_last_weights_that_cant_be_compared_are_no_identical_run() -> None:
    """As an older ledger has them: one hash of other lists."""

    def trained(looked_at: bool) -> None:
        model = net()
        train(model)
        if looked_at:
            nn.Linear(2, 3)(model(torch.zeros(5, 4)))

    one, other = watch(trained, False), watch(trained, True)
    for ledger in (one, other):
        ledger.end.pop("tensors")  # type: ignore[union-attr]
    verdict = diff(one, other)
    assert verdict.verdict == "incomparable"
    assert "the last weights are of different lists of them" in verdict.detail


def edited(ledger: Ledger, step: int, change: Callable[[Record], None]) -> Ledger:
    """With one step's record changed, and its line."""
    items = []
    for item in ledger.items:
        record = copy.deepcopy(item.record)
        if record.get("step") == step and record["kind"] == "step":
            change(record)
        items.append(Item(encode(record), item.where))
    return Ledger(ledger.header, items)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda r: r["update"].update(tensors="garbage"), "update: not its tensors' hash"),
        (lambda r: r["gradient"].update(norm=5.0), "gradient: not its tensors' norm"),
        (lambda r: r["gradient"].update(norms="1 2 3 4"), "gradient: not its tensors' norm"),
        (lambda r: r["weights"].update(tensors="a b c d"), "weights: not its tensors' hash"),
    ],
)
def test_a_record_that_contradicts_itself_is_no_identical_run(
    change: Callable[[Record], None], said: str
) -> None:
    ledger = watch(lambda: train(net()))
    verdict = diff(ledger, edited(ledger, 2, change))
    assert verdict.verdict == "incomparable"
    assert f"B's step 2, {said}" in verdict.detail
    assert diff(edited(ledger, 2, lambda r: None), ledger).verdict == "identical"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda r: r["rng"].update(torch=["0" * 16, True]), "rng torch, unequal in step 2"),
        (
            lambda r: r["forward"][0].update(loss=0.5),
            "",  # that only one shows a loss is no difference
        ),
        (lambda r: r["mode"].update(training=False), "mode training, unequal in step 2"),
        (lambda r: r.update(batch=[{}]), "batch input, only in one in step 2"),
        (
            lambda r: r["gradient"].update(backward_passes=7),
            "gradient backward passes, unequal in step 2",
        ),
        (
            lambda r: r["schedule"].update(next_learning_rate=[123.0]),
            "schedule next_learning_rate, unequal in step 3",
        ),
    ],
)
def test_what_is_unequal_to_no_effect_is_said_beside_an_identical_run(
    change: Callable[[Record], None], said: str
) -> None:
    ledger = watch(lambda: train(net()))
    verdict = diff(ledger, edited(ledger, 3 if "schedule" in said else 2, change))
    assert verdict.verdict == "identical"
    assert verdict.notes == ((f"of no effect: {said}",) if said else ()) + (UNEVALUATED,)


def test_an_optimizers_step_without_a_pass_is_not_the_schedules() -> None:
    def trained(again: bool) -> None:
        model = net()
        optimizer = SGD(model.parameters(), 0.1)
        scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1)
        for _ in range(3):
            optimizer.zero_grad()
            model(torch.randn(5, 4)).pow(2).sum().backward()
            optimizer.step()
            if again:
                optimizer.step()
            scheduler.step()

    verdict = diff(watch(trained, False), watch(trained, True))
    assert (verdict.verdict, verdict.step, verdict.link) == ("diverged", 2, "batch")
    assert "forward passes: 1 and 0" in verdict.detail


def test_what_follows_within_a_step_from_its_rate_is_the_rates() -> None:
    """LBFGS calls its closure again: the second pass is of weights that it has moved."""

    def trained(rate: float, history: int, first: float = 1.0) -> None:
        model = net()
        optimizer = torch.optim.LBFGS(model.parameters(), rate, history_size=history)
        inputs = first * torch.randn(5, 4)

        def closure() -> Tensor:
            optimizer.zero_grad()
            loss: Tensor = model(inputs).pow(2).sum()
            loss.backward()
            return loss

        for _ in range(2):
            optimizer.step(closure)

    verdict = diff(watch(trained, 0.1, 100), watch(trained, 0.2, 100))
    assert (verdict.step, verdict.link) == (1, "optimizer")
    assert verdict.detail.startswith("learning_rate: 0.1 and 0.2")
    verdict = diff(watch(trained, 0.1, 100), watch(trained, 0.1, 1))
    assert (verdict.step, verdict.link) == (1, "optimizer")
    assert verdict.detail.startswith("history_size: 100 and 1")
    verdict = diff(watch(trained, 0.1, 100), watch(trained, 0.2, 100, 2.0))
    assert (verdict.step, verdict.link) == (1, "batch")  # the first pass is nobody's effect


def test_a_run_on_bare_tensors_is_read_by_its_optimizer() -> None:
    def trained(times: float) -> None:
        weight = nn.Parameter(torch.ones(3))
        optimizer = SGD([weight], 0.1)
        for _ in range(2):
            (times * weight.pow(2).sum()).backward()
            optimizer.step()
            optimizer.zero_grad()

    ledger = watch(trained, 1.0)
    assert {"weights", "clip", "update", "unseen"} <= set(ledger.steps[0])
    assert "no forward pass used" in ledger.steps[1]["unseen"]
    assert diff(ledger, watch(trained, 1.0)).verdict == "incomparable"  # nothing of batches is seen
    verdict = diff(ledger, watch(trained, 2.0))
    assert (verdict.verdict, verdict.step, verdict.link) == ("diverged", 1, "clip")


def test_a_file_of_one_endless_line_is_no_ledger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as /dev/zero, of which no line ends."""
    monkeypatch.setattr(reader, "LONGEST", 1000)
    file = tmp_path / "zeros"
    file.write_bytes(bytes(5000))
    with pytest.raises(InputError, match="row 1: longer than any record; not a ledger"):
        list(reader.read_items(file))


class Whole(nn.Module):
    """A model of which a part may be called before it."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3))
        self.head = nn.Linear(3, 2)

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.head(self.body(x))
        return output


@pytest.mark.parametrize("change", ["body.0.weight", "body.1.running_mean"])
def test_what_changes_after_the_last_step_of_a_model_seen_first_in_part_is_seen(
    change: str,
) -> None:
    def trained(looked_at: bool, wiped: bool) -> None:
        model = Whole()
        if looked_at:
            model.body.eval()
            model.body(torch.zeros(5, 4))  # a look at the features, gradients on
            model.body.train()
        train(model)
        if wiped:
            with torch.no_grad():
                model.state_dict()[change].add_(1.0)

    for looked_at in (False, True):
        assert diff(watch(trained, looked_at, False), watch(trained, False, False)).verdict == (
            "identical"
        )
        for pair in ((True, False), (False, True)):
            one, other = (watch(trained, looked_at, wiped) for wiped in pair)
            assert diff(one, other).verdict == "diverged"
            verdict = diff(watch(trained, False, pair[0]), watch(trained, looked_at, pair[1]))
            assert (verdict.verdict, verdict.step, verdict.link) == ("diverged", 3, "update")


def test_a_model_that_only_one_runs_last_step_used_is_named() -> None:
    def trained(looked_at: bool) -> None:
        model, other = net(), nn.Linear(2, 3)
        for number in range(2):
            if number == 0 or looked_at:
                other(torch.zeros(5, 2))  # nobody learns from it
            train(model, 1)

    verdict = diff(watch(trained, False), watch(trained, True))
    assert verdict.verdict == "identical"
    assert any("2 tensors, first" in note and "only one run used" in note for note in verdict.notes)


def test_bare_parameters_in_one_group_or_two_are_the_same_optimizer() -> None:
    def trained(groups: int, rate: float) -> None:
        one, other = (nn.Parameter(torch.ones(3)) for _ in range(2))
        each = [[one, other]] if groups == 1 else [[one], [other]]
        optimizer = SGD([{"params": params} for params in each], rate)
        for _ in range(2):
            (one * other).sum().backward()
            optimizer.step()
            optimizer.zero_grad()

    verdict = diff(watch(trained, 1, 0.1), watch(trained, 2, 0.1))
    assert verdict.verdict == "incomparable"
    verdict = diff(watch(trained, 1, 0.1), watch(trained, 2, 0.2))
    assert (verdict.verdict, verdict.link) == ("diverged", "optimizer")


def test_what_may_be_the_cause_is_not_said_to_be_of_no_effect() -> None:
    """A generator that is drawn from to no effect, until the batches are."""

    def trained(seed: int) -> None:
        model = net()
        optimizer = SGD(model.parameters(), 0.1)
        torch.manual_seed(seed)
        for number in range(4):
            inputs = torch.ones(5, 4) if number < 2 else torch.randn(5, 4)
            optimizer.zero_grad()
            loss = model(inputs).pow(2).sum()
            torch.rand(1)
            loss.backward()
            optimizer.step()

    verdict = diff(watch(trained, 1), watch(trained, 2))
    assert (verdict.verdict, verdict.step, verdict.link) == ("diverged", 3, "batch")
    said = (
        "unequal before that, to no effect until then: rng torch, unequal in 2 steps, the first 1"
    )
    assert verdict.notes == (said,)


def test_rates_of_groups_in_other_places_are_the_same_rates() -> None:
    def trained(looked_at: bool) -> None:
        model = Whole()
        if looked_at:
            model.head(torch.zeros(5, 3))
        parts = [{"params": model.body.parameters(), "lr": 0.1}]
        optimizer = SGD([*parts, {"params": model.head.parameters(), "lr": 0.2}])
        for _ in range(2):
            optimizer.zero_grad()
            model(torch.randn(5, 4)).pow(2).sum().backward()
            optimizer.step()

    verdict = diff(watch(trained, False), watch(trained, True))
    assert verdict.verdict == "identical"
    assert not any("next_learning_rate" in note for note in verdict.notes)


def test_a_closures_first_gradient_is_nobodys_effect() -> None:
    def trained(rate: float, times: float) -> None:
        model = net()
        optimizer = torch.optim.LBFGS(model.parameters(), rate)
        inputs = torch.randn(5, 4)

        def closure() -> Tensor:
            optimizer.zero_grad()
            loss: Tensor = times * model(inputs).pow(2).sum()
            loss.backward()
            return loss

        optimizer.step(closure)

    for rate in (0.1, 0.2):
        verdict = diff(watch(trained, 0.1, 1.0), watch(trained, rate, 1.5))
        assert (verdict.step, verdict.link) == (1, "gradient")
        assert "norm after the first call" in verdict.detail


def test_a_newer_schemas_own_words_are_no_contradiction() -> None:
    ledger = watch(lambda: train(net()))
    newer = edited(ledger, 2, lambda r: r["gradient"].update(norms="one two", norm=7.0))
    verdict = diff(ledger, Ledger({**ledger.header, "schema": SCHEMA + 1}, newer.items))
    assert verdict.verdict == "incomparable"
    assert "not its tensors'" not in f"{verdict.detail} {verdict.notes}"


class Scaled(nn.Module):
    """With state of its own, called as many a module's."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 2)
        self.register_buffer("scale", torch.tensor(value))

    def forward(self, x: Tensor) -> Tensor:
        return torch.as_tensor(self.layer(x) * self.scale)


def closures(rate: float = 0.1, other: float = 1.0, tolerance: float = 1e-7) -> None:
    """LBFGS on two passes a call, the second of other inputs."""
    model = net()
    optimizer = torch.optim.LBFGS(model.parameters(), rate, tolerance_grad=tolerance)
    one, two = torch.randn(5, 4), other * torch.randn(5, 4)

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss: Tensor = (model(one) - model(two)).pow(2).sum()
        loss.backward()
        return loss

    optimizer.step(closure)


@pytest.mark.parametrize(
    ("changed", "link"),
    [({"other": 2.0}, "batch"), ({"rate": 0.2}, "optimizer"), ({"tolerance": 10.0}, "optimizer")],
)
def test_passes_of_a_closures_first_call_are_nobodys_effect(
    changed: dict[str, float], link: str
) -> None:
    """Nor is another number of calls a cause."""
    verdict = diff(watch(closures), watch(lambda: closures(**changed)))
    assert (verdict.verdict, verdict.step, verdict.link) == ("diverged", 1, link)


def test_other_models_buffers_at_the_end_are_not_compared() -> None:
    def trained(second: bool) -> None:
        model, teachers = net(), [Scaled(0.5), Scaled(0.25)]
        for teacher in teachers:
            nn.init.zeros_(teacher.layer.bias)  # they give the same, and are two
            teacher(torch.zeros(5, 4))
        train(model, 1)
        teachers[second](torch.zeros(5, 4))  # nobody learns from it
        train(model, 1)

    verdict = diff(watch(trained, False), watch(trained, True))
    assert verdict.verdict == "identical"
    assert any("only one run used" in note for note in verdict.notes)


def test_a_wrapper_called_once_keeps_no_model_alive() -> None:
    dead: list[weakref.ref[nn.Module]] = []

    class Both(nn.Module):
        def __init__(self, one: nn.Module, other: nn.Module) -> None:
            super().__init__()
            self.one, self.other = one, other

        def forward(self, x: Tensor) -> Tensor:
            return torch.as_tensor(self.one(x) + self.other(x))

    def trained() -> None:
        one, other = net(), net()
        other(torch.zeros(5, 4))
        one(torch.zeros(5, 4))
        Both(one, other)(torch.zeros(5, 4))
        dead.append(weakref.ref(other[0].weight))
        del other
        train(one, 2)
        gc.collect()
        assert dead[0]() is None

    watch(trained)


def test_a_weight_whose_memory_was_given_back_ends_no_training() -> None:
    def trained() -> None:
        model, offloaded = net(), nn.Linear(4, 2)
        (model(torch.ones(5, 4)) + offloaded(torch.ones(5, 4))).sum().backward()
        offloaded.weight.untyped_storage().resize_(0)
        train(model)

    assert watch(trained).end is not None  # and the process goes on


@pytest.mark.parametrize("changed", [False, True])
def test_buffers_of_one_name_in_two_models_are_told_apart(changed: bool) -> None:
    """One run looks at a teacher before its model is seen, which then has another number."""

    def trained(looked_at: bool, scale: float) -> None:
        model, teacher = Scaled(0.5), nn.Sequential(nn.Linear(4, 3), Normed(nn.Linear(3, 2), 0.1))
        teacher.register_buffer("scale", torch.tensor(0.25))
        if looked_at:
            teacher(torch.ones(5, 4))
        train(model, 2)
        model.scale.fill_(scale)  # type: ignore[operator, union-attr]

    verdict = diff(watch(trained, False, 0.5), watch(trained, True, 0.75 if changed else 0.5))
    if changed:
        assert (verdict.verdict, verdict.step, verdict.link) == ("diverged", 2, "update")
        assert "scale" in verdict.detail
    else:
        assert verdict.verdict == "identical"
