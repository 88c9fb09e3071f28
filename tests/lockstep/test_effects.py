"""What each difference does by itself: B with A's in the place of the others, going its own way."""

from collections.abc import Collection
from dataclasses import replace

import pytest

from reference.errors import InputError
from reference.lockstep.both import lockstep
from reference.lockstep.effects import AS_IT_IS, TOLD, Effect, effect_of, effects, rows
from reference.lockstep.pair import PairRun, run_pair
from reference.lockstep.result import failure_of
from tests.lockstep import scenarios
from tests.lockstep.small_training import A

B = replace(A, seed=7, clip=None, decay=0.0, decay_of_biases=0.0)


def run(put: tuple[str, ...], leave_out: tuple[str, ...] = ()) -> PairRun:
    return run_pair(A, B, put=put, leave_out=leave_out)


def ends(*left: str) -> Effect:
    """Where B ends with A's in the place of all but these."""
    found = run(TOLD, left)
    assert failure_of(found) == ""
    return effect_of(found, "", "")


def test_with_all_that_is_told_in_place_b_goes_as_far_as_a() -> None:
    effect = ends()
    assert effect.apart == 0.0
    assert effect.loss[0] == effect.loss[1]


@pytest.mark.parametrize("left", ["clip/norm", "optimizer/weight_decay", "weights/tensors"])
def test_what_is_left_alone_moves_b(left: str) -> None:
    effect = ends(left)
    assert effect.apart > 0
    assert effect.loss[0] != effect.loss[1]


def test_a_table_has_a_row_for_each_and_one_for_b_as_it_is() -> None:
    differences = lockstep(A, B).differences
    told: list[str] = []
    found = effects(differences, run, failure_of, told.append)
    assert found[0].what == AS_IT_IS
    assert told[0] == f"run 1 of {len(told)}: {AS_IT_IS}"
    assert told[1].startswith(f"run 2 of {len(told)}: 1. ")
    assert told[1].endswith(" s left")
    assert len(found) == len(differences) + 1
    table = rows(found)
    assert table[0][:3] == ["what of B is left", "last loss", "weights apart"]
    assert table[1][2] == "0"
    apart = {each.what.partition(", ")[2]: each.apart for each in found[1:]}
    assert apart["norm"] > 0  # of the clip
    assert apart["weight_decay"] > 0
    assert found[0].apart > max(apart["norm"], apart["weight_decay"])


@pytest.mark.parametrize("kind", [scenarios.Unzeroed, scenarios.MoreRows])
def test_what_moves_the_weights_is_never_told_as_nothing(kind: type[scenarios.Plain]) -> None:
    a, b = kind(False), kind(True)
    differences = lockstep(a, b).differences

    def run_both(put: Collection[str], leave_out: Collection[str]) -> PairRun:
        return run_pair(a, b, put=put, leave_out=leave_out)

    found = effects(differences, run_both, failure_of)
    assert found[1:]
    for each in found[1:]:
        assert each.failure == "" or each.failure.startswith("can't be left alone"), each
        assert each.failure or each.apart > 0, each


def test_an_unknown_link_is_named() -> None:
    with pytest.raises(InputError, match="unknown link 'clop'"):
        lockstep(A, B, only=["clop"])
