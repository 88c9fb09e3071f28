"""`explain` names what was planted, and proves it; or says honestly that it can't."""

import copy
import itertools
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from reference.cli.main import main
from reference.deviations import CATALOGUE, Chosen, Conflict
from reference.diff.ledgers import diff
from reference.diff.verdict import Verdict
from reference.explain.explanation import Explanation
from reference.explain.explanation_text import words
from reference.explain.outcome import Outcome
from reference.explain.path import without_idle
from reference.explain.replay import Replays
from reference.ledger.reader import Item, Ledger, Memory
from reference.ledger.record import encode
from reference.lesson import metrics
from reference.lesson.loops import manual
from reference.lesson.recipe import Recipe
from reference.observe.observer import Observer
from reference.run.header import header
from reference.run.prepare import quiet
from tests.conftest import write_mrpc
from tests.helpers.planted import answer, data_of, explained, keep, names, planted, setting
from tests.helpers.small import net, train, watch

FEW = (
    "accumulation",
    "eps",
    "no-clip",
    "never-zeroed",
    "no-shuffle",
    "f1-of-class-0",
    "clip-after-step",
)


def check_single(name: str, small: Recipe) -> None:
    quiet()
    recipe = setting(small, name)
    target = keep(recipe, planted(name))
    assert diff(keep(recipe), target).verdict == "diverged"
    found = explained(target, recipe)
    assert found.proven
    assert names(found) == {answer(name)}
    assert found.outcome.verdict.steps == len(target.steps)


@pytest.mark.parametrize("name", FEW)
def test_a_deviation_is_named_and_proven(name: str, small: Recipe) -> None:
    check_single(name, small)


@pytest.mark.slow
@pytest.mark.parametrize("name", [n for n in CATALOGUE if n not in FEW])
def test_each_deviation_is_named_and_proven(name: str, small: Recipe) -> None:
    check_single(name, small)


