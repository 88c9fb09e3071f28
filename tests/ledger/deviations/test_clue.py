"""What is read off another run's records; and that strange records rule nothing out by an error."""

import random
from dataclasses import replace
from typing import Any

import pytest
from transformers import set_seed

from reference.ledger.deviations import CATALOGUE, Clue
from reference.ledger.deviations.clue import linear, seed_of, seeds
from reference.ledger.deviations.parameters import _modules
from reference.ledger.hashing import generator_states
from reference.recipe import EMBEDDED

Record = dict[str, Any]


def steps_of(rates: list[float]) -> list[Record]:
    following = [*rates[1:], 0.0]
    return [
        {"step": k, "schedule": {"learning_rate": [rate], "next_learning_rate": [after]}}
        for k, (rate, after) in enumerate(zip(rates, following, strict=True), 1)
    ]


@pytest.mark.parametrize(("warmup", "total"), [(0, 1377), (0, 3), (1, 18), (5, 18), (100, 1377)])
def test_a_linear_schedule_is_read_off_its_rates(warmup: int, total: int) -> None:
    def rate(k: int) -> float:
        return 5e-5 * (k / warmup if k < warmup else (total - k) / (total - warmup))

    steps = steps_of([rate(k) for k in range(total)])
    assert linear(steps, 5e-5) == (warmup, total)
    assert linear(steps[warmup : warmup + 1], 5e-5) == (warmup, total)  # one step's two rates
    assert linear([], 5e-5) == (None, None)
    assert linear(steps, None) == (None, None)


@pytest.mark.parametrize("seed", [0, 42, 777])
def test_a_seed_is_told_by_pythons_generator(seed: int) -> None:
    set_seed(seed)
    states = {name: [state, False] for name, state in generator_states().items()}
    assert seed_of(states["python"][0]) == seed
    clue = Clue("rng", 1, {}, {}, [{"rng": states}], EMBEDDED)
    assert seeds(clue) == ([] if seed == EMBEDDED.seed else [seed])


def test_a_seed_that_is_not_told_may_be_a_usual_one() -> None:
    random.seed("no number")
    states = {"python": [generator_states()["python"], False]}
    found = seeds(Clue("rng", 1, {}, {}, [{"rng": states}], EMBEDDED))
    assert 0 in found
    assert 43 in found
    assert EMBEDDED.seed not in found


def test_modules_are_named_as_short_as_they_can_be() -> None:
    names = ["bert.a.weight", "bert.a.bias", "bert.b.weight", "head.weight"]
    assert _modules(names, {*names[:3]}) == ("bert",)
    assert _modules(names, {names[0], names[1]}) == ("bert.a",)
    assert _modules(names, {names[0], names[3]}) == ("bert.a.weight", "head")


STRANGE: list[Record] = [
    {},
    {"batch": None, "rng": None, "gradient": None, "optimizer": None, "schedule": None},
    {
        "batch": [{}],
        "gradient": {"norm": "nan"},
        "clip": {"norm": "inf"},
        "optimizer": {"hyper": [{"eps": "nan", "betas": []}], "of": "", "how": None},
        "schedule": {"learning_rate": ["nan"], "next_learning_rate": []},
        "metrics": {"count": "inf"},
    },
]


@pytest.mark.parametrize("theirs", STRANGE)
@pytest.mark.parametrize("name", CATALOGUE)
def test_strange_records_are_read_without_an_error(name: str, theirs: Record) -> None:
    deviation = CATALOGUE[name]
    recipe = replace(EMBEDDED, gradient_accumulation_steps=2)
    for link in (deviation.link, *deviation.also):
        for chosen in deviation.tries(Clue(link, 2, {}, theirs, [theirs, theirs], recipe)):
            assert chosen.deviation is deviation


def test_no_deviation_is_tried_in_another_link() -> None:
    clue = Clue("weights", 1, {}, {}, [], EMBEDDED)
    tried = [name for name, d in CATALOGUE.items() if d.tries(clue)]
    assert set(tried) == {n for n, d in CATALOGUE.items() if "weights" in (d.link, *d.also)} - {
        "frozen"  # nothing says what is
    }
