"""Nothing is called wrong, or likely to be, in trainings of many kinds in which nothing is."""

import pytest

from reference.check.finding import Level
from tests.check.ledgers import examined
from tests.check.sound_runs import SOUND

# What is worth a look where it isn't meant: these mean it.
TO_LOOK_AT = {
    "wasserstein gan with clamped weights": ["weights-moved-between-steps"],
    "each batch twice as in ppo": ["batch-again"],
    "all rows in one batch": ["one-batch"],
    "rows in their own order": ["order-repeats"],
}
QUICK = ["BERT", "gan", "lbfgs on all rows", "resumed with all of its state", "bfloat16", "lora"]
QUICK += ["teacher and student", "accumulated batches divided", "evaluated after each epoch"]
QUICK += ["an average that is evaluated", "batch normalisation", *TO_LOOK_AT]


def test_there_are_more_than_forty() -> None:
    assert len(SOUND) > 40
    assert {*QUICK} <= SOUND.keys()


@pytest.mark.parametrize(
    "name", [n if n in QUICK else pytest.param(n, marks=pytest.mark.slow) for n in SOUND]
)
@pytest.mark.filterwarnings("ignore")  # what libraries say of models this small
def test_nothing_is_found(name: str) -> None:
    found = examined(SOUND[name]).found
    assert [f.finding.name for f in found if f.finding.level < Level.LOOK] == []
    assert [f.finding.name for f in found] == TO_LOOK_AT.get(name, [])
