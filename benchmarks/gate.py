"""The gate fails when a loop became slower, and says which, where, and how noisy the machine was.

    python -m benchmarks.gate                     the embedded checkpoint, measured now
    python -m benchmarks.gate --run RUN.json      what `pytest benchmarks --benchmark-json` stored

Exit codes: 0 every bound holds; 1 one doesn't; 2 wrong input, or too little was measured to tell.
"""

import argparse
import dataclasses
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.bounds.judge import Outcome, judge
from benchmarks.bounds.read import FILE, Bound, Bounds, read_bounds
from benchmarks.counting.counts_of_bounds import count
from benchmarks.results.output_file import check_output, write_output
from benchmarks.results.stored_run import check_machine, read_run, stored_counts, stored_ratios
from benchmarks.timing import recipes, rounds
from benchmarks.timing.paired_ratio import Ratio
from benchmarks.timing.progress import check_cores, show_rounds
from reference.errors import InputError
from reference.lesson.data.pipeline import Data, load_data
from reference.lesson.recipe import Recipe
from reference.messages import nearest
from reference.process.exit_codes import ended

STEPS = 42  # a round: seven times each of the six orders
ROUNDS = 26  # with both cores loaded 45 of 50 gates had an A/A within 1 % (2026-11-24)
MOST_ROUNDS = 40  # half as much time again, where the machine is noisy
MOST_SECONDS = 150  # after these no round beyond ROUNDS begins: a gate is to take five minutes
FEWEST, LAST_SECONDS = 13, 240  # after these seconds so many rounds are enough


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the gate; returns the exit code."""
    args = _parser().parse_args(arguments)
    return ended(lambda: _command(args))


def _command(args: argparse.Namespace) -> int:
    """Measure or read, judge, and print the outcome; returns the exit code."""
    started = time.monotonic()
    check_output(args.json)
    bounds = _chosen(args.names, read_bounds(args.bounds))
    _check_here(args.names, bounds)
    here = dataclasses.replace(bounds, ratios=tuple(b for b in bounds.ratios if b.in_gate))
    outcome = judge_now(here) if args.run is None else judge_stored(args.run, here)
    outcome.elsewhere = [b.name for b in bounds.ratios if not b.in_gate]
    on_gpu = sum(b.device != "cpu" for b in bounds.exact)
    outcome.elsewhere += [f"{on_gpu} counts on a GPU (tox -e gpu)"] if on_gpu else []
    for line in outcome.lines:
        print(line)
    print(f"{outcome.verdict} ({time.monotonic() - started:.0f} s)")
    if args.json is not None:
        write_output(args.json, json.dumps(dataclasses.asdict(outcome), indent=1) + "\n")
    return 1 if outcome.past else 0


def judge_now(bounds: Bounds) -> Outcome:
    """Count and measure the embedded checkpoint, and judge it by these bounds.

    Raises:
        InputError: fewer than two cores, or no bound to hold.
        TrainingFailed: two loops end with unequal weights.
    """
    check_cores()
    recipe = recipes.make_recipe("embedded", STEPS)
    data = recipes.short_evaluation(load_data(recipe))
    counts = count(bounds.exact, recipe, data)
    ratios, noise = _ratios(bounds.ratios, recipe, data)
    return judge(bounds, ratios, counts, noise)


def _ratios(
    bounds: Sequence[Bound], recipe: Recipe, data: Data
) -> tuple[dict[str, Ratio], Ratio | None]:
    """The ratios that the bounds are about, by name, and the A/A; nothing else is measured."""
    ratios: dict[str, Ratio] = {}
    noise = None
    in_turn = [b for b in bounds if b.link != "batches"]
    if in_turn:
        with show_rounds() as progress:
            run = rounds.measure(
                recipe,
                rounds=ROUNDS,
                most_rounds=MOST_ROUNDS,
                most_seconds=MOST_SECONDS,
                fewest=FEWEST,
                last_seconds=LAST_SECONDS,
                data=data,
                progress=progress,
            )
        noise = run.noise()
        ratios = {b.name: run.ratio(b.loop, b.link) for b in in_turn}
        ratios |= {b.data: run.ratio("all", "data") for b in in_turn if b.of_data}
    for bound in bounds:
        if bound.link == "batches":
            ratios[bound.name] = rounds.measure_batches(recipe, data)
    return ratios, noise


def judge_stored(path: Path, bounds: Bounds) -> Outcome:
    """Judge a stored run by these bounds.

    Raises:
        InputError: it is damaged, another machine's, or lacks what a bound is about.
    """
    run = read_run(path)
    ratios, noise = stored_ratios(path, run, bounds.ratios)
    check_machine(path, run)
    return judge(bounds, ratios, stored_counts(path, run, bounds.exact), noise)


def _chosen(names: Sequence[str], bounds: Bounds) -> Bounds:
    known = [*(b.name for b in bounds.ratios), *(b.name for b in bounds.exact)]
    for name in names:
        if name not in known:
            raise nearest("benchmark", name, known)
    if not names:
        return bounds
    return Bounds(
        tuple(b for b in bounds.ratios if b.name in names),
        tuple(b for b in bounds.exact if b.name in names),
    )


def _check_here(names: Sequence[str], bounds: Bounds) -> None:
    """Refuse a name whose bound the gate doesn't measure."""
    for bound in bounds.ratios:
        if bound.name in names and not bound.in_gate:
            raise InputError(f"{bound.name}: isn't measured here; `{bound.measured_by}` does it")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gate", description="Did a loop become slower?"
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="just these bounds")
    parser.add_argument("--run", type=Path, metavar="RUN.json", help="judge a stored run")
    parser.add_argument("--bounds", type=Path, default=FILE, metavar="FILE", help="other bounds")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the outcome too")
    return parser


if __name__ == "__main__":
    sys.exit(main())
