"""Nothing is called wrong, or likely to be, in trainings of many kinds in which nothing is."""

import pytest

from reference.check.finding import Level
from tests.check.ledgers import examined
from tests.check.sound_runs_more import SOUND

# What is worth a look where it isn't meant: these mean it.
TO_LOOK_AT = {
    "wasserstein gan with clamped weights": ["weights-moved-between-steps"],
    "each batch twice as in ppo": ["batch-again"],
    "all rows in one batch": ["one-batch"],
    "rows in their own order": ["order-repeats"],
    "master weights whose gradients are put there": ["gradients-for-nothing"],
    "master weights whose gradients are copied": ["gradients-for-nothing"],
    "a first epoch of a warm up by epochs": ["rate-is-zero-so-far"],
    "a term that is weighted more and more": ["loss-grows"],
    "byol with a momentum encoder in train mode": ["moving-model-in-train-mode"],
    "mean teacher with dropout in the teacher": ["moving-model-in-train-mode"],
    "lookahead": ["weights-moved-between-steps"],
}
QUICK = ["BERT", "gan", "lbfgs on all rows", "resumed with all of its state", "bfloat16", "lora"]
QUICK += ["teacher and student", "accumulated batches divided", "evaluated after each epoch"]
QUICK += ["an average that is evaluated", "batch normalisation", *TO_LOOK_AT]
QUICK += ["gradients kept as momentum", "a body that accumulates while the head steps"]
QUICK += ["labels of one task in each batch", "a last stage without dropout"]
QUICK += ["the norm is logged by a bound that is never reached"]
QUICK += ["labelled and unlabelled batches", "a few steps of meta learning"]


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
