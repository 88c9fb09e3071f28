"""What `python -m reference check RUN|SCRIPT` does: observes a script first, then examines the run.

python -m reference check runs/mine
python -m reference check train.py --learning_rate 3e-5
"""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from reference.check.examination import examine_run
from reference.check.report_text import CLEAN, exit_code, json_line, lines
from reference.errors import InputError, TrainingFailed
from reference.ledger.ledger_path import find_ledgers
from reference.ledger.steps import open_ledger
from reference.messages import coloured
from reference.observe.script.launcher import launched
from reference.process.bounded_files import check_name
from reference.process.run_folder import default_run_dir

LEDGER = ".jsonl"
MODULE = "-m"


def is_run(word: str) -> bool:
    """Whether this names a run, and no script: a folder, or a ledger's file."""
    return word != MODULE and (word.endswith(LEDGER) or Path(word).is_dir())


def check(words: Sequence[str], run_dir: Path | None, *, as_json: bool) -> int:
    """Examine a run, or a script's, and print what was found.

    Args:
        words: A run's folder or a ledger; or `SCRIPT ARGS...`, or `-m MODULE ARGS...`.
        run_dir: Where the script's run goes; by default a new folder under `runs/`.
        as_json: Print one JSON object; what the script prints goes to stderr then.

    Returns:
        0 where nothing is at the levels `wrong` and `likely`, or else 1. Where a script failed and
        nothing was found, 3.

    Raises:
        InputError: There is neither a run nor a script, or no step in it.
    """
    if not words:
        raise InputError("check: no run; give RUN, SCRIPT [ARGS...] or -m MODULE [ARGS...]")
    check_name(words[0])
    given_run = is_run(words[0])
    if given_run and len(words) > 1:
        raise InputError(f"check: {words[1]!r} after the run {words[0]}; leave it out")
    if given_run and run_dir is not None:
        raise InputError(f"--run-dir: {words[0]} is a run already; leave it out")
    code, run = (CLEAN, Path(words[0])) if given_run else _observed(words, run_dir, as_json)
    if not given_run and not _has_step(run):
        if code < 0:  # killed, and has said nothing
            raise InputError(f"check: {words[0]} was ended by signal {-code} before its first step")
        return InputError.exit_code  # observe has said why, in a line
    examination = examine_run(run)
    if as_json:
        print(json_line(str(run), examination))
    else:
        for line in lines(examination):
            print(coloured(line, sys.stdout))
    return exit_code(examination) or (TrainingFailed.exit_code if code else CLEAN)


def _observed(words: Sequence[str], run_dir: Path | None, as_json: bool) -> tuple[int, Path]:
    """Observe a script in a process of its own; its exit code, and the folder of its run."""
    if launched().world_size > 1:
        raise InputError(
            "check: a script of several processes; launch -m reference observe SCRIPT, and check "
            "the folder of its run"
        )
    name = words[0] if words[0] != MODULE else words[1] if len(words) > 1 else ""
    stem = name.rpartition(".")[2] if words[0] == MODULE else Path(name).stem
    folder = run_dir or default_run_dir(stem)
    command = [sys.executable, "-m", "reference", "observe", "--run-dir", str(folder), *words]
    return subprocess.call(command, stdout=sys.stderr if as_json else None), folder


def _has_step(folder: Path) -> bool:
    """Whether a run has a ledger with a step in it."""
    ledgers = find_ledgers(folder) if any(folder.glob(f"ledger*{LEDGER}")) else {}
    return any(
        group.step is not None for path in ledgers.values() for group in open_ledger(path)[1]
    )
