"""How many rounds are measured, by planted times; and that they are shown as they go."""

import io
import re
from typing import Any

import numpy as np
import pytest

from benchmarks.timing import recipes, rounds
from benchmarks.timing.measured_steps import AGAIN, BARE, Measured
from benchmarks.timing.progress import show_rounds
from reference import terminal
from reference.lesson.recipe import Recipe

ROUNDS, MOST = 3, 5
BEFORE = [(1, ROUNDS), (2, ROUNDS)]  # (done, of how many) as they are told


def plant(monkeypatch: pytest.MonkeyPatch, noise: float) -> None:
    """Rounds that take no time, with an A/A that is so noisy."""
    rng = np.random.default_rng(0)

    def add_round(run: Measured, *_: Any) -> None:
        for name in (BARE, AGAIN):
            steps = 0.01 * (1 + noise * rng.random(12))
            run.times.setdefault(name, []).append(steps.tolist())

    monkeypatch.setattr(rounds, "add_round", add_round)
    monkeypatch.setattr(rounds, "short_evaluation", lambda data: data)
    monkeypatch.setattr(rounds, "load_data", lambda recipe: None)


@pytest.fixture
def recipe() -> Recipe:
    return recipes.make_recipe("embedded", 12)


@pytest.mark.parametrize(
    ("noise", "seconds", "told"),
    [
        (0.0, 1e9, [*BEFORE, (3, 3)]),
        (0.5, 1e9, [*BEFORE, (3, MOST), (4, MOST), (5, MOST)]),
        (0.5, -1.0, [*BEFORE, (3, 3)]),
    ],
    ids=["quiet", "noisy", "late"],
)
def test_more_rounds_where_it_is_noisy_and_there_is_time(
    monkeypatch: pytest.MonkeyPatch,
    recipe: Recipe,
    noise: float,
    seconds: float,
    told: list[tuple[int, int]],
) -> None:
    plant(monkeypatch, noise)
    seen: list[tuple[int, int]] = []
    run = rounds.measure(
        recipe,
        rounds=ROUNDS,
        most_rounds=MOST,
        most_seconds=seconds,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert seen == told
    assert run.rounds == len(told)


@pytest.mark.parametrize(("seconds", "told"), [(-1.0, 2), (1e9, ROUNDS)])
def test_a_gate_ends_in_time_with_fewer_rounds(
    monkeypatch: pytest.MonkeyPatch, recipe: Recipe, seconds: float, told: int
) -> None:
    plant(monkeypatch, 0.0)
    seen: list[tuple[int, int]] = []
    run = rounds.measure(
        recipe,
        rounds=ROUNDS,
        most_rounds=MOST,
        fewest=2,
        last_seconds=seconds,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert run.rounds == told
    assert seen[-1] == (told, told)


def test_rounds_are_shown_with_the_time_left(
    monkeypatch: pytest.MonkeyPatch, recipe: Recipe
) -> None:
    plant(monkeypatch, 0.0)
    out = io.StringIO()
    monkeypatch.setattr("sys.__stderr__", out)
    monkeypatch.setattr(terminal, "PLAIN_EVERY", 0.0)
    with show_rounds() as progress:
        rounds.measure(recipe, rounds=ROUNDS, most_rounds=MOST, progress=progress)
    lines = out.getvalue().splitlines()
    assert len(lines) == ROUNDS + 1  # the last one says how far it came
    assert re.fullmatch(r"\d+ s: rounds 3/3", lines[-1])
    assert re.fullmatch(r"\d+ s: rounds 2/3, \S+ rounds/s, about \d+ s left", lines[1])
