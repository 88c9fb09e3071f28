"""Two environments judged: are the loops the same run, and is one slower?"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from benchmarks.timing.measured_steps import NOISE
from benchmarks.upgrading.two_environments import (
    Runs,
    Speed,
    within,
)
from reference.diff.verdict import Verdict
from reference.diff.verdict_text import in_words, sentence, sentences

# Models that are made anew lie elsewhere in memory, and that alone moves a round by up to 1 %
# (timing/paired_ratio.py, 2026-11-24); here each round is another process.
MARGIN = 0.01
NOT_TIMED = "-"  # in the table


@dataclass
class UpgradeOutcome:
    """What was seen of two environments."""

    rows: list[list[str]] = field(default_factory=list)  # of the table: a loop each
    lines: list[str] = field(default_factory=list)  # below it
    wrong: list[str] = field(default_factory=list)  # why the upgrade fails
    unclear: list[str] = field(default_factory=list)  # loops whose slowdown may be noise

    @property
    def verdict(self) -> str:
        """One line."""
        if self.wrong:
            return f"failed: {'; '.join(self.wrong)}"
        if self.unclear:
            return f"same run; perhaps slower, perhaps noise: {', '.join(self.unclear)}"
        return "same run, not slower"


def judge_runs(outcome: UpgradeOutcome, runs: Runs) -> bool:
    """Note whether the loops are one run in each environment.

    Returns:
        Whether they are, in both: else their times aren't to be compared.
    """
    one_run = True
    for name, ledgers in runs.items():
        verdicts = within(ledgers)
        first = next(iter(ledgers))
        outcome.lines += [f"{name} environment: {line}" for line in sentences(first, verdicts)]
        parted = [loop for loop, verdict in verdicts.items() if verdict.verdict != "identical"]
        if parted:
            one_run = False
            outcome.wrong.append(f"{name} environment: {first} and {', '.join(parted)} part")
    if not one_run:
        outcome.lines.append("speed: not measured, since the loops aren't one run")
    return one_run


def judge_speeds(
    outcome: UpgradeOutcome, verdicts: Mapping[str, Verdict], timed: Mapping[str, Speed]
) -> None:
    """Add a row for each loop: both ratios, how they changed, and whether it is the same run.

    Args:
        outcome: is filled.
        verdicts: the old environment's run against the new one's, by loop.
        timed: speeds by loop, and the bare step's; empty where nothing was timed.
    """
    for name in {**timed, **verdicts}:  # the bare step, which is timed only, comes first
        cells = 3 * [NOT_TIMED]
        if name in timed:
            speed = timed[name]
            cells = [f"{speed.old:.4f}", f"{speed.new:.4f}", str(speed.change)]
            figures = f"{speed.change}, margin {MARGIN:.0%}, A/A {speed.noise}"
            noise_here = max(speed.noise.high, 1 / speed.noise.low)  # noise has no direction
            if speed.change.low > max(1 + MARGIN, noise_here):
                outcome.wrong.append(f"{name} is slower: {figures}")
            elif speed.change.low > 1 + MARGIN:
                outcome.unclear.append(name)
                outcome.lines.append(f"{name}: slower by no more than the noise: {figures}")
                outcome.lines.append("to know whether it is slower, give more --rounds")
        outcome.rows.append([name, *cells, ""])
        if name in verdicts:
            outcome.rows[-1][-1] = _run(outcome, name, verdicts[name])
    notes = [note for verdict in verdicts.values() for note in in_words(verdict).notes]
    outcome.lines += dict.fromkeys(notes)
    places = {(verdict.step, verdict.link) for verdict in verdicts.values()}
    if timed and len(verdicts) > 1 and len(places) == 1 and places != {(None, None)}:
        outcome.lines.append(
            "all loops part from the old ones at the same place, and are one run in the new "
            "environment: what they share computes otherwise, and no loop by itself does"
        )
    if timed:
        widest = max(timed, key=lambda name: timed[name].noise.width)
        noise = timed[widest].noise
        how = "" if noise.width <= NOISE else f", wider than {NOISE:.0%}: a noisy machine"
        outcome.lines.append(f"A/A: old / old of the {widest} {noise}{how}")


def _run(outcome: UpgradeOutcome, loop: str, verdict: Verdict) -> str:
    if verdict.verdict == "identical":
        return f"identical, {verdict.steps} steps"
    outcome.lines.append(f"{loop}: {sentence('old and new', verdict)}")
    if verdict.step is None:  # all that was compared is equal, and not everything was
        outcome.wrong.append(f"{loop}: it can't be known whether it is the same run")
        return "can't be known"
    where = f"parts at step {verdict.step}, link {verdict.link}"
    outcome.wrong.append(f"{loop} isn't the same run: {where}")
    return where
