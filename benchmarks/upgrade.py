"""An upgrade: the same benchmark in two environments in turn, speed and verdict side by side.

    python -m benchmarks.upgrade transformers==5.24.0     (tox -e upgrade -- transformers==5.24.0)

Is a loop slower, and is it still the same run? A second environment is made for it in the folder
for temporary files, and removed. On the CPU, with the embedded recipe.

Exit codes: 0 the same run and not slower; 1 otherwise; 2 wrong input; 3 a loop doesn't train.
"""

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from benchmarks.timing.progress import Counted, check_cores
from benchmarks.timing.rounds import NOISE
from benchmarks.upgrading.environments import (
    Environment,
    no_upgrade,
    read_requirements,
    second_environment,
)
from benchmarks.upgrading.time_one_process import orders
from benchmarks.upgrading.two_environments import (
    ABBA,
    Runs,
    Speed,
    Timing,
    across,
    speeds,
    time_all,
    train_all,
    within,
)
from reference.diff.verdict import Verdict
from reference.diff.verdict_text import sentence, sentences
from reference.errors import InputError
from reference.lesson.loops import LOOPS
from reference.process.exit_codes import ended
from reference.terminal import table

# Models that are made anew lie elsewhere in memory, and that alone moves a round by up to 1 %
# (pairs.py, 2026-11-24); here each round is another process.
MARGIN = 0.01
MAX_STEPS = 60
ROUNDS, MOST = 4, 8  # a round: four processes of about 12 s each
STEPS = 40  # in a process, twice


