"""25 faults in a 40-step BERT loop: how many one ledger shows, with no sound run beside it."""

import pytest

from reference.check.finding import Level
from tests.check.bert_loop import FAULTS, train
from tests.check.ledgers import examined, names_in

TOLD = [name for name, finding in FAULTS.items() if finding is not None]
QUICK = "never zeroed"
# What somebody means, too: no failure for CI.
LOOKED_AT = {"decay on biases", "loss summed", "loss not divided", "encoder frozen by accident"}
LOOKED_AT |= {"order repeats", "rate too high", "warm-up too long", "average in its place"}


def test_twenty_one_of_twenty_five_are_told() -> None:
    assert (len(FAULTS), len(TOLD)) == (25, 21)


@pytest.mark.filterwarnings("ignore:Detected call of `lr_scheduler.step")
@pytest.mark.parametrize(
    "fault", [f if f == QUICK else pytest.param(f, marks=pytest.mark.slow) for f in FAULTS]
)
def test_a_fault_in_a_bert_loop(fault: str) -> None:
    examination = examined(lambda: train(fault))
    found = names_in(examination)
    wanted = FAULTS[fault]
    if wanted is None:
        assert found == []  # it can't be told: should it be, the table has to say so
    else:
        assert wanted in found
        level = next(f.level for f in examination.found if f.finding.name == wanted)
        assert (level == Level.LOOK) == (fault in LOOKED_AT)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_nothing_is_found_in_the_loop_as_it_should_be(seed: int) -> None:
    assert names_in(examined(lambda: train(seed=seed))) == []
