"""An upgrade: the same benchmark in two environments in turn, speed and verdict side by side.

    python -m benchmarks.upgrade transformers==5.24.0     (tox -e upgrade -- transformers==5.24.0)

Is a loop slower, and is it still the same run? A second environment is made for it in the folder
for temporary files, and removed. On the CPU, with the embedded recipe.

Exit codes: 0 the same run and not slower; 1 otherwise; 2 wrong input; 3 a loop doesn't train.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.timing.progress import ProcessCounter, check_cores
from benchmarks.upgrading.environments import (
    Environment,
    no_upgrade,
    read_requirements,
    second_environment,
)
from benchmarks.upgrading.judge import UpgradeOutcome, judge_runs, judge_speeds
from benchmarks.upgrading.time_one_process import orders
from benchmarks.upgrading.two_environments import (
    ABBA,
    Timing,
    across,
    speeds,
    time_all,
    train_all,
)
from reference.errors import InputError
from reference.lesson.loops import LOOPS
from reference.process.exit_codes import ended
from reference.terminal import table

MAX_STEPS = 60
ROUNDS, MOST = 4, 8  # a round: four processes of about 12 s each
STEPS = 40  # in a process, twice


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare with an upgrade; returns the exit code."""
    args = _parser().parse_args(arguments)
    return ended(lambda: _command(args))


def _command(args: argparse.Namespace) -> int:
    """Compare, and print the outcome; returns the exit code."""
    check_cores()
    timing = Timing(args.rounds, args.most_rounds, args.steps)
    try:
        outcome = upgrade(args.requirements, args.max_steps, timing)
    except OSError as error:  # a full disk; an error of many copied files has no `strerror`
        why = error.strerror or str(error)[:200]
        where = error.filename or tempfile.gettempdir()
        raise InputError(f"{where}: {why}; make room, or set another TMPDIR") from error
    print(table([["loop", "old", "new", "new / old", "run"], *outcome.rows]))
    for line in [*outcome.lines, outcome.verdict]:
        print(line)
    return 1 if outcome.wrong or outcome.unclear else 0


def upgrade(words: Sequence[str], max_steps: int, timing: Timing) -> UpgradeOutcome:
    """Make the second environment, train, compare, and time.

    Args:
        words: what to upgrade, as `transformers==5.24.0`.
        max_steps: of each run that is compared.
        timing: how the two are timed.

    Raises:
        InputError: a wrong number, no upgrade, or what can't be installed.
        RunError: a process failed in one of the environments.
    """
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
        outcome = compare(old, new, folder, max_steps, replace(timing, yardstick=by))
    changes = ", ".join(f"{n} {before[n]} -> {after[n]}" for n in changed)
    outcome.lines.insert(0, f"upgraded: {changes}")
    if by in changed:
        outcome.lines.append(f"yardstick: {by}'s, which was upgraded too")
    return outcome


def compare(
    old: Environment, new: Environment, folder: Path, max_steps: int, timing: Timing
) -> UpgradeOutcome:
    """Equal first, then timed: loops that aren't one run in an environment aren't timed."""
    progress = ProcessCounter(2 * len(LOOPS) + timing.rounds * len(ABBA))
    runs = train_all([old, new], folder, max_steps, progress)
    outcome = UpgradeOutcome()
    one_run = judge_runs(outcome, runs)
    timed = speeds(time_all([old, new], folder, timing, progress)) if one_run else {}
    judge_speeds(outcome, across(runs), timed)
    return outcome


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
