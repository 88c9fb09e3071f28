"""Both runs once more, up to the step at which they part, with the calls inside that step.

python -m reference diff --inside A B
"""

import os
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from reference.diff.inside_notes import CutInside, EqualInside, NotInside, PartsInside
from reference.diff.ledgers import diff
from reference.diff.notes import BeginsLater
from reference.diff.verdict import Verdict
from reference.diff.verdict_text import in_words
from reference.errors import InputError, TrainingFailed
from reference.ledger.ledger_path import find_ledger
from reference.ledger.link_table import METRICS
from reference.ledger.record import LEDGER_FILE
from reference.ledger.steps import open_ledger
from reference.messages import last_line, plain, say
from reference.process.new_python import words_for
from reference.process.workers import stop
from reference.rerun.command_of_ledger import Again, command_of

OURS = "reference: "  # begins the lines that are no script's own
TOLD = ("batch", "weights", METRICS)  # links that say all, and that no module computes
INSIDE = (PartsInside, EqualInside, CutInside)


def diff_inside(a: Path, b: Path) -> Verdict:
    """The verdict on two ledgers, and which module of the model is the first that differs.

    Where the ledgers hold that already, or there is nothing to look inside, nothing is run.

    Args:
        a: A ledger, or the folder of a run of one process.
        b: The one that it is compared with.

    Raises:
        InputError: A run can't be made again, or comes out as another than its ledger says.
        TrainingFailed: A run fails before that step.
    """
    verdict = diff(a, b)
    known = [note for note in verdict.remarks if isinstance(note, INSIDE)]
    if verdict.step is None or known:
        return verdict
    if verdict.link in TOLD or verdict.step == 0:
        where = "before the first step" if verdict.step == 0 else f"in {verdict.link}"
        say(f"nothing is run again: the two part {where}, which no module of a step computes")
        return verdict
    if any(isinstance(note, BeginsLater) for note in verdict.remarks):
        raise InputError(
            f"{b}: --inside: one run goes on from the other; observe both with --inside, and give "
            "diff the new ledgers"
        )
    step = verdict.step
    ledgers = find_ledger(a), find_ledger(b)
    with tempfile.TemporaryDirectory(prefix="reference-inside-") as folder:
        works = [Path(folder) / name for name in ("a", "b")]
        commands = []
        for ledger, work in zip(ledgers, works, strict=True):
            work.mkdir()
            commands.append(command_of(ledger, open_ledger(ledger)[0], step, work))
        for command in commands:
            say(f"runs again, up to step {step}: {command}")
        new = [
            _run(ledger, command, step, work)
            for ledger, command, work in zip(ledgers, commands, works, strict=True)
        ]
        inside = [n for n in diff(*new).remarks if isinstance(n, INSIDE)]
    if not inside:
        say(f"runs again: there is no forward pass in step {step} that both have")
    # The old verdict is of both runs to their ends, and so says more of the rest.
    kept = [n for n in verdict.remarks if not isinstance(n, NotInside)]
    return in_words(replace(verdict, remarks=(*inside, *kept)))


def _run(ledger: Path, command: Again, step: int, work: Path) -> Path:
    """Run one again; the path of its ledger, which is the old one up to that step."""
    new = work / "run" / LEDGER_FILE
    log = work / "log"
    with open(log, "wb") as output:
        process = subprocess.Popen(
            [sys.executable, *words_for("reference.__main__"), *command.words],
            cwd=command.folder,
            env=dict(os.environ),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is ours to pass on
        )
    try:
        code = process.wait()
    finally:
        stop([process])  # and whatever it has started
    lines = log.read_text(errors="replace").splitlines()
    said = plain(last_line("\n".join(each for each in lines if not each.startswith(OURS))))
    if not new.exists():
        raise TrainingFailed(f"{ledger}: run again, it takes no step (exit code {code}): {said}")
    _check_same_run(ledger, new, step, f"exit code {code}: {said}")
    return new


def _check_same_run(old: Path, new: Path, step: int, ended: str) -> None:
    """Raise InputError where the new ledger isn't the old one up to the end of that step."""
    verdict = diff(old, new)
    if verdict.step is not None and verdict.step <= step:
        what = f"it parts from its ledger at step {verdict.step}, link {verdict.link}"
        what += f" ({verdict.detail})"
    elif verdict.steps < step:
        what = f"it ends after {verdict.steps} steps ({ended})"
    else:
        return
    raise InputError(
        f"{old}: the run couldn't be repeated: {what}; no ledger holds the environment's variables "
        f"or other files: run both yourself as before, with observe --inside {step}, and give diff "
        "the new ledgers"
    )
