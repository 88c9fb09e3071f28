"""How far apart are a GPU's runs without deterministic algorithms? Measured, as an envelope.

    python -m benchmarks.apart                       part of: tox -e gpu
    python -m benchmarks.apart --mixed-precision bf16

Each loop trains three times on the same recipe. How far apart a loop's own runs are, the most of
all pairs, is its envelope: so far the device alone moves the loss and the gradients' norms. Beside
it stands how far apart the runs of two loops are. Batches, hyper-parameters and learning rates must
be equal all the same. On a CPU (`--device cpu`) all are 0 apart.

Exit codes: 0 measured; 2 wrong input, no CUDA device, or two runs with unequal batches or
hyper-parameters; 3 a loop doesn't train.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Iterable, Sequence
from itertools import combinations, product
from pathlib import Path

from benchmarks.timing.progress import ProcessCounter
from benchmarks.timing.quiet import without_output
from reference.diff.tolerance import apart
from reference.diff.value_text import distances_text
from reference.errors import InputError
from reference.ledger.record import LEDGER_FILE
from reference.lesson.loops import LOOPS
from reference.lesson.recipe import Recipe
from reference.lesson.recipe_sources import load_recipe
from reference.process.exit_codes import ended
from reference.run.environment_variables import see_one_gpu
from reference.run.one_run import run
from reference.run.prepare import resolve_device
from reference.terminal import table

MAX_STEPS = 100
RUNS = 3
WORKSPACE = "CUBLAS_WORKSPACE_CONFIG"  # where it is set, a GPU's matrix products are deterministic


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure how far apart runs are; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.apart")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--max-steps", type=int, default=MAX_STEPS)
    parser.add_argument(
        "--checkpoint", default="embedded", help="embedded, minilm, a folder or a name on the hub"
    )
    parser.add_argument("--mixed-precision", choices=("no", "bf16"), default="no")
    parser.add_argument("--runs", type=int, default=RUNS, help="of each loop, 2 or more")
    args = parser.parse_args(arguments)
    see_one_gpu()
    return ended(lambda: _command(args))


def _command(args: argparse.Namespace) -> int:
    """Measure, and print the table; returns the exit code."""
    if args.runs < 2:
        raise InputError(f"--runs: {args.runs} is too few; give 2 or more")
    names = ("device", "max_steps", "checkpoint", "mixed_precision")
    given = {name: getattr(args, name) for name in names}
    recipe = resolve_device(load_recipe("embedded", given))
    if args.device == "cuda" and WORKSPACE in os.environ:
        raise InputError(f"{WORKSPACE} is set in the environment: unset it for this measurement")
    with tempfile.TemporaryDirectory(prefix="apart-") as folder:
        rows = measure(recipe, Path(folder), args.runs)
    print(table([["runs", "so far apart at most"], *rows]))
    return 0


def measure(recipe: Recipe, folder: Path, runs: int = RUNS) -> list[list[str]]:
    """Train each loop `runs` times, and compare.

    Args:
        recipe: what is trained.
        folder: for the runs.
        runs: of each loop.

    Returns:
        A row for each loop by itself, and one for each two loops.

    Raises:
        InputError: two runs have unequal batches or hyper-parameters.
    """
    ledgers: dict[str, list[Path]] = {}
    progress = ProcessCounter(runs * len(LOOPS))
    for loop, again in product(LOOPS, range(1, runs + 1)):
        name = f"{loop}-{again}"
        progress.next(f"training {name}")
        with without_output():
            run(recipe, loop, folder / name, deterministic=False)
        ledgers.setdefault(loop, []).append(folder / name / LEDGER_FILE)
    rows = [[f"{loop}, {runs} times", farthest(combinations(ledgers[loop], 2))] for loop in LOOPS]
    for loop, other in combinations(LOOPS, 2):
        rows.append([f"{loop} and {other}", farthest(product(ledgers[loop], ledgers[other]))])
    return rows


def farthest(pairs: Iterable[tuple[Path, Path]]) -> str:
    """How far apart the two ledgers of a pair are at most, in words.

    Raises:
        InputError: two have unequal batches or hyper-parameters.
    """
    most: dict[str, float] = {}
    for a, b in pairs:
        for name, distance in apart(a, b).items():
            most[name] = max(most.get(name, 0.0), distance)
    return distances_text(most)


if __name__ == "__main__":
    sys.exit(main())
