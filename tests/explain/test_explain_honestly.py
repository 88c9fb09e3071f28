"""What gets `explain` further by a link of one step, and is no cause, isn't named."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch.optim import AdamW

from reference.deviations import Chosen
from reference.diff.divergence import Divergence
from reference.diff.ledgers import diff
from reference.diff.verdict import Verdict
from reference.explain.explanation_text import words
from reference.explain.outcome import Outcome
from reference.explain.path import dropped, until_contradicted
from reference.ledger.reader import Item, Ledger, Memory
from reference.ledger.record import encode
from reference.lesson.loops import manual
from reference.lesson.recipe import Recipe
from reference.observe.observer import Observer
from reference.run.header import header
from reference.run.prepare import quiet
from tests.helpers.planted import data_of, explained, keep, planted


def kept_of_loop(recipe: Recipe) -> Ledger:
    """The manual loop's ledger, as it is patched."""
    torch.set_num_threads(recipe.num_threads)  # as its header says, whatever test came before
    data = data_of(recipe)
    memory = Memory(header(recipe, "manual", data))
    with Observer(memory):
        manual.train(recipe, data)
    return memory.ledger


def zeroes_every_second_step(monkeypatch: pytest.MonkeyPatch) -> None:
    zero_grad, calls = AdamW.zero_grad, [0]

    def sometimes(self: AdamW, set_to_none: bool = True) -> None:
        calls[0] += 1
        if calls[0] % 2 == 0:
            zero_grad(self, set_to_none)

    monkeypatch.setattr(AdamW, "zero_grad", sometimes)


def clips_all_but_the_head(monkeypatch: pytest.MonkeyPatch) -> None:
    clip = torch.nn.utils.clip_grad_norm_

    def most(parameters: Any, bound: float) -> torch.Tensor:
        return clip(list(parameters)[:-2], bound)

    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", most)


def steps_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    make = manual.get_scheduler

    def with_another_step(*args: Any, optimizer: AdamW, **kwargs: Any) -> Any:
        scheduler = make(*args, optimizer=optimizer, **kwargs)
        step = scheduler.step

        def stepped() -> None:
            optimizer.step()
            step()

        scheduler.step = stepped
        return scheduler

    monkeypatch.setattr(manual, "get_scheduler", with_another_step)


LOOPS: dict[str, tuple[Callable[[pytest.MonkeyPatch], None], tuple[int, str]]] = {
    "zeroes every second step": (zeroes_every_second_step, (2, "gradient")),
    "clips all but the head": (clips_all_but_the_head, (1, "clip")),
    "steps twice": (steps_twice, (2, "batch")),
}


