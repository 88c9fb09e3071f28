"""The catalogue's deviations beside another seed, one at a time and several; and faithful pairs.

python -m pytest -m slow tests/lockstep/test_figures.py
"""

from dataclasses import replace

import pytest

from reference.deviations import CATALOGUE
from reference.lesson.recipe import Recipe
from tests.lockstep.deviated import answer, drawn_sets, extra, faithful, missing, training

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
    assert [d.field for d in extra(one)] == ["eps"]


@pytest.mark.slow
@pytest.mark.parametrize("name", CATALOGUE)
def test_each_deviation_is_told_beside_another_seed(name: str, small: Recipe) -> None:
    one = answer(small, name)
    assert one.result.is_proven, str(one.result)
    assert not missing(one), str(one.result)
    assert not extra(one), str(one.result)


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
