"""`assert_same_run`: a faithful loop passes, a wrong one is told what is wrong with it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.optim import AdamW
from transformers import get_scheduler, set_seed

from reference.errors import InputError
from reference.lesson.data.pipeline import get_dataloaders
from reference.lesson.loops import accelerated, manual, trainer
from reference.lesson.metrics import last_scores
from reference.lesson.model import load_model, parameter_groups
from reference.lesson.recipe import Recipe
from reference.lesson.recipe_sources import load_recipe
from reference.process.whole_files import write_json
from reference.testing import assert_same_run, check, diagnosis

Mine = Callable[..., Any]
CPU = {"device": "cpu"}


def loop(
    *,
    seed: int | None = None,
    max_grad_norm: float = 1.0,
    decay: float = 0.0,
    eps: float = 1e-8,
    train: bool = True,
    step_schedule: bool = True,
    zero: bool = True,
    of_loss: Callable[[Any], Any] = lambda loss: loss,
) -> Mine:
    """A loop as somebody might write it, with what somebody might get wrong."""

    def mine(
        model: Any, train_dataloader: Any, num_training_steps: int, num_epochs: int, recipe: Recipe
    ) -> None:
        if seed is not None:
            set_seed(seed)
        optimizer = AdamW(
            parameter_groups(model, decay), lr=recipe.learning_rate, eps=eps, fused=True
        )
        lr_scheduler = get_scheduler("linear", optimizer, 0, num_training_steps)
        if train:
            model.train()
        for _epoch in range(num_epochs):
            for batch in train_dataloader:
                of_loss(model(**batch).loss).backward()
                if max_grad_norm:
                    torch.nn.utils.clip_grad_norm_(model.parameters(), max_grad_norm)
                optimizer.step()
                if step_schedule:
                    lr_scheduler.step()
                if zero:
                    optimizer.zero_grad()

    return mine


def message(mine: Mine, recipe: str | Path | Recipe = "embedded", **fields: Any) -> str:
    """What a failed test says; never a screenful and a half."""
    with pytest.raises(AssertionError) as caught:
        assert_same_run(mine, recipe, **CPU, **fields)
    text = str(caught.value)
    assert len(text.splitlines()) < 40
    return text


@pytest.mark.parametrize("mine", [loop(), manual.train, accelerated.train, trainer.train])
def test_a_faithful_loop_passes(mine: Mine) -> None:
    assert assert_same_run(mine, **CPU) is None


FAULTS = {
    "dropout-seed 43": loop(seed=43),
    "no-clip": loop(max_grad_norm=0.0),
    "weight-decay 0.01": loop(decay=0.01),
    "eval-mode": loop(train=False),
    "never-zeroed": loop(zero=False),
    "schedule-never-stepped": loop(step_schedule=False),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_named(name: str) -> None:
    lines = message(FAULTS[name]).splitlines()
    assert lines[0].startswith("diverged: recipe embedded and mine part at step ")
    assert lines[1] == f"proven: {name}"


def test_two_faults_are_both_named() -> None:
    assert "proven: no-clip; eps 1e-06\n" in message(loop(max_grad_norm=0.0, eps=1e-6))


def test_what_nothing_explains_is_said_so() -> None:
    text = message(loop(of_loss=lambda loss: loss**2))
    assert "proven" not in text
    lines = text.splitlines()
    assert lines[:2] == [
        "diverged: recipe embedded and mine part at step 1, link gradient",
        "not explained",
    ]
    assert lines[2].startswith("  step 1, link gradient: norm: 1.79")
    assert "none of the known deviations" in lines[3]
    assert lines[4].startswith("    likely cause: the replay and the ledger have different loss")
    assert "how the two go on:" in lines


def test_a_search_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diagnosis, "PATIENCE", 0.0)
    text = message(loop(max_grad_norm=0.0))
    assert "link clip: factor of all gradients: 0.55" in text
    assert "not explained: the search ended after 0 s" in text


def test_a_loop_may_do_everything_itself() -> None:
    recipe = replace(load_recipe("embedded", CPU), max_steps=3)

    def everything() -> None:
        data = check.load_data(recipe)
        train_dataloader, _ = get_dataloaders(recipe, data)
        model = load_model(recipe)
        set_seed(recipe.seed)
        steps = [batch for batch, _ in zip(train_dataloader, range(3), strict=False)]
        loop()(model, steps, 3, 1, recipe)

    assert_same_run(everything, recipe)


def test_epochs_and_a_last_one_that_is_cut(small: Recipe) -> None:
    """6 steps an epoch, the last one of a smaller batch; 40 steps end within the seventh."""
    assert_same_run(loop(), small)
    assert_same_run(accelerated.train, small)
    text = message(loop(zero=False), small, num_train_epochs=2)
    assert "equal in every link of all 12 steps" in text


def test_a_recipe_by_its_file(small: Recipe, tmp_path: Path) -> None:
    write_json(tmp_path / "recipe.json", replace(small, max_grad_norm=0.0, max_steps=7).to_json())
    assert_same_run(loop(max_grad_norm=0.0), tmp_path / "recipe.json")
    assert "clip" in message(loop(), str(tmp_path / "recipe.json"))


def test_scores_are_compared_where_they_are_returned(small: Recipe) -> None:
    def better(recipe: Recipe, data: Any) -> dict[str, float]:
        scores = last_scores(manual.train(recipe, data))
        return {"eval_accuracy": scores["accuracy"] + 0.25}

    def without_evaluation(model: Any, train_dataloader: Any, recipe: Recipe) -> dict[str, float]:
        loop()(model, train_dataloader, 3, 1, recipe)
        return {"accuracy": 0.5, "loss": 0.1}

    assert "link metrics" in message(better, small, max_steps=3)
    assert "not in their scores: accuracy: " in message(without_evaluation, small, max_steps=3)


def test_a_run_that_goes_on_is_stopped(small: Recipe) -> None:
    seen = []

    def endless(model: Any, train_dataloader: Any, recipe: Recipe) -> None:
        while True:
            seen.append(len(train_dataloader))
            try:
                loop()(model, train_dataloader, 9, 1, recipe)
            except Exception:
                seen.append(0)

    text = message(endless, small, max_steps=3)
    assert "endless went on after step 3, the recipe's last" in text
    assert seen == [3, 6]


def test_no_step_is_said() -> None:
    assert message(lambda model: None).startswith("<lambda> ended without a step")


def test_another_model_is_incomparable() -> None:
    def other(num_training_steps: int) -> None:
        model = torch.nn.Linear(3, 2)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for _ in range(num_training_steps):
            model(torch.ones(1, 3)).sum().backward()
            optimizer.step()

    text = message(other, max_steps=3)
    assert text.startswith(
        "incomparable: recipe embedded and other: the models have different param"
    )


@pytest.mark.parametrize(
    ("mine", "error"),
    [
        (lambda mdl: None, r"<lambda>: unknown parameter 'mdl' \(did you mean model\?\); known: m"),
        (7, "7 can't be called; give a function that trains"),
    ],
)
def test_an_unknown_parameter_is_named(mine: Any, error: str) -> None:
    with pytest.raises(TypeError, match=error) as caught:
        assert_same_run(mine)
    assert "\n" not in str(caught.value)


def test_parameters_of_any_kind() -> None:
    def mine(device: Any, /, num_epochs: int, *rest: Any, other: int = 3, recipe: Any) -> None:
        raise ZeroDivisionError(device.type, num_epochs, rest, other, recipe.max_steps)

    with pytest.raises(ZeroDivisionError) as caught:
        assert_same_run(mine, **CPU)
    assert caught.value.args == ("cpu", 1, (), 3, 40)


def test_what_a_loop_raises_passes_unchanged(small: Recipe) -> None:
    raised = KeyError("mine")

    def crash(model: Any, train_dataloader: Any, recipe: Recipe) -> None:
        loop()(model, train_dataloader, 9, 1, recipe)  # as many steps as there are
        raise raised

    with pytest.raises(KeyError) as caught:
        assert_same_run(crash, small, max_steps=2)
    assert caught.value is raised
    assert caught.traceback[-1].name == "crash"


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"recipe": "embeded"}, "did you mean embedded"),
        ({"max_step": 3}, "did you mean max_steps"),
        ({"recipe": Recipe(), "max_step": 3}, "did you mean max_steps"),
        ({"seed": -1}, "seed: -1"),
        ({"data": "/nowhere"}, "/nowhere"),
        ({"recipe": "course"}, "the hub can't be reached"),
    ],
)
def test_a_wrong_recipe_is_named(arguments: dict[str, Any], error: str) -> None:
    with pytest.raises(InputError, match=error):
        assert_same_run(loop(), **arguments)


def test_the_recipes_run_is_trained_once(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = []

    def counted(recipe: Recipe, data: Any) -> dict[str, float]:
        runs.append(recipe)
        return manual.train(recipe, data)

    monkeypatch.setattr(check, "train", counted)
    monkeypatch.setattr(check, "_FAITHFUL", {})
    for _ in range(2):
        assert_same_run(loop(), max_steps=2, **CPU)
    assert_same_run(loop(), max_steps=3, **CPU)
    assert [recipe.max_steps for recipe in runs] == [2, 3]
