"""What each loop adds to the bare step, and where that goes, by name.

    python -m benchmarks.parts
    python -m benchmarks.parts --checkpoint minilm --steps 16
    python -m benchmarks.parts --device cuda

The loops and the bare step take their steps in turn, each with a clock on its parts and once more
without one: so the clock's own cost is seen. Times are medians over the steps, in microseconds;
what is added to the bare step is the median over pairs of steps on the same batch.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.measurements.step_parts import STEPS, measure
from benchmarks.results.output_file import check_output, write_output
from benchmarks.results.parts_table import footing, table
from benchmarks.timing.progress import check_cores
from reference.process.exit_codes import ended
from reference.run.environment_variables import see_one_gpu


def main(arguments: Sequence[str] | None = None) -> int:
    """Take the loops apart; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.parts")
    parser.add_argument("--checkpoint", default="embedded", help="embedded, minilm or a folder")
    parser.add_argument("--steps", type=int, default=STEPS, help="of each, a multiple of 8")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures too")
    args = parser.parse_args(arguments)
    see_one_gpu()
    return ended(lambda: _command(args.checkpoint, args.steps, args.device, args.json))


def _command(checkpoint: str, steps: int, device: str, file: Path | None) -> int:
    """Measure, and print the table; returns the exit code."""
    check_cores()
    check_output(file)
    result = measure(checkpoint, steps, device).to_json()
    print(f"{checkpoint}, {device}: {result['steps']} steps of each, in turn")
    print("\n".join([*table(result), *footing(result)]))
    if file is not None:
        write_output(file, json.dumps(result, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
