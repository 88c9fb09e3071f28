"""Two environments judged, by made-up verdicts and speeds."""

import pytest

from benchmarks.timing.paired_ratio import Ratio
from benchmarks.upgrading import judge
from benchmarks.upgrading.two_environments import Speed
from reference.diff.verdict import Verdict
from reference.lesson.loops import LOOPS

LINK = Verdict("incomparable", 4, 5, "forward", "bits may differ with nothing wrong")


SPEED = Speed(1.1, 1.1, Ratio(1.0, 0.99, 1.01, 8, 64), Ratio(1.0, 0.99, 1.01, 4, 32))


def test_whose_the_difference_is_and_what_cant_be_known() -> None:
    outcome = judge.UpgradeOutcome()
    timed = dict.fromkeys(LOOPS, SPEED)
    judge.judge_speeds(outcome, dict.fromkeys(LOOPS, LINK), timed)
    assert outcome.wrong[0] == f"{LOOPS[0]} isn't the same run: parts at step 5, link forward"
    assert any("what they share computes otherwise" in line for line in outcome.lines)

    outcome = judge.UpgradeOutcome()
    judge.judge_speeds(
        outcome, {**dict.fromkeys(LOOPS, Verdict("identical", 9)), "manual": LINK}, timed
    )
    assert outcome.wrong == ["manual isn't the same run: parts at step 5, link forward"]
    assert not any("what they share" in line for line in outcome.lines)

    outcome = judge.UpgradeOutcome()
    cut = Verdict("incomparable", 4, detail="equal for 4 steps; a run was cut short")
    judge.judge_speeds(outcome, {"manual": cut}, {})
    assert outcome.wrong == ["manual: it can't be known whether it is the same run"]
    assert outcome.rows[0][-1] == "can't be known"
    assert "incomparable: old and new: equal for 4 steps; a run was cut short" in outcome.lines[0]


@pytest.mark.parametrize(
    ("low", "noise", "slower", "said"),
    [
        (1.009, 1.001, False, ""),  # within the margin
        (1.011, 1.001, True, ""),
        (
            1.011,
            1.012,
            False,
            "manual: slower by no more than the noise: 1.0310 [1.0110, 1.0510]",
        ),
    ],
)
def test_a_slowdown_lies_past_the_margin_and_past_the_noise(
    low: float, noise: float, slower: bool, said: str
) -> None:
    change, again = Ratio(low + 0.02, low, low + 0.04, 8, 64), Ratio(1.0, 0.99, noise, 4, 32)
    outcome = judge.UpgradeOutcome()
    judge.judge_speeds(outcome, {}, {"manual": Speed(1.1, 1.1, change, again)})
    assert bool(outcome.wrong) == slower
    assert outcome.unclear == (["manual"] if said else [])
    assert ("perhaps slower, perhaps noise" in outcome.verdict) == bool(said)
    assert any(line.startswith(said) for line in outcome.lines if "A/A: old" not in line) == bool(
        said
    )
