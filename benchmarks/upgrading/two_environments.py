"""Two environments beside each other: are their runs the same, and is a loop slower in one?

Each run and each timing is a process of its own.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.timing.measured_steps import NOISE
from benchmarks.timing.paired_ratio import Ratio, ratio
from benchmarks.timing.progress import ProcessCounter
from benchmarks.upgrading.environments import Environment, call_failed
from benchmarks.upgrading.time_one_process import BARE, YARDSTICK, Times, orders
from reference.diff.ledgers import diff
from reference.diff.verdict import Verdict
from reference.ledger.record import LEDGER_FILE
from reference.lesson.loops import LOOPS

ABBA = ("old", "new", "new", "old")  # one round: two pairs of neighbours
Runs = dict[str, dict[str, Path]]  # by environment and loop: the ledger


def train_all(
    environments: Sequence[Environment],
    folder: Path,
    max_steps: int,
    progress: ProcessCounter,
    loops: Sequence[str] = LOOPS,
) -> Runs:
    """Train each loop in each environment for `max_steps` steps.

    Returns:
        The ledgers, by environment and loop.

    Raises:
        RunError: a process failed; the message says whose and why.
    """
    runs: Runs = {}
    for environment in environments:
        for loop in loops:
            progress.next(f"{environment.name} environment: training {loop}")
            run = folder / f"{environment.name}-{loop}"
            options = ["--device", "cpu", "--max-steps", str(max_steps), "--run-dir", str(run)]
            done = environment.run("-m", "reference", "train", loop, *options)
            if done.returncode:
                raise call_failed(f"{environment.name} environment, loop {loop}", done)
            runs.setdefault(environment.name, {})[loop] = run / LEDGER_FILE
    return runs


def across(runs: Runs) -> dict[str, Verdict]:
    """The old environment's run against the new one's, by loop."""
    return {loop: diff(ledger, runs["new"][loop]) for loop, ledger in runs["old"].items()}


def within(ledgers: Mapping[str, Path]) -> dict[str, Verdict]:
    """The first loop's run against each other loop's, in one environment."""
    first, *others = ledgers
    return {loop: diff(ledgers[first], ledgers[loop]) for loop in others}


@dataclass(frozen=True)
class Timing:
    """How two environments are timed."""

    rounds: int  # of four processes, in the order ABBA
    most_rounds: int  # up to so many while the A/A is wide
    steps: int  # of each participant in a process, twice
    yardstick: str = "torch"  # one of `time_one_process.YARDSTICKS`


def time_all(
    environments: Sequence[Environment], folder: Path, timing: Timing, progress: ProcessCounter
) -> dict[str, list[Times]]:
    """What each process measured, by environment, in the order of the processes.

    Raises:
        RunError: a process failed; the message says whose and why.
    """
    by_name = {environment.name: environment for environment in environments}
    times: dict[str, list[Times]] = {name: [] for name in by_name}
    for number in range(1, timing.most_rounds + 1):
        if number > timing.rounds:
            noise = max((s.noise for s in speeds(times).values()), key=lambda r: r.width)
            if noise.width <= NOISE:
                break
            progress.more(len(ABBA))
            print(f"A/A {noise} is wider than {NOISE:.0%}: round {number}", file=sys.stderr)
        for name in ABBA:
            progress.next(f"{name} environment: timing, round {number}")
            out = folder / "times.json"
            words = [
                "-m",
                "benchmarks.upgrading.time_one_process",
                str(out),
                "--steps",
                str(timing.steps),
            ]
            done = by_name[name].run(*words, "--yardstick", timing.yardstick)
            if done.returncode:
                raise call_failed(f"{name} environment, timing", done)
            times[name].append(json.loads(out.read_text(encoding="utf8")))
    return times


@dataclass(frozen=True)
class Speed:
    """A loop or the bare step in both environments, each by its process's yardstick.

    A loop isn't taken by the bare step: where that became faster, the loop would seem slower.
    """

    old: float
    new: float
    change: Ratio  # new / old
    noise: Ratio  # old / old: how far the machine moved what is the same


def speeds(times: Mapping[str, Sequence[Times]]) -> dict[str, Speed]:
    """How loops and bare step changed, by name.

    A time is first divided by its yardstick's, a neighbour in the same process: so the machine's
    drift falls out. A round of the bootstrap is a pair of processes, and a pair in it is a cycle.
    """
    names = [name for name in times["old"][0] if name not in (YARDSTICK, BARE)]
    places = orders(names)
    by_name = {}
    for name in (BARE, *names):
        old, new = (
            np.array(
                [_cycles(t[name], places) / _cycles(t[YARDSTICK], places) for t in times[side]]
            )
            for side in ("old", "new")
        )
        again = ratio(old[1::2], old[0::2])
        by_name[name] = Speed(float(np.median(old)), float(np.median(new)), ratio(new, old), again)
    return by_name


def _cycles(rounds: Sequence[Sequence[float]], places: int) -> np.ndarray:
    """Seconds of each cycle, in which all take each place once; see `Measured.cycles`."""
    cycles: np.ndarray = np.asarray(rounds).reshape(-1, places).sum(axis=1)
    return cycles
