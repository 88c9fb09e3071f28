"""One loop beside the bare step, and no other: a ratio of a few parts in a thousand, settled.

    python -m benchmarks.pair manual --checkpoint minilm
    python -m benchmarks.pair accelerated --checkpoint minilm --steps 48 --rounds 8 --json pair.json

ABBA: the two take their steps in turn, each first and second equally often. In the rounds between,
the bare step takes turns with itself, which says how noisy the machine was. Where `bounds.toml` has
a bound on this loop's step, the ratio is held to it.

Exit codes: 0 measured, and within its bound; 1 the whole interval lies above it; 2 wrong input.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
from pytest_benchmark.plugin import pytest_benchmark_generate_machine_info as machine_info

from benchmarks.bounds.judge import noise_line
from benchmarks.bounds.read import FILE, read_bounds
from benchmarks.results.output_file import check_output, write_output
from benchmarks.timing import recipes, rounds
from benchmarks.timing.progress import check_cores, show_rounds
from reference.errors import InputError
from reference.lesson.loops import LOOPS
from reference.messages import nearest
from reference.process.exit_codes import ended

STEPS, ROUNDS, MOST = 24, 6, 12  # minilm: about 50 s a round


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure one loop beside the bare step; returns the exit code."""
    args = _parser().parse_args(arguments)
    return ended(lambda: _command(args))


def _command(args: argparse.Namespace) -> int:
    """Measure the pair, print it, and hold it to its bound; returns the exit code."""
    if args.loop not in LOOPS:
        raise nearest("loop", args.loop, LOOPS)
    if not 2 <= args.rounds <= args.most_rounds:
        raise InputError(f"rounds: {args.rounds} isn't from 2 to --most-rounds, {args.most_rounds}")
    check_cores()
    check_output(args.json)
    name = f"{args.checkpoint}-{args.loop}-step"
    bound = next((b for b in read_bounds(args.bounds).ratios if b.name == name), None)
    recipe = recipes.make_recipe(args.checkpoint, args.steps)
    with show_rounds() as progress:
        with_loop, with_itself = rounds.measure_pair(
            recipe,
            args.loop,
            rounds=args.rounds,
            most_rounds=args.most_rounds,
            progress=progress,
        )
    ratio, noise = with_loop.ratio(args.loop, "step"), with_itself.noise()
    print(noise_line(noise))
    line = f"{args.checkpoint}: loop {args.loop}, link step: {ratio}"
    line += f" ({ratio.rounds} rounds, {ratio.pairs} pairs)"
    past = bound is not None and ratio.low > bound.at_most
    mark = "PAST " if past else "ok   " if bound is not None else ""
    print(f"{mark}{line}" + (f", bound {bound.at_most:g}" if bound is not None else ", no bound"))
    if args.json is not None:
        figures = {
            "pair": f"{args.checkpoint}, {args.loop}",
            "ratios": {name: asdict(ratio)},
            "noise": asdict(noise),
            "step_ms": {n: 1000 * float(np.median(t)) for n, t in with_loop.times.items()},
            "steps": args.steps,
            "processor": machine_info()["cpu"].get("brand_raw"),
            **recipes.surroundings(recipe),
        }
        write_output(args.json, json.dumps(figures, indent=1) + "\n")
    return 1 if past else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pair")
    parser.add_argument("loop", metavar="LOOP", help="one of " + ", ".join(LOOPS))
    parser.add_argument("--checkpoint", default="minilm", help="embedded, minilm or a folder")
    parser.add_argument("--steps", type=int, default=STEPS, help="of each in a round, even")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="at least")
    parser.add_argument("--most-rounds", type=int, default=MOST, help="where the A/A is wide")
    parser.add_argument("--bounds", type=Path, default=FILE, metavar="FILE", help="other bounds")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures too")
    return parser


if __name__ == "__main__":
    sys.exit(main())