@pytest.mark.parametrize("name", LOOPS)
def test_a_loop_that_nobody_knows_gets_no_name(
    name: str, small: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    quiet()
    recipe = replace(small, max_grad_norm=0.5)
    plant, where = LOOPS[name]
    with monkeypatch.context() as patched:
        plant(patched)
        target = kept_of_loop(recipe)
    verdict = diff(keep(recipe), target)
    assert (verdict.step, verdict.link) == where
    found = explained(target, recipe)
    said = words(found)
    assert said[0] == "not explained"
    assert found.outcome.chosen == ()
    assert (found.outcome.verdict.step, found.outcome.verdict.link) == where
    assert found.tried > 0
    assert f"({found.tried} tried here" in "\n".join(said)
    assert found.dropped is None or "the runs part again at step" in "\n".join(said)


def made_up(step: int, link: str, *chosen: Chosen, schedules: tuple[Any, Any] = (1, 1)) -> Outcome:
    """A replay that parts there."""
    left, right = ({"schedule": one} for one in schedules)
    verdict = Verdict("diverged", step - 1, step, link, "a and b", (link,))
    return Outcome(chosen, verdict, step, 40, Divergence(step, link, [], left, right))


SEED, CLIP, NEVER, EPS, ORDER = map(
    planted, ("order-seed", "no-clip", "schedule-never-stepped", "eps", "no-shuffle")
)


@pytest.mark.parametrize(
    ("path", "kept"),
    [
        # An order whose first labels are alike by chance; one that held for a while.
        ([made_up(1, "batch"), made_up(1, "batch", SEED)], 1),
        ([made_up(1, "batch"), made_up(9, "batch", SEED)], 1),
        ([made_up(1, "batch"), made_up(19, "batch", SEED)], 2),
        # Batches that came out equal as a whole are no chance.
        ([made_up(1, "batch"), made_up(5, "batch", ORDER)], 2),
        # A guess on the way that the end does without is nobody's contradiction.
        ([made_up(1, "batch"), made_up(1, "batch", SEED), made_up(1, "batch", ORDER)], 3),
        # The same link again, at once or after a while; another link says nothing.
        ([made_up(3, "clip"), made_up(4, "clip", CLIP)], 1),
        ([made_up(3, "clip"), made_up(13, "clip", CLIP)], 2),
        ([made_up(3, "clip"), made_up(4, "forward", CLIP)], 2),
        # A field of the optimizer is explained though another one isn't.
        ([made_up(1, "optimizer"), made_up(1, "optimizer", EPS)], 2),
        # The schedule can be seen to be another where the runs part in something else.
        ([made_up(1, "schedule"), made_up(2, "batch", NEVER, schedules=(1, 2))], 1),
        ([made_up(1, "schedule"), made_up(2, "batch", NEVER)], 2),
        # Where the last one goes, what it hid speaks against the one before.
        ([made_up(1, "clip"), made_up(2, "clip", CLIP), made_up(11, "clip", CLIP, EPS)], 1),
        # What rests on a name that goes, goes.
        ([made_up(1, "clip"), made_up(2, "optimizer", CLIP), made_up(3, "clip", CLIP, EPS)], 1),
    ],
)
def test_what_its_own_end_speaks_against_is_left_out(path: list[Outcome], kept: int) -> None:
    assert len(until_contradicted(tuple(path))) == kept


def test_what_is_dropped_is_named_as_it_was_switched_on() -> None:
    """A guess in the middle, which the end does without: names are those of the replay."""
    path = (
        made_up(1, "clip"),
        made_up(2, "clip", CLIP),
        made_up(3, "clip", CLIP, EPS),
        made_up(4, "clip", EPS, NEVER),
    )
    kept = until_contradicted(path)
    assert len(kept) < len(path)
    contradicted = dropped(path, kept)
    assert contradicted is not None
    names, verdict = contradicted
    after = path[len(kept)]
    assert verdict is after.verdict
    assert names == tuple(c for c in after.chosen if c not in kept[-1].chosen)
    assert dropped(path, path) is None


def test_what_is_proven_is_never_left_out() -> None:
    proven = Outcome((CLIP,), Verdict("identical", 40), 40, 40, None)
    assert until_contradicted((made_up(1, "clip"), proven))[-1] is proven


def test_other_labels_beside_this_datas_inputs(small: Recipe) -> None:
    quiet()
    data = data_of(small)
    collate = data.collator

    def turned(rows: Any) -> Any:
        batch = collate(rows)
        return {**batch, "labels": 1 - batch["labels"]}

    memory = Memory({"schema": 2})
    with Observer(memory):
        manual.train(small, replace(data, collator=turned))
    found = explained(memory.ledger, small)
    said = "\n".join(words(found))
    assert "the inputs are this data's, and the labels beside them are others" in said
    assert "next: see where the loop takes its labels from" in said


def test_notes_name_the_replay_and_the_ledger(small: Recipe) -> None:
    quiet()
    target = keep(small)
    items = []
    for item in target.items:
        record = {k: v for k, v in item.record.items() if k != "gradient"}
        items.append(Item(encode(record), item.where))
    said = "\n".join(words(explained(Ledger(target.header, items), small)))
    assert "not compared: gradient, which the ledger lacks" in said
    assert "second ledger" not in said
    assert "B's" not in said


def with_another_norm(target: Ledger, step: int) -> Ledger:
    """Edited: the norm of one step's gradients isn't theirs."""
    items = []
    for item in target.items:
        record = item.record
        if record.get("step") == step and record["kind"] == "step":
            record = {**record, "gradient": {**record["gradient"], "norm": 5.0}}
        items.append(Item(encode(record), item.where))
    return Ledger(target.header, items)


def test_an_edited_ledger_proves_nothing(small: Recipe) -> None:
    """Equal in what is compared; a norm in it isn't that of its tensors."""
    quiet()
    target = keep(small)
    found = explained(with_another_norm(target, 3), small)
    assert not found.proven
    said = "\n".join(words(found))
    assert said.startswith("not explained")
    assert "the ledger's step 3, gradient: not its tensors' norm" in said


def test_an_edited_ledger_is_equal_with_what_was_planted(small: Recipe) -> None:
    quiet()
    target = keep(small, CLIP)
    said = words(explained(with_another_norm(target, 9), small))
    assert said[0] == "not explained in full; so far: no-clip"
    assert "the ledger's step 9, gradient: not its tensors' norm" in "\n".join(said)
    assert "nothing can be proven by this ledger" in "\n".join(said)
