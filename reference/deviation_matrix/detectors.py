"""The checks that other projects make of a training: each a function, with its source and bound.

A check takes a faithful run and another one, and says whether it would fail the other. It sees a
deviation if it fails that run and passes the faithful ones, made by each of the loops: a check that
fails a run without a deviation has seen nothing.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor


@dataclass(frozen=True)
class Run:
    """What others look at of a run.

    Attributes:
        losses: one for each step.
        scores: as the loop reports them after training.
        weights: the model's last weights, by name.
    """

    losses: tuple[float, ...]
    scores: Mapping[str, float]
    weights: Mapping[str, Tensor]


ACCURACY = 0.82  # accelerate tests/fsdp/test_fsdp.py, for MRPC
DECIMALS = 5  # lightning tests/parity_pytorch/test_basic_parity.py
LOSS = 1e-4  # transformers tests/models/bert/test_modeling_bert.py has it for a model's outputs
CLOSE = 1e-6  # accelerate test_utils/scripts/test_script.py: ATOL and RTOL
SHARE = 0.05  # Megatron-LM tests/functional_tests/python_test_utils/test_pretraining_regular_*.py


def low_accuracy(_faithful: Run, run: Run) -> bool:
    """The accuracy on the validation split is below 0.82; none at all is, too."""
    return not run.scores.get("accuracy", math.nan) >= ACCURACY


def last_loss(faithful: Run, run: Run) -> bool:
    """The last step's losses differ as `numpy.testing.assert_almost_equal(x, y, 5)` has it.

    That is by 1.5e-5 or more.
    """
    if not faithful.losses or not run.losses:
        return True
    return not abs(faithful.losses[-1] - run.losses[-1]) < 1.5 * 10.0**-DECIMALS


def every_loss(faithful: Run, run: Run) -> bool:
    """At some step the losses differ by more than 1e-4, or one run has more steps."""
    if len(faithful.losses) != len(run.losses):
        return True
    return not all(abs(x - y) <= LOSS for x, y in _pairs(faithful, run))


def mean_loss(faithful: Run, run: Run) -> bool:
    """The losses differ by 1e-6 or more in the mean, or one run has more steps."""
    if len(faithful.losses) != len(run.losses) or not run.losses:
        return True
    return not math.fsum(abs(x - y) for x, y in _pairs(faithful, run)) / len(run.losses) < CLOSE


def last_weights(faithful: Run, run: Run) -> bool:
    """Some last weight differs as `torch.testing.assert_close(atol=1e-6, rtol=1e-6)` has it."""
    if faithful.weights.keys() != run.weights.keys():
        return True
    return not all(
        tensor.shape == run.weights[name].shape
        and torch.allclose(run.weights[name], tensor, rtol=CLOSE, atol=CLOSE)
        for name, tensor in faithful.weights.items()
    )


def five_percent(faithful: Run, run: Run) -> bool:
    """The losses differ by more than 5 % at more than 1 % of the steps.

    Megatron-LM rounds losses to 5 decimals, compares as `numpy.isclose` does, and lets
    `min(max(steps // 100, 1), 50)` of them fail; by its defaults it looks at each fifth step only,
    here at each.
    """
    if len(faithful.losses) != len(run.losses):
        return True
    steps = len(faithful.losses)
    rounded = [(round(x, 5), round(y, 5)) for x, y in _pairs(faithful, run)]
    close = sum(abs(x - y) <= SHARE * abs(x) for x, y in rounded)
    if steps <= 1:
        return close < steps
    return close < steps - min(max(steps // 100, 1), 50)


def _pairs(faithful: Run, run: Run) -> Sequence[tuple[float, float]]:
    return list(zip(faithful.losses, run.losses, strict=True))


@dataclass(frozen=True)
class Detector:
    """A check that others make.

    Attributes:
        name: the head of its column.
        rule: its rule, in words.
        source: the test that has it.
        fails: whether it fails the second run, given the faithful first one.
    """

    name: str
    rule: str
    source: str
    fails: Callable[[Run, Run], bool]


DETECTORS = (
    Detector(
        name="accuracy",
        rule=f"accuracy of at least {ACCURACY}",
        source="Accelerate's tests on MRPC (`tests/fsdp/test_fsdp.py`, `performance_lower_bound`)",
        fails=low_accuracy,
    ),
    Detector(
        name="last loss",
        rule=f"the last loss to {DECIMALS} decimals",
        source="Lightning's parity tests (`tests/parity_pytorch/test_basic_parity.py`)",
        fails=last_loss,
    ),
    Detector(
        name="losses",
        rule="the loss at every step to 1e-4",
        source="no test of a loop: Transformers' tests have this bound for a model's outputs",
        fails=every_loss,
    ),
    Detector(
        name="mean loss",
        rule="a mean difference of the losses below 1e-6",
        source="no project's rule: the next check's bound, on the mean of the losses",
        fails=mean_loss,
    ),
    Detector(
        name="weights",
        rule="each last weight to 1e-6, absolute and relative",
        source="Accelerate's `training_check` (`test_utils/scripts/test_script.py`)",
        fails=last_weights,
    ),
    Detector(
        name="5 %",
        rule="the loss within 5 %, at 99 % of the steps",
        source="Megatron-LM (`tests/functional_tests/python_test_utils/common.py`)",
        fails=five_percent,
    ),
)
OURS = "this one"


@dataclass(frozen=True)
class Control:
    """A faithful run by another loop.

    Attributes:
        setting: what was changed of the recipe, in words.
        loop: the loop that made it.
        verdict: `diff`'s, against the manual loop's run.
        failed: the checks that fail it all the same.
    """

    setting: str
    loop: str
    verdict: str
    failed: frozenset[str]


@dataclass(frozen=True)
class Row:
    """One deviation's run.

    Attributes:
        name: the deviation.
        value: the deviation with its value, as a verdict has it.
        setting: what was changed of the recipe so that it shows, in words.
        verdict: `diff`'s, against the faithful run.
        step: of the divergence.
        link: of the divergence.
        failed: the checks that fail it.
        explained: what `explain` names, with values.
        proven: whether that is proven.
        left: the first thing that is unexplained.
        failure: why the run stopped, if it did.
    """

    name: str
    value: str
    setting: str
    verdict: str
    step: int | None
    link: str | None
    failed: frozenset[str]
    explained: tuple[str, ...] = ()
    proven: bool = False
    left: str = ""
    failure: str = ""

    @property
    def another_run(self) -> bool:
        """Whether it is another run at all, at this setting."""
        return self.verdict != "identical"

    @property
    def named(self) -> bool:
        """Proven, under its own name."""
        return self.proven and self.explained == (self.value,)


@dataclass(frozen=True)
class Matrix:
    """All runs and what came of them.

    Attributes:
        rows: the deviations' runs.
        controls: the faithful runs.
        about: recipe, data, versions, device, date.
    """

    rows: tuple[Row, ...]
    controls: tuple[Control, ...]
    about: Mapping[str, object] = field(default_factory=dict)

    def false_alarms(self, detector: str, setting: str) -> int:
        """How many faithful runs of this setting the check fails."""
        return sum(detector in c.failed for c in self.controls if c.setting == setting)

    def sees(self, row: Row, detector: str) -> bool | None:
        """None where it can't be said, for false alarms at the row's setting."""
        if self.false_alarms(detector, row.setting):
            return None
        return detector in row.failed


def failed_by(faithful: Run, run: Run, verdict: str) -> frozenset[str]:
    """The names of the checks that fail a run; our own is `diff`, by its verdict."""
    others = {d.name for d in DETECTORS if d.fails(faithful, run)}
    return frozenset({*others, OURS} if verdict == "diverged" else others)
