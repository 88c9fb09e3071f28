"""The catalogue's deviations beside another seed, one at a time and several; and faithful pairs.

python -m pytest -m slow tests/lockstep/test_figures.py
"""

from dataclasses import replace

import pytest

from reference.deviations import CATALOGUE
from reference.lesson.recipe import Recipe
from tests.lockstep.deviated import answer, drawn_sets, extra, faithful, missing, told, training
from tests.lockstep.expected import OF_A_SEED, TOLD

SETS = 100


@pytest.fixture(autouse=True)
def imported(small: Recipe) -> None:
    """What a training imports is imported before the forks."""
    training(replace(small, max_steps=1), ())()


def test_one_deviation_is_told_beside_another_seed(small: Recipe) -> None:
    one = answer(small, "no-clip")
    assert one.result.is_proven, str(one.result)
    assert not missing(one)
    assert not extra(one), str(one.result)


def test_a_deviation_that_is_not_told_is_seen(small: Recipe) -> None:
    """The scoring itself, with an answer to another question."""
    one = replace(answer(small, "eps"), names=("no-clip",))
    assert missing(one) == ["no-clip"]
    assert extra(one) == [("optimizer", "eps")]


def test_each_deviation_has_its_fields() -> None:
    assert {*TOLD} | {*OF_A_SEED} == {*CATALOGUE}
    assert not {*TOLD} & {*OF_A_SEED}


@pytest.mark.slow
@pytest.mark.parametrize("name", TOLD)
def test_each_deviation_is_told_beside_another_seed(name: str, small: Recipe) -> None:
    one = answer(small, name)
    assert one.result.is_proven, str(one.result)
    assert told(one) == {*TOLD[name]}, str(one.result)


@pytest.mark.slow
@pytest.mark.parametrize("name", OF_A_SEED)
def test_what_a_seed_is_is_told_by_itself(name: str, small: Recipe) -> None:
    one = answer(small, name, seed=small.seed)
    assert one.result.is_proven, str(one.result)
    fields = {(each.link, each.field) for each in one.result.differences}
    assert fields == OF_A_SEED[name], str(one.result)


@pytest.mark.slow
@pytest.mark.parametrize("names", drawn_sets(SETS, 0), ids=" + ".join)
def test_three_to_six_at_once_are_told(names: tuple[str, ...], small: Recipe) -> None:
    one = answer(small, *names)
    assert one.result.is_proven, str(one.result)
    assert not missing(one), str(one.result)
    assert not extra(one), str(one.result)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(7, 14))
def test_faithful_loops_differ_in_their_seeds_alone(seed: int, small: Recipe) -> None:
    for one in faithful(small, seed):
        assert one.result.is_proven, str(one.result)
        assert not one.beside, str(one.result)
