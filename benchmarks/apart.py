"""How far apart are a GPU's runs without deterministic algorithms? Measured, as an envelope.

    python -m benchmarks.apart                       part of: tox -e gpu

Each loop trains twice on the same recipe. A loop's two runs are its envelope: how far apart the
device alone moves the loss and the gradients' norms. Beside it, as far apart as two loops are. What
a machine is told (batches, hyper-parameters, learning rates) must be equal all the same.

Never run on a device so far: on a CPU (`--device cpu`) all are 0 apart.

Exit codes: 0 measured; 2 wrong input, no CUDA device, or two runs that were told other things;
3 a loop doesn't train.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from reference.environment import see_one_gpu
from reference.errors import InputError, RunError
from reference.ledger.envelope import diff_within
from reference.ledger.record import LEDGER_FILE
from reference.loops import LOOPS
from reference.recipe import Recipe, load_recipe
from reference.report import table
from reference.run import resolve_device, run

MAX_STEPS = 100
WORKSPACE = "CUBLAS_WORKSPACE_CONFIG"  # set, it is half of what makes a GPU deterministic


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.apart")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--max-steps", type=int, default=MAX_STEPS)
    args = parser.parse_args(arguments)
    see_one_gpu()
    try:
        given = {"device": args.device, "max_steps": args.max_steps}
        recipe = resolve_device(load_recipe("embedded", given))
        if args.device == "cuda" and WORKSPACE in os.environ:
            raise InputError(
                f"{WORKSPACE} is set in the environment: unset it for this measurement"
            )
        with tempfile.TemporaryDirectory() as folder:
            rows = measure(recipe, Path(folder))
    except RunError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    print(table([["two runs", "so far apart at most"], *rows]))
    return 0


def measure(recipe: Recipe, folder: Path) -> list[list[str]]:
    """A row for each loop by itself, and for each two loops."""
    ledgers: dict[str, list[Path]] = {}
    for loop in LOOPS:
        for number in (1, 2):
            name = f"{loop}-{number}"
            print(f"training {name}", file=sys.stderr, flush=True)
            run(recipe, loop, folder / name, deterministic=False)
            ledgers.setdefault(loop, []).append(folder / name / LEDGER_FILE)
    rows = [[f"{loop}, twice", apart(*ledgers[loop])] for loop in LOOPS]
    for place, loop in enumerate(LOOPS):
        for other in LOOPS[place + 1 :]:
            rows.append([f"{loop} and {other}", apart(ledgers[loop][0], ledgers[other][0])])
    return rows


def apart(a: Path, b: Path) -> str:
    """How far apart two runs are at most: within their own envelope they lie by definition.

    Raises InputError where they were told other things.
    """
    (note,) = diff_within(a, b, a, b).notes
    return note.partition("at most: ")[2]


if __name__ == "__main__":
    sys.exit(main())
