"""Does the gate see a slowdown of 5 % in one loop, and nothing where there is none?

    python -m benchmarks.planted --runs 20 --out planted.json       each plant and loop in turn
    python -m benchmarks.planted --runs 50 --plant none --out none.json

Each run is a gate in a fresh process. The other core is loaded: by a busy loop, or with
`--at-once 2` by another gate (but for the last, where their number is odd). A plant is work in each
step of one loop, as long as 5 % of that loop's own step, which is measured first.
"""

import argparse
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from benchmarks import gate
from benchmarks.planted_slowdowns import PLANTS, SHARE, planted
from benchmarks.results.output_file import check_output, write_output
from benchmarks.timing.progress import check_cores
from reference.errors import InputError, WorkerDied
from reference.lesson.loops import LOOPS
from reference.messages import last_line, nearest
from reference.process.exit_codes import ended
from reference.process.workers import call, stop_calls

RESTLESS = "import os\nparent = os.getppid()\nwhile os.getppid() == parent: pass"


def run_gate(loop: str, plant: str, out: Path, share: float) -> int:
    """One gate in this process, planted or not; returns its exit code."""
    if plant == "none":
        return gate.main(["--json", str(out)])
    with planted(loop, plant, share) as size:
        print(json.dumps(size), flush=True)
        return gate.main(["--json", str(out)])


def count_gates(
    runs: int, plant: str, loop: str | None, out: Path, share: float, at_once: int = 1
) -> dict[str, Any]:
    """Run gates in fresh processes, and count those that end as they should.

    Args:
        runs: how many.
        plant: `each`, `none`, or one of `PLANTS`.
        loop: the loop that is planted; None: each in turn.
        out: the summary, written after each gate.
        share: a plant's, of the loop's own step.
        at_once: 2: two gates at a time, each the load on the other's core.
    """
    plants = list(PLANTS) if plant == "each" else [plant]
    loops = LOOPS if loop is None else (loop,)
    # Three plants and three loops: the loop shifts by one at each turn, so that all pairs come.
    pairs = [
        (plants[i], loops[(i + s) % len(loops)])
        for s in range(len(loops))
        for i in range(len(plants))
    ]
    results: list[dict[str, Any]] = []
    summary: dict[str, Any] = {}
    planned = list(itertools.islice(itertools.cycle(pairs), runs))
    for number, result in enumerate(_each(planned, share, at_once), 1):
        results.append(result)
        wanted = 0 if plant == "none" else 1
        summary = {
            "plant": plant,
            "share": share,
            "at_once": at_once,
            "runs": number,
            "exit_codes": [r["rc"] for r in results],
            "as_wanted": sum(r["rc"] == wanted for r in results),
            "as_wanted_by_ratio": sum(_by_ratio(r, where_wanted=wanted) for r in results),
            "results": results,
        }
        write_output(out, json.dumps(summary, indent=1) + "\n")
        where = "" if result["plant"] == "none" else result["loop"]
        print(
            f"{number}/{runs} {result['plant']} {where}: exit code {result['rc']}, "
            f"{result['verdict']}",
            flush=True,
        )
    return summary


def _each(
    planned: Sequence[tuple[str, str]], share: float, at_once: int
) -> Iterator[dict[str, Any]]:
    """The results, in order; where one breaks or all are stopped, those not begun never begin."""
    pool = ThreadPoolExecutor(at_once)
    try:
        yield from pool.map(lambda p: _fresh(p[0], p[1], share, alone=at_once == 1), planned)
    except BaseException:  # Ctrl-C and signals reach this thread alone, and the gates must end too
        pool.shutdown(wait=False, cancel_futures=True)
        stop_calls()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _by_ratio(result: dict[str, Any], where_wanted: int) -> bool:
    """Whether the ratios by themselves, without the counts, blame the planted loop and no other."""
    past = [name for name in result.get("past", []) if name.startswith("embedded-")]
    if where_wanted == 0:
        return result["rc"] in (0, 1) and not past
    return any(name == f"embedded-{result['loop']}-loop" for name in past)


@contextmanager
def never_resting() -> Iterator[None]:
    """A busy loop on the last core, which ends with this process, however that ends."""
    busy = subprocess.Popen([sys.executable, "-c", RESTLESS])
    try:
        os.sched_setaffinity(busy.pid, {max(os.sched_getaffinity(0))})
        yield
    finally:
        busy.kill()
        busy.wait()


def _fresh(plant: str, loop: str, share: float, *, alone: bool) -> dict[str, Any]:
    """One gate in a fresh process; `alone`: no other gate loads the other core.

    Raises:
        WorkerDied: the gate broke; it saw nothing, and counts neither as seen nor as unseen.
    """
    started = time.monotonic()
    load = never_resting() if alone else nullcontext()
    with load, tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "outcome.json"
        command = [sys.executable, "-m", "benchmarks.planted", "--one", "--plant", plant]
        command += ["--loop", loop, "--out", str(file), "--share", str(share)]
        done = call(command, Path.cwd())
        if not file.exists():
            last = last_line(done.stderr)
            raise WorkerDied(f"the gate broke with exit code {done.returncode}: {last}")
        outcome = json.loads(file.read_text())
    lines = done.stdout.splitlines()
    size = json.loads(lines[0]) if plant != "none" else {}
    verdict = lines[-1]
    return {
        "rc": done.returncode,
        "loop": loop,
        "plant": plant,
        "verdict": verdict,
        "size": size,
        "past": outcome["past"],
        "seconds": round(time.monotonic() - started, 1),
        "noise": outcome["noise"],
        "ratios": outcome["ratios"],
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the gates, planted or not; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.planted")
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument(
        "--plant", default="each", help="each, none, or one of " + ", ".join(PLANTS)
    )
    parser.add_argument("--loop", default=None, help="just this loop")
    parser.add_argument("--share", type=float, default=SHARE, help="of the loop's own step")
    parser.add_argument(
        "--at-once", type=int, choices=(1, 2), default=1, help="2: two gates load each other's core"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FILE")
    parser.add_argument("--one", action="store_true", help="one gate, in this process")
    args = parser.parse_args(arguments)
    return ended(lambda: _command(args))


def _command(args: argparse.Namespace) -> int:
    """Run the gates, and print how many ended as they should; returns the exit code."""
    if args.plant not in ("each", "none", *PLANTS):
        raise nearest("plant", args.plant, ["each", "none", *PLANTS])
    if args.loop not in (None, *LOOPS):
        raise nearest("loop", args.loop, LOOPS)
    if args.runs < 1 or not 0 < args.share < 1:
        raise InputError(
            f"--runs {args.runs} --share {args.share}: give at least 1, and a share between 0 and 1"
        )
    check_output(args.out)
    check_cores()
    if args.one:
        return run_gate(args.loop or "manual", args.plant, args.out, args.share)
    summary = count_gates(args.runs, args.plant, args.loop, args.out, args.share, args.at_once)
    wanted = "passed" if args.plant == "none" else "failed"
    print(f"{summary['as_wanted']} of {summary['runs']} gates {wanted}, as they should")
    return 0 if summary["as_wanted"] == summary["runs"] else 1


if __name__ == "__main__":
    sys.exit(main())
