"""The main job: three loops by one recipe, and one verdict.

    python -m reference compare

Each loop runs in a process of its own, so that none can leave anything behind for the next, and
(on a CPU) all at once. The parent watches their ledgers grow, and reads them at the end.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

from reference.errors import InputError, TrainingFailed
from reference.ledger.diff import Verdict, diff
from reference.ledger.record import LEDGER_FILE, read_ledger
from reference.loops import LOOPS
from reference.recipe import Recipe
from reference.report import Progress, comparison
from reference.run_dir import make_run_dir, write_json

VERDICT_VERSION = 1
VERDICTS = ("diverged", "incomparable", "identical")  # what one of several pairs makes of them all
POLL = 0.2  # seconds between two looks at the ledgers


@dataclass
class Child:
    """One loop's process, and how far its ledger has come."""

    loop: str
    folder: Path
    process: "subprocess.Popen[bytes]"
    steps: int = 0
    total: int | None = None
    _ledger: IO[bytes] | None = field(default=None, repr=False)
    _rest: bytes = b""

    def look(self) -> None:
        """Count the steps that were written since the last look."""
        if self._ledger is None:
            with suppress(FileNotFoundError):
                self._ledger = open(self.folder / LEDGER_FILE, "rb")  # noqa: SIM115
            if self._ledger is None:
                return
        *lines, self._rest = (self._rest + self._ledger.read()).split(b"\n")
        for line in lines:
            if line.startswith(b'{"kind":"step"'):
                self.steps += 1
            elif line.startswith(b'{"kind":"header"'):
                self.total = json.loads(line)["num_training_steps"]

    def close(self) -> None:
        if self._ledger is not None:
            self._ledger.close()
        if self.process.stdin is not None:
            self.process.stdin.close()


def compare(recipe: Recipe, run_dir: Path, jobs: int, *, debug: bool = False) -> Verdict:
    """Run the three loops into `run_dir`, `jobs` at a time; print the table and the verdict.

    Raises InputError or TrainingFailed with the line of the loop that failed first.
    """
    make_run_dir(run_dir)
    try:
        write_json(run_dir / "recipe.json", recipe.to_json())
        _run_all(recipe, run_dir, jobs, debug=debug)
    except InputError:
        if not any((run_dir / loop / "metrics.json").exists() for loop in LOOPS):
            shutil.rmtree(run_dir, ignore_errors=True)  # nothing was trained
        raise
    metrics = [json.loads((run_dir / loop / "metrics.json").read_text()) for loop in LOOPS]
    ledgers = {loop: read_ledger(run_dir / loop / LEDGER_FILE) for loop in LOOPS}
    verdicts = {loop: diff(ledgers[LOOPS[0]], ledgers[loop]) for loop in LOOPS[1:]}
    worst = min(verdicts.values(), key=lambda v: (VERDICTS.index(v.verdict), v.steps))
    against = {loop: asdict(verdict) for loop, verdict in verdicts.items()}
    written = {"version": VERDICT_VERSION, "reference": LOOPS[0], "against": against}
    write_json(run_dir / "verdict.json", written)
    print(comparison(metrics))
    if recipe.data == "embedded":
        print("data: the embedded corpus, which is synthetic")
    for line in sentences(verdicts):
        print(line)
    return worst


def sentences(verdicts: dict[str, Verdict]) -> list[str]:
    """The verdict in words: one line where all agree, else one for each loop."""
    if all(v.verdict == "identical" for v in verdicts.values()):
        steps = next(iter(verdicts.values())).steps
        return [f"identical: {len(verdicts) + 1} loops, {steps} steps, every link of every step"]
    return [sentence(f"{LOOPS[0]} and {loop}", v) for loop, v in verdicts.items()]


def sentence(pair: str, v: Verdict) -> str:
    """The verdict on one pair of runs, in words."""
    if v.verdict == "diverged":
        return f"diverged: {pair} part at step {v.step}, link {v.link}: {v.detail}"
    if v.verdict == "incomparable":
        return f"incomparable: {pair}: {v.detail}"
    return f"identical: {pair}, {v.steps} steps"


def exit_code(verdict: Verdict) -> int:
    """The command line's, wherever something was compared."""
    return {"identical": 0, "diverged": 1, "incomparable": InputError.exit_code}[verdict.verdict]


def _run_all(recipe: Recipe, run_dir: Path, jobs: int, *, debug: bool) -> None:
    waiting = list(LOOPS)
    running: list[Child] = []
    progress = Progress(LOOPS)
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                running.append(_start(waiting.pop(0), run_dir, recipe, debug=debug))
            for child in list(running):
                code = child.process.poll()
                child.look()
                progress.update(child.loop, child.steps, child.total)
                if code is not None:
                    running.remove(child)
                    child.close()
                    _check(child, run_dir, code)
            if running:
                time.sleep(POLL)
    finally:
        _stop(running)
        with suppress(OSError):  # a closed terminal shows no bars
            progress.close()


def _start(loop: str, run_dir: Path, recipe: Recipe, *, debug: bool) -> Child:
    folder = run_dir / loop
    command = [sys.executable, "-m", "reference", "train", loop]
    command += ["--recipe", str(run_dir / "recipe.json"), "--run-dir", str(folder)]
    command += ["--stop-at-end-of-input", *["--debug"] * debug]
    threads = {"OMP_NUM_THREADS": str(recipe.num_threads), "TOKENIZERS_PARALLELISM": "false"}
    with open(run_dir / f"{loop}.log", "wb") as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,  # never written to: it ends when we do, and the loop with it
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, **threads},
            start_new_session=True,  # Ctrl-C is ours to pass on
        )
    return Child(loop, folder, process)


def _check(child: Child, run_dir: Path, code: int) -> None:
    """Raise what a child's exit code says, with the last line of its log."""
    if code == 0:
        return
    lines = (run_dir / f"{child.loop}.log").read_text(errors="replace").strip().splitlines()
    said = [line for line in lines if "reference: error: " in line] or lines[-1:]
    line = said[-1].split("error: ", 1)[-1] if said else "no word of why"
    if code == InputError.exit_code:
        raise InputError(line)
    if code == TrainingFailed.exit_code:
        raise TrainingFailed(f"{child.loop}: {line}")
    how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
    raise TrainingFailed(f"{child.loop} {how}: {line}; see {run_dir / child.loop}.log")


def _stop(children: Sequence[Child]) -> None:
    for child in children:
        child.process.terminate()
    for child in children:
        with suppress(subprocess.TimeoutExpired):
            child.process.wait(timeout=5)
        child.process.kill()
        child.process.wait()
        child.close()


def default_jobs(recipe: Recipe) -> int:
    """How many loops run at once: on a GPU one; else all, or as many as the cores have threads for.

    With one thread each, all three: small steps leave a core idle often enough, also on two.
    """
    if recipe.device == "cuda" or (recipe.device == "auto" and _may_have_gpu()):
        return 1
    if recipe.num_threads == 1:
        return len(LOOPS)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, min(len(LOOPS), (cores or 1) // recipe.num_threads))


def _may_have_gpu() -> bool:
    """Whether to expect a GPU, without the seconds that asking torch takes."""
    return Path("/proc/driver/nvidia").exists() or shutil.which("nvidia-smi") is not None


def summary(metrics: dict[str, Any]) -> str:
    """The table of a single run."""
    return comparison([metrics])