@pytest.mark.slow
def test_pairs_drawn_at_random(small: Recipe) -> None:
    """At least 200 pairs that both show: 90 of 100 named and proven, and none named wrongly."""
    quiet()
    tally: Counter[str] = Counter()
    pairs = int(os.environ.get("REFERENCE_PAIRS", "220"))  # fewer, for a look

    @settings(max_examples=pairs, deadline=None, derandomize=True, database=None,
              suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(st.sampled_from(list(itertools.combinations(CATALOGUE, 2))))
    def one(pair: tuple[str, str]) -> None:
        kind = pair_answered(pair, small)
        assume(kind is not None)
        tally[str(kind)] += 1

    one()
    print(f"\n{dict(tally)}")
    assert tally.total() >= pairs * 200 // 220
    assert tally["both"] >= 0.9 * tally.total(), tally
    assert not tally["wrong"], tally


def pair_answered(pair: tuple[str, str], small: Recipe) -> str | None:
    """How two planted ones are answered; None where they conflict, or one hides the other."""
    recipe = setting(small, *pair)
    one, other = map(planted, pair)
    try:
        target = keep(recipe, one, other)
    except (Conflict, RuntimeError, ValueError, IndexError, KeyError):
        return None
    for without in ((), (one,), (other,)):
        if diff(keep(recipe, *without), target).verdict == "identical":
            return None
    found = explained(target, recipe)
    kind = judged(found, target, recipe, {answer(name) for name in pair})
    if kind != "both":
        chosen = list(map(str, found.outcome.chosen))
        print(f"\n{kind}: {pair}: {chosen}, {found.outcome.verdict.detail[:200]}")
    return kind


def judged(found: Explanation, target: Ledger, recipe: Recipe, expected: set[str]) -> str:
    """`both`, `the same run` by other names, `remainder`, or `wrong`.

    A set that is called proven is put to the test anew, in runs of its own: with all of it the loop
    makes the target, and without any one of it another run. So a name that does nothing, or gives
    another run, is wrong, whatever the search says.
    """
    chosen = found.outcome.chosen
    if not found.proven:
        return "remainder" if names(found) <= expected else "wrong"
    if diff(keep(recipe, *chosen), target).verdict != "identical":
        return "wrong"
    for one in chosen:
        fewer = [c for c in chosen if c is not one]
        if diff(keep(recipe, *fewer), target).verdict == "identical":
            return "wrong"
    # Bit for bit the same run, and nothing in it is idle: a run that has two descriptions.
    return "both" if names(found) == expected else "the same run"


WRONG: dict[str, tuple[str, ...]] = {
    "one that does nothing": ("eps", "no-clip", "peeked-at-a-batch"),  # without dropout
    "one for another": ("eps", "clip-norm"),
    "one too few": ("eps",),
    "none": (),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_name_fails_the_judgement_of_a_pair(name: str, small: Recipe) -> None:
    """What a search might say, and call proven: only the planted pair passes."""
    quiet()
    recipe, right = replace(small, dropout=0.0), ("eps", "no-clip")
    target = keep(recipe, *map(planted, right))
    for said, kind in ((WRONG[name], "wrong"), (right, "both")):
        outcome = Outcome(tuple(map(planted, said)), Verdict("identical", 18), 18, 18, None)
        found = Explanation(outcome, (), 1, 18)
        assert found.proven
        assert judged(found, target, recipe, set(right)) == kind


def test_two_at_the_same_link(small: Recipe) -> None:
    quiet()
    chosen = (Chosen(CATALOGUE["eps"], 1e-6), Chosen(CATALOGUE["beta2"], 0.98), planted("no-clip"))
    found = explained(keep(small, *chosen), small)
    assert found.proven
    assert set(found.outcome.chosen) == set(chosen)


def test_one_that_shows_by_what_another_makes_of_the_recipe(small: Recipe) -> None:
    """As the stock Trainer with accumulated gradients, held against a recipe without any."""
    quiet()
    recipe = replace(small, max_steps=3)
    chosen = (Chosen(CATALOGUE["accumulation"], 4), planted("loss-not-divided"))
    found = explained(keep(recipe, *chosen), recipe)
    assert found.proven
    assert set(found.outcome.chosen) == set(chosen)


def test_the_recipe_s_own_run_has_nothing_to_explain(small: Recipe) -> None:
    found = explained(keep(small), small)
    assert found.proven
    assert found.outcome.chosen == ()
    assert found.replays == 1


def test_what_nobody_knows_is_said_to_be_unknown(
    small: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Gradients with their sign turned, where one deviation more is a known one."""
    original = manual.load_model

    def turned(recipe: Recipe) -> torch.nn.Module:
        model = original(recipe)
        for parameter in model.parameters():
            parameter.register_hook(lambda gradient: -gradient)
        return model

    monkeypatch.setattr(manual, "load_model", turned)
    data = data_of(small)
    memory = Memory(header(small, "manual", data))
    with Observer(memory):
        manual.train(small, data)
    monkeypatch.undo()
    found = explained(memory.ledger, small)
    assert not found.proven
    assert not found.outcome.chosen
    verdict = found.outcome.verdict
    assert (verdict.step, verdict.link) == (1, "gradient")


def test_a_ledger_that_was_cut_is_explained_as_far_as_it_goes(small: Recipe) -> None:
    target = keep(small, planted("eps"))
    del target.items[12:]
    found = explained(target, small)
    assert found.proven
    assert names(found) == {"eps"}
    assert found.outcome.known_steps == len(target.steps) == 11


class MadeUp:
    """A search whose replays are given: how many steps each set of deviations is equal for."""

    def __init__(self, equal: dict[frozenset[str], int]) -> None:
        self._equal = equal

    def run(self, chosen: Sequence[Chosen]) -> Outcome:
        steps = self._equal[frozenset(c.deviation.name for c in chosen)]
        verdict = Verdict("diverged", steps, steps + 1, "batch", "a and b", ("batch",))
        return Outcome(tuple(chosen), verdict, steps, 40, None)


def test_a_guess_that_the_truth_overtakes_is_named_nowhere() -> None:
    """A seed got a step further, and then the order that was meant got further without it."""
    guess, truth = planted("order-seed"), planted("global-order")
    equal = {(): 0, ("order-seed",): 1, ("global-order",): 9, ("order-seed", "global-order"): 9}
    search: Any = MadeUp({frozenset(names): steps for names, steps in equal.items()})
    path = tuple(search.run(chosen) for chosen in ((), (guess,), (guess, truth)))
    kept = without_idle(path, search.run)
    assert kept[-1].chosen == (truth,)
    said = words(Explanation(kept[-1], kept[:-1], 4, 10))
    assert said[0] == "not explained in full; so far: global-order"
    assert not any("order-seed" in line for line in said)


def test_an_evaluation_that_is_run_again_starts_as_the_training_left_it(small: Recipe) -> None:
    """An evaluation leaves the model in its own mode, which the next one must not find."""
    quiet()
    both = (planted("evaluated-on-training-set"), planted("evaluation-in-train-mode"))
    for before, chosen in ((both[:1], both), ((), both[1:])):
        target, data = keep(small, *chosen), data_of(small)
        replays = Replays(target, header(small, "manual", data), small, data)
        assert not replays.run(before).proven
        again = replays.run(chosen)
        assert again.proven
        assert again.steps == 0


def test_a_replay_that_breaks_proves_nothing(
    small: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Training and predictions come out equal, and then the scores raise."""
    quiet()
    target, data = keep(small), data_of(small)

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("no metric")

    monkeypatch.setattr(metrics.GlueMetric, "_compute", broken)
    outcome = Replays(target, header(small, "manual", data), small, data).run(())
    assert "no metric" in outcome.failure
    assert not outcome.proven


def test_a_ledger_of_another_model_is_not_called_the_recipe_s(small: Recipe) -> None:
    memory = Memory({})
    model = torch.nn.Linear(2, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with Observer(memory):
        for _ in range(3):
            model(torch.ones(1, 2)).sum().backward()
            optimizer.step()
    for target in (memory.ledger, Ledger({}, memory.ledger.items[:-1])):
        found = explained(target, small)
        assert not found.proven
        assert found.outcome.verdict.verdict == "incomparable"
        assert "the models have different parameters" in found.outcome.verdict.detail


def test_a_ledger_without_what_proves_is_not_proven(small: Recipe) -> None:
    target = keep(small)
    lacking = []
    for item in target.items:
        record = dict(item.record)
        record.pop("gradient", None)
        lacking.append(Item(encode(record), item.where))
    found = explained(Ledger(target.header, lacking), small)
    assert not found.proven
    assert found.outcome.verdict.notes == ("not compared: gradient, which B lacks",)


def test_the_command(small: Recipe, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--data", small.data, "--max-steps", "5", "--device", "cpu"]
    deviating = [*options, "--adam-epsilon", "1e-6", "--max-grad-norm", "0"]
    assert main(["train", "manual", *deviating, "--run-dir", str(tmp_path / "run")]) == 0
    capsys.readouterr()
    assert main(["explain", str(tmp_path / "run"), *options]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0] == "proven: no-clip; eps 1e-06"
    assert "the last one equal in every link of all 5 steps" in out[-1]
    assert any("the same run: clip-after-step" in line for line in out)
    # The length is the ledger's own, where its header says it.
    shorter = ["--data", small.data, "--device", "cpu"]
    assert main(["explain", str(tmp_path / "run"), *shorter]) == 0
    assert "so is the recipe's (--max-steps 5)" in capsys.readouterr().out
    # A run that was cut is equal as far as it goes, and isn't called the recipe's.
    whole = (tmp_path / "run" / "ledger.jsonl").read_bytes().splitlines(keepends=True)
    (tmp_path / "cut.jsonl").write_bytes(b"".join(whole[:5]))
    assert main(["explain", str(tmp_path / "cut.jsonl"), *options]) == 2
    out = capsys.readouterr().out
    assert out.startswith("proven as far as it goes: no-clip; eps 1e-06; equal for 3 steps; a run")
    # Another recipe's data is no deviation.
    assert main(["explain", str(tmp_path / "run"), "--max-steps", "5"]) == 2
    error = capsys.readouterr().err
    assert "field data: the ledger is of" in error
    assert main(["explain", str(tmp_path / "nowhere")]) == 2


def test_how_long_a_script_s_run_was_to_be_is_read_off(
    small: Recipe, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of a whole one; of one that was killed its schedule may be the deviation, and is named."""
    shorter = replace(small, max_steps=7)  # of 18
    target = without_header(keep(shorter))
    options = ["--data", small.data, "--device", "cpu"]
    for items, code, said in (
        (target.items, 0, "the ledger's run came to its end after 7 steps, and so does"),
        (target.items[:5], 2, "if the run was meant to be that long: --max-steps 7"),
    ):
        file = tmp_path / "script.jsonl"
        lines = [encode(target.header), *(item.line for item in items)]
        file.write_bytes(b"".join(lines))
        assert main(["explain", str(file), *options]) == code
        out = capsys.readouterr().out
        assert said in out
        assert ("proven as far as it goes: total-steps 7" in out) == (code == 2)


def test_another_model_s_ledger_is_wrong_input(
    small: Recipe, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "mlp.jsonl"
    ledger = watch(lambda: train(net()))
    file.write_bytes(encode({"kind": "header", "schema": 2}))
    with open(file, "ab") as out:
        out.writelines(item.line for item in ledger.items)
    assert main(["explain", str(file), "--data", small.data, "--device", "cpu"]) == 2
    out = capsys.readouterr().out
    assert "the models have different parameters" in out
    assert "next: give the ledger's own model with --checkpoint" in out
    assert "tied" not in out  # all norms of a fresh model are alike, and so are those of ours


WAYS = ("1 - step / total", "lr * steps left / total", "LinearLR")


@pytest.mark.parametrize(("way", "steps"), [*((way, -1) for way in WAYS), ("LinearLR", 16)])
def test_a_schedule_that_differs_by_a_rounding_is_named(
    way: str, steps: int, small: Recipe
) -> None:
    """Both values are shown with as many digits as tell them apart."""
    quiet()
    recipe, chosen = replace(small, max_steps=steps), Chosen(CATALOGUE["schedule-rounded"], way)
    found = explained(keep(recipe, chosen), recipe)
    assert found.proven
    assert found.outcome.chosen == (chosen,)
    (unequal,) = found.path[0].verdict.unequal
    assert f"{unequal.left!r} and {unequal.right!r}" in "\n".join(words(found))
    assert abs(unequal.left - unequal.right) < 1e-18


def without_header(ledger: Ledger) -> Ledger:
    """As a script's."""
    return Ledger({"schema": 2, "kind": "header"}, ledger.items)


@pytest.mark.slow
def test_other_data_is_recognised_before_anything_is_replayed(
    small: Recipe, tmp_path: Path
) -> None:
    quiet()
    other = replace(small, data=str(write_mrpc(tmp_path, 90, 20)))
    for recipe in (replace(other, data_order="global"), replace(other, seed=7)):
        found = explained(without_header(keep(recipe)), small)
        said = words(found)
        assert found.replays == 1
        assert said[0] == "not explained"
        assert said[1].startswith("  step 1, link batch: ")
        assert "input_ids: " in said[1]
        assert "these batches aren't of this data: none of " in said[2]
        assert said[-1].startswith("next: give the ledger's own data with --data")


@pytest.mark.slow
def test_the_same_rows_in_an_unknown_form_are_not_called_other_data(small: Recipe) -> None:
    quiet()
    target = keep(small)
    items = list(target.items)
    first = next(i for i, item in enumerate(items) if item.kind == "step")
    record = copy.deepcopy(items[first].record)
    record["batch"][0]["input_ids"][0] = "0" * 32
    items[first] = Item(encode(record), "edited")
    said = words(explained(without_header(Ledger({}, items)), small))
    assert "the labels are this data's, but none of " in said[2]
    assert said[-1].startswith("next: see how the run makes its inputs")


def test_a_candidate_that_cannot_show_is_not_replayed(
    small: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An edited gradient, which nothing explains: all that could are tried, and no others."""
    quiet()
    target = keep(small)
    items = list(target.items)
    first = next(i for i, item in enumerate(items) if item.kind == "step")
    record = copy.deepcopy(items[first].record)
    record["gradient"].update(hash="0" * 32, tensors=record["gradient"]["tensors"][::-1])
    items[first] = Item(encode(record), "edited")
    tried: list[tuple[Chosen, ...]] = []
    run = Replays.run

    def spy(self: Replays, chosen: Sequence[Chosen]) -> Outcome:
        tried.append(tuple(chosen))
        return run(self, chosen)

    monkeypatch.setattr(Replays, "run", spy)
    found = explained(Ledger(target.header, items), small)
    assert not found.proven
    assert words(found)[-1].startswith("next: see what the loop does at step 1 for its gradient")
    singles = [chosen[0].deviation for chosen in tried if len(chosen) == 1]
    assert "label-smoothing" in {d.name for d in singles}
    assert all(d.applies_to(small, 44) for d in singles)


def test_one_that_only_shows_beside_another_is_tried(small: Recipe) -> None:
    """Decay on biases does nothing in a recipe without decay, and does with it."""
    quiet()
    assert not CATALOGUE["decay-on-biases"].applies_to(small, 44)
    chosen = (Chosen(CATALOGUE["weight-decay"], 0.05), Chosen(CATALOGUE["decay-on-biases"]))
    found = explained(keep(small, *chosen), small)
    assert found.proven
    assert set(found.outcome.chosen) == set(chosen)


def test_a_script_s_length_is_its_own(
    small: Recipe, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of a whole ledger; but another number of epochs is a deviation."""
    quiet()
    ledger = tmp_path / "ledger.jsonl"
    options = ["--data", small.data, "--device", "cpu"]

    def said(target: Ledger, *more: str) -> tuple[int, str]:
        lines = [encode({"kind": "header", "schema": 2}), *(item.line for item in target.items)]
        ledger.write_bytes(b"".join(lines))
        code = main(["explain", str(ledger), *options, *more])
        return code, capsys.readouterr().out

    seven = keep(replace(small, max_steps=7), planted("eps"))
    code, out = said(seven)
    assert (code, "after 7 steps, and so does the recipe's (--max-steps 7" in out) == (0, True)
    assert "proven: eps 1e-06" in out
    code, out = said(seven, "--num-train-epochs", "3")  # somebody says otherwise
    assert (code, "so does the recipe's" in out) == (1, False)
    assert out.splitlines()[-1].startswith("next: ")
    code, out = said(Ledger({}, seven.items[:-1]))  # it was cut
    assert "so does the recipe's" not in out
    code, out = said(keep(replace(small, num_train_epochs=1)))
    assert (code, out.splitlines()[0]) == (0, "proven: epochs 1")


def test_another_task_is_called_so(
    small: Recipe, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    header = {"kind": "header", "schema": 2, "recipe": {"task": "sst2"}}
    items = keep(replace(small, max_steps=1)).items
    (tmp_path / "l").write_bytes(encode(header) + b"".join(item.line for item in items))
    assert main(["explain", str(tmp_path / "l"), "--data", small.data, "--device", "cpu"]) == 2
    error = capsys.readouterr().err
    assert "field recipe.task: the ledger is of task sst2, the recipe of mrpc; give --task" in error


def test_an_edited_ledger_is_one_line_before_anything_is_trained(
    small: Recipe, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    items = keep(replace(small, max_steps=3)).items
    lines = [item.line for item in items]
    lines[3] = lines[3].replace(b'"clip":{', b'"clip":null,"was":{')
    header = encode({"kind": "header", "schema": 2})
    (tmp_path / "l").write_bytes(header + b"".join(lines))
    assert main(["explain", str(tmp_path / "l"), "--data", small.data, "--device", "cpu"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert f"{tmp_path / 'l'}: row 5: field clip: missing" in captured.err


def test_deviations_are_listed_and_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["deviations"]) == 0
    out = capsys.readouterr().out
    assert all(f"{name} " in out for name in CATALOGUE)
    assert main(["deviations", "no-clip"]) == 0
    assert "-                torch.nn.utils.clip_grad_norm_" in capsys.readouterr().out
    assert main(["deviations", "no-clap"]) == 2
    assert "did you mean no-clip?" in capsys.readouterr().err
