"""How many steps a run has, and the learning rate at each: derived, never written in."""

from fractions import Fraction

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import get_scheduler

from reference.lesson.recipe import Recipe
from reference.lesson.recipe_sources import COURSE, EMBEDDED

PLAIN = settings(deadline=None, max_examples=60)


def walk(recipe: Recipe, batches: int) -> tuple[int, int]:
    """(epochs, steps) by going through a run as a loop does, batch by batch."""
    steps = epochs = 0
    while epochs < recipe.num_train_epochs or recipe.max_steps > 0:
        epochs += 1
        for batch in range(1, batches + 1):
            if batch % recipe.gradient_accumulation_steps == 0 or batch == batches:
                steps += 1
                if steps == recipe.max_steps:
                    return epochs, steps
    return epochs, steps


@PLAIN
@given(
    rows=st.integers(1, 500),
    batch_size=st.integers(1, 33),
    epochs=st.integers(1, 5),
    accumulation=st.integers(1, 9),
    max_steps=st.one_of(st.just(-1), st.integers(1, 400)),
)
def test_duration_is_what_walking_through_counts(
    rows: int, batch_size: int, epochs: int, accumulation: int, max_steps: int
) -> None:
    recipe = Recipe(
        num_train_epochs=epochs, gradient_accumulation_steps=accumulation, max_steps=max_steps
    )
    batches = sum(1 for _ in range(0, rows, batch_size))
    assert recipe.duration(batches) == walk(recipe, batches)


def rates(recipe: Recipe, batches: int) -> list[float]:
    """The learning rate of each step, and what is left of it afterwards."""
    _, steps = recipe.duration(batches)
    optimizer = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))], lr=recipe.learning_rate)
    lr_scheduler = get_scheduler(
        "linear",
        optimizer=optimizer,
        num_warmup_steps=recipe.num_warmup_steps,
        num_training_steps=steps,
    )
    found = [optimizer.param_groups[0]["lr"]]
    for _ in range(steps):
        optimizer.step()
        lr_scheduler.step()
        found.append(optimizer.param_groups[0]["lr"])
    return found


@PLAIN
@given(
    rows=st.integers(1, 300),
    batch_size=st.integers(1, 33),
    epochs=st.integers(1, 4),
    warmup=st.integers(0, 80),
    rate=st.floats(1e-7, 1.0),
)
def test_the_rate_of_every_step_is_the_closed_form(
    rows: int, batch_size: int, epochs: int, warmup: int, rate: float
) -> None:
    """Up to the rate in `warmup` steps, then a straight line down to 0 at the last step's end."""
    recipe = Recipe(num_train_epochs=epochs, num_warmup_steps=warmup, learning_rate=rate)
    batches = -(-rows // batch_size)
    found = rates(recipe, batches)
    steps = epochs * batches
    assert len(found) == steps + 1
    for step, lr in enumerate(found):
        share = (
            Fraction(step, warmup)
            if step < warmup
            else Fraction(steps - step, max(1, steps - warmup))
        )
        assert lr == pytest.approx(rate * float(share), rel=1e-12, abs=0)
    if warmup <= steps:
        assert found[-1] == 0.0


@pytest.mark.parametrize("recipe", [COURSE, EMBEDDED], ids=lambda recipe: str(recipe.name))
def test_the_lessons_run(recipe: Recipe) -> None:
    """3,668 pairs in batches of 8, 3 epochs: 1377 steps from the full rate down to exactly 0."""
    batches = len(range(0, 3668, recipe.train_batch_size))
    found = rates(recipe, batches)
    assert len(found) - 1 == 3 * 459 == 1377
    assert found[0] == recipe.learning_rate
    assert found[-1] == 0.0
    assert found == sorted(found, reverse=True)
