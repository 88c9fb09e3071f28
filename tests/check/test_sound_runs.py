"""Nothing is called wrong, or likely to be, in trainings of many kinds in which nothing is."""

import pytest

from reference.check.finding import Level
from tests.check.all_sound_runs import SOUND
from tests.check.ledgers import examined

LONGER, RISES = "schedule-longer-than-run", "warmup-longer-than-run"
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
    "an own language model that shifts": ["labels-are-an-input"],
    "an own language model with padding that no loss counts": ["labels-are-an-input"],
    "an autoencoder whose labels are its inputs": ["labels-are-an-input"],
    "one batch learnt by heart": ["same-batch-always"],
    "all rows in one batch and more to test": ["same-batch-always"],
    "hard batches twice": ["batch-again"],
    "a teacher that follows its batches": ["moving-model-in-train-mode"],
    "a teacher asked several times for its spread": ["second-model-in-train-mode"],
    "a critic alone of a maker with dropout": ["second-model-in-train-mode"],
    "a head on a body that keeps its gradients": ["parameters-left-out"],
    "a first layer that stays": ["parameters-left-out"],
    "one parameter moved by hand": ["parameters-left-out"],
    "a head above a body without a graph": ["parameters-without-gradients"],
    "a body stepped by hand beside an optimizer": ["gradients-for-nothing"],
    "a body in eval mode for its batch normalisation": ["eval-mode-while-training"],
    "statistics that follow the data": ["batchnorm-in-frozen-part"],
    "several views of each row added": ["loss-not-divided"],
    "several masks of dropout for one batch": ["accumulates-one-batch"],
    "a batch learnt by heart in four parts": ["one-batch"],
    "summed at a rate made for it": ["loss-not-divided"],
    "one cycle of which a quarter is tried": [LONGER, RISES],
    "a search for a rate": [RISES],
    "a search for a rate by hand and a training": ["weights-moved-between-steps", RISES],
    "a first try within the warm up": [LONGER, RISES],
    "a first try of a rate by the inverse root": [RISES],
    "stopped early": [LONGER],
    "cosine by epochs in a short try": ["schedule-too-seldom"],
    "steps by epochs in a single one": ["schedule-never-stepped"],
    "no rate at the end for running statistics": ["schedule-ends-early"],
    "no rate at all for running statistics": ["rate-is-zero"],
    "a new cycle with what the optimizer keeps": ["resumed-without-schedule"],
    "norms spared and other biases not": ["decay-groups-miss"],
}
QUICK = ["BERT", "gan", "lbfgs on all rows", "resumed with all of its state", "bfloat16", "lora"]
QUICK += ["teacher and student", "accumulated batches divided", "evaluated after each epoch"]
QUICK += ["an average that is evaluated", "batch normalisation", *list(TO_LOOK_AT)[:11]]
QUICK += ["sharpness aware with a loss module", "two tasks by an argument", "lbfgs on batches"]
QUICK += ["attacked rows by backward passes", "a transformer that makes its mask", "stopped early"]
QUICK += ["a random network to be learnt", "a gan whose critic begins", "a first layer that stays"]
QUICK += ["a body decayed and its head spared", "a search for a rate", "one batch learnt by heart"]
QUICK += ["gradients kept as momentum", "a body that accumulates while the head steps"]
QUICK += ["labels of one task in each batch", "a last stage without dropout"]
QUICK += ["the norm is logged by a bound that is never reached"]
QUICK += ["labelled and unlabelled batches", "a few steps of meta learning"]


def test_there_are_more_than_a_hundred() -> None:
    assert len(SOUND) > 100
    assert {*QUICK, *TO_LOOK_AT} <= SOUND.keys()


@pytest.mark.parametrize(
    "name", [n if n in QUICK else pytest.param(n, marks=pytest.mark.slow) for n in SOUND]
)
@pytest.mark.filterwarnings("ignore")  # what libraries say of models this small
def test_nothing_is_found(name: str) -> None:
    found = examined(SOUND[name]).found
    assert [f.finding.name for f in found if f.level < Level.LOOK] == []
    assert [f.finding.name for f in found] == TO_LOOK_AT.get(name, [])
