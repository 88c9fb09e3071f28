"""What is read off another run's records; and that strange records rule nothing out by an error."""

import itertools
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from transformers import set_seed

from reference.deviations import CATALOGUE, Clue
from reference.deviations.catalogue.parameters import _modules
from reference.deviations.clues.clue import MOST_STEPS, MOST_TOKENS
from reference.deviations.clues.rates import linear
from reference.deviations.clues.recipe_model import parameter_names
from reference.deviations.clues.seeds import seed_of, seeds
from reference.lesson.recipe_sources import EMBEDDED
from reference.observe.generators import generator_states

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
    for link in (deviation.link, *deviation.also_in):
        for chosen in deviation.candidates(Clue(link, 2, {}, theirs, [theirs, theirs], recipe)):
            assert chosen.deviation is deviation


def test_parameters_have_names_before_the_checkpoint_was_ever_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = parameter_names(EMBEDDED)
    monkeypatch.setenv("REFERENCE_CACHE", str(tmp_path))
    parameter_names.cache_clear()
    assert parameter_names(EMBEDDED) == names
    assert list(tmp_path.iterdir())


def test_no_deviation_is_tried_in_another_link() -> None:
    clue = Clue("weights", 1, {}, {}, [], EMBEDDED)
    tried = [name for name, d in CATALOGUE.items() if d.candidates(clue)]
    assert set(tried) == {n for n, d in CATALOGUE.items() if "weights" in (d.link, *d.also_in)} - {
        "frozen"  # nothing says what is
    }


def test_a_value_that_no_recipe_can_hold_is_none_to_try() -> None:
    """Whatever a ledger says: no replay takes memory or time by it."""
    sizes = [0, 1, 5, 63, 65, 513, 10**4, 10**6, 10**18]
    rates = [0.0, 5e-4, 1e-320, 1.0, 1e9, 1e300]
    recipe = replace(EMBEDDED, device="cpu")
    most = {
        "batch-size": MOST_TOKENS,
        "cut-at": 512,
        "padded-to": 512,
        "schedule-once-a-process": 64,
        "counts-padded-duplicates": 64,
        "epochs": MOST_STEPS,
        "total-steps": MOST_STEPS + 1,
        "warm-up": MOST_STEPS,
    }
    seen: dict[str, set[Any]] = {}
    drawn = [(size, 5e-4, 4e-4) for size in sizes]
    drawn += [(65, *pair) for pair in itertools.product(rates, rates)]
    for size, rate, after in drawn:
        for rows, tokens in ((size, 60), (8, size)):
            ours, theirs = of_size(8, 60, 5e-4, 4e-4), of_size(rows, tokens, rate, after)
            for link in ("batch", "schedule", "optimizer", "metrics", "clip", "gradient"):
                clue = Clue(link, 1, ours, theirs, [theirs], recipe)
                for one in (c for d in CATALOGUE.values() for c in d.candidates(clue)):
                    seen.setdefault(one.deviation.name, set()).add(one.value)
    for name, bound in most.items():
        assert all(0 <= value <= bound for value in seen.get(name, ())), (name, seen[name])
    assert {"batch-size", "padded-to", "schedule-once-a-process", "warm-up"} <= seen.keys()
    assert max(seen["batch-size"]) * 60 <= MOST_TOKENS


def of_size(rows: int, tokens: int, rate: float, after: float) -> Record:
    return {
        "step": 1,
        "batch": [{"input_ids": ["x", [rows, tokens], "int64", None]}],
        "gradient": {"norm": float(rows)},
        "clip": {"norm": float(tokens)},
        "optimizer": {"base_learning_rate": [max(rate, after)], "hyper": [{"eps": rate}]},
        "schedule": {"learning_rate": [rate], "next_learning_rate": [after]},
        "metrics": {"count": rows, "predictions": "x"},
    }
