"""Faults that a proof could hide: each is told by its link and field, or the proof isn't given."""

import pytest

from reference import lockstep
from tests.lockstep import scenarios as s
from tests.lockstep.scenarios import Plain

MADE = ("batch", "made of the same batch")
OF_A_SEED = {("batch", "values"), ("weights", "tensors")}
ROWS = {("batch", "values"), ("batch", "rows")}
SHADOW = ("weights", "of another model")
WEIGHTS = {("gradient", "weight"), ("gradient", "weight of a pass")}
RNG = ("rng", "generators")  # which is beside each other seed
Told = set[tuple[str, str]]

# The fault; what is told; what is told to be of no effect; the exit code.
FAULTS: list[tuple[type[Plain], Told, Told, int]] = [
    (s.Plain, set(), set(), 0),
    (s.EvaluatedInAAlone, set(), {("metrics", "evaluations")}, 0),
    (s.EvaluatedInBAlone, set(), {("metrics", "evaluations")}, 0),
    (s.EvaluatedWithOtherWeights, {("metrics", "evaluation")}, set(), 1),
    (s.TrainModeInBAlone, {("mode", "training")}, set(), 1),
    (s.ModeOfOwnCode, {("mode", "training")}, set(), 1),
    (s.ModeWithoutEffect, set(), {("mode", "training")}, 0),
    (s.Loaded, OF_A_SEED, set(), 1),
    (s.LabelsFlipped, {*OF_A_SEED, MADE}, set(), 1),
    (s.InputsScaled, {*OF_A_SEED, MADE}, set(), 1),
    (s.InputsWithNoise, OF_A_SEED, set(), 1),
    (s.LabelsFlippedWithoutALoader, {MADE}, set(), 1),
    (s.TeacherOfOtherInputs, {MADE}, set(), 1),
    (s.TeacherThatMovesOtherwise, {SHADOW}, set(), 1),
    (s.SecondBackward, {("gradient", "norm")}, set(), 1),
    (s.SumAndMean, {("gradient", "norm")}, set(), 1),
    (s.Accumulated, {*ROWS, ("batch", "passes"), ("clip", "bound"), *WEIGHTS}, set(), 1),
    (s.AnotherGelu, {("forward", "outputs")}, set(), 2),
    (s.AnotherGeluAndLoss, {("forward", "outputs"), ("gradient", "loss")}, set(), 2),
    (s.OnceDoubled, {("forward", "outputs")}, {("batch", "argument flag")}, 2),
    (s.Momentum, {("forward", "setting momentum")}, set(), 1),
    (s.BufferOverwrittenAtTheEnd, set(), set(), 2),
    (s.SparseGradients, {("gradient", "norm")}, set(), 1),
    (s.SparseInput, set(), set(), 0),
    (s.AnotherSparseInput, set(), set(), 2),
    (s.LabelsFlippedAfterAnEvaluation, {*OF_A_SEED, MADE}, set(), 1),
    (s.ShadowThatMovesOtherwise, {SHADOW}, set(), 1),
    (s.EvaluatedBeforeItsFirstStep, {("metrics", "evaluation")}, set(), 1),
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault[0].__name__)
def test_a_fault_is_told_as_what_it_is(fault: tuple[type[Plain], Told, Told, int]) -> None:
    kind, told, nothing, code = fault
    result = lockstep(kind(False), kind(True))
    assert {(d.link, d.field) for d in result.differences} == told, str(result)
    assert {(d.link, d.field) for d in result.found.nothing} - {RNG} == nothing, str(result)
    assert result.exit_code == code, str(result)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (s.AnotherGelu, "gradient, every step: couldn't be compared, for B's model computes"),
        (s.OnceDoubled, "gradient, step 3 only: couldn't be compared, for B's model computes"),
        (s.AnotherSparseInput, "step 1, batch: the input adjacent is sparse or quantized"),
        (s.BufferOverwrittenAtTheEnd, "the weights or buffers at the end are unequal"),
    ],
)
def test_what_the_proof_lacks_is_named(kind: type[Plain], words: str) -> None:
    result = lockstep(kind(False), kind(True))
    assert result.unproven.startswith(words), str(result)
    assert not result.is_proven


@pytest.mark.parametrize(
    ("kind", "fix"),
    [
        (s.SumInPlaceOfMean, "B like A: (loss * 0.25).backward()"),
        (s.AnotherRate, "B like A: lr=0.1, given to the optimizer"),
        (s.AnotherDropout, "B like A: p=0.25 in drop"),
        (s.Momentum, "momentum: 0.1 and 0.5 (norm.momentum)"),
        (s.ShadowThatMovesOtherwise, "Net, which doesn't train, has other weights: 4 of 4 tensors"),
    ],
)
def test_what_is_known_is_told(kind: type[Plain], fix: str) -> None:
    assert fix in str(lockstep(kind(False), kind(True)))