@dataclass
class Findings:
    """What is to be said of two environments. `wrong` is what makes the upgrade fail."""

    rows: list[list[str]] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    untold: list[str] = field(default_factory=list)  # what may be slower, and isn't told from noise

    @property
    def verdict(self) -> str:
        if self.wrong:
            return f"failed: {'; '.join(self.wrong)}"
        if self.untold:
            return f"same run; whether slower isn't told from noise: {', '.join(self.untold)}"
        return "same run, not slower"


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare with an upgrade; returns the exit code, after its lines or one of what is wrong."""
    args = _parser().parse_args(arguments)
    return ended(lambda: _command(args))


def _command(args: argparse.Namespace) -> int:
    """Compare, and say what was found; returns the exit code."""
    check_cores()
    timing = Timing(args.rounds, args.most_rounds, args.steps)
    try:
        findings = upgrade(args.requirements, args.max_steps, timing)
    except OSError as error:  # a full disk; of many files copied at once, each has its own words
        said = error.strerror or str(error)[:200]
        where = error.filename or tempfile.gettempdir()
        raise InputError(f"{where}: {said}; give room, or another TMPDIR") from error
    print(table([["loop", "old", "new", "new / old", "run"], *findings.rows]))
    for line in [*findings.lines, findings.verdict]:
        print(line)
    return 1 if findings.wrong or findings.untold else 0


def upgrade(words: Sequence[str], max_steps: int, timing: Timing) -> Findings:
    """Make the second environment, train, compare, and time; InputError for what is no upgrade."""
    if timing.rounds < 2 or max_steps < 1:
        raise InputError(f"--rounds {timing.rounds} --max-steps {max_steps}: give at least 2 and 1")
    if timing.most_rounds < timing.rounds:
        raise InputError(f"--most-rounds: {timing.most_rounds} is less than --rounds")
    if timing.steps < 1 or timing.steps % orders():
        raise InputError(
            f"--steps: {timing.steps} isn't a multiple of {orders()}, one for each order"
        )
    old = Environment("old", Path(sys.executable))
    before = old.packages()
    wanted = read_requirements(words, before)
    with tempfile.TemporaryDirectory(prefix="upgrade-") as name:
        folder = Path(name)
        print("the second environment is installed: some minutes", file=sys.stderr, flush=True)
        if "torch" in wanted:
            print(
                "torch is what pip's index has, which may be a CUDA build of gigabytes; "
                "PIP_INDEX_URL and PIP_EXTRA_INDEX_URL choose another index",
                file=sys.stderr,
                flush=True,
            )
        new = second_environment(wanted, folder / "new")
        after = new.packages()
        if all(before[package] == after[package] for package in wanted):
            raise no_upgrade(wanted, before)
        changed = sorted(n for n in before if n in after and before[n] != after[n])
        by = "numpy" if "torch" in changed else "torch"
        findings = compare(old, new, folder, max_steps, replace(timing, yardstick=by))
    said = ", ".join(f"{n} {before[n]} -> {after[n]}" for n in changed)
    findings.lines.insert(0, f"upgraded: {said}")
    if by in changed:
        findings.lines.append(f"yardstick: {by}'s, which was upgraded too")
    return findings


def compare(
    old: Environment, new: Environment, folder: Path, max_steps: int, timing: Timing
) -> Findings:
    """Equal first, then timed: loops that aren't one run in an environment aren't timed."""
    progress = Counted(2 * len(LOOPS) + timing.rounds * len(ABBA))
    runs = train_all([old, new], folder, max_steps, progress)
    findings = Findings()
    one_run = judge_runs(findings, runs)
    timed = speeds(time_all([old, new], folder, timing, progress)) if one_run else {}
    judge_speeds(findings, across(runs), timed)
    return findings


def judge_runs(findings: Findings, runs: Runs) -> bool:
    """Note whether the loops are one run in each environment; returns whether they are."""
    one_run = True
    for name, ledgers in runs.items():
        verdicts = within(ledgers)
        first = next(iter(ledgers))
        findings.lines += [f"{name} environment: {line}" for line in sentences(first, verdicts)]
        parted = [loop for loop, verdict in verdicts.items() if verdict.verdict != "identical"]
        if parted:
            one_run = False
            findings.wrong.append(f"{name} environment: {first} and {', '.join(parted)} part")
    if not one_run:
        findings.lines.append("speed: not measured, since the loops aren't one run")
    return one_run


def judge_speeds(
    findings: Findings, verdicts: Mapping[str, Verdict], timed: Mapping[str, Speed]
) -> None:
    """A row for each loop: both ratios, how they changed, and whether it is the same run."""
    for name in {**timed, **verdicts}:  # the bare step, which is timed only, comes first
        cells = ["-", "-", "-"]
        if name in timed:
            speed = timed[name]
            cells = [f"{speed.old:.4f}", f"{speed.new:.4f}", str(speed.change)]
            said = f"{speed.change}, margin {MARGIN:.0%}, A/A {speed.noise}"
            noise_here = max(speed.noise.high, 1 / speed.noise.low)  # it has no direction
            if speed.change.low > max(1 + MARGIN, noise_here):
                findings.wrong.append(f"{name} is slower: {said}")
            elif speed.change.low > 1 + MARGIN:
                findings.untold.append(name)
                findings.lines.append(f"{name}: not told from noise: {said}; take more --rounds")
        findings.rows.append([name, *cells, ""])
        if name in verdicts:
            findings.rows[-1][-1] = _run(findings, name, verdicts[name])
    notes = dict.fromkeys(note for verdict in verdicts.values() for note in verdict.notes)
    findings.lines += notes
    places = {(verdict.step, verdict.link) for verdict in verdicts.values()}
    if timed and len(verdicts) > 1 and len(places) == 1 and places != {(None, None)}:
        findings.lines.append(
            "the loops part from the old ones all alike, and are one run in the new environment: "
            "what they share computes otherwise, no loop does"
        )
    if timed:
        widest = max(timed, key=lambda name: timed[name].noise.width)
        noise = timed[widest].noise
        how = "" if noise.width <= NOISE else f", wider than {NOISE:.0%}: a noisy machine"
        findings.lines.append(f"A/A: old / old of the {widest} {noise}{how}")


def _run(findings: Findings, loop: str, verdict: Verdict) -> str:
    if verdict.verdict == "identical":
        return f"identical, {verdict.steps} steps"
    findings.lines.append(f"{loop}: {sentence('old and new', verdict)}")
    if verdict.step is None:  # nothing unequal was found, and not everything could be compared
        findings.wrong.append(f"{loop}: whether it is the same run can't be told")
        return "can't be told"
    said = f"parts at step {verdict.step}, link {verdict.link}"
    findings.wrong.append(f"{loop} isn't the same run: {said}")
    return said


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.upgrade",
        description="Is a loop slower after an upgrade, and is it still the same run?",
    )
    parser.add_argument("requirements", nargs="*", metavar="NAME==VERSION", help="what to upgrade")
    parser.add_argument("--max-steps", type=int, default=MAX_STEPS, help="of each run compared")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="of four timing processes")
    parser.add_argument("--most-rounds", type=int, default=MOST, help="where the A/A is wide")
    parser.add_argument("--steps", type=int, default=STEPS, help="timed in a process, twice")
    return parser


if __name__ == "__main__":
    sys.exit(main())
