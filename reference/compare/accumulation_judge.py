"""The judge of loops that make one gradient of several: the full batch, on one process.

    python -m reference compare --gradient-accumulation-steps 4 --train-batch-size 2
    python -m reference launch cpu-2 compare

Batches of 2, four to a step, are one batch of 8, and so are 4 rows on each of two processes: with
dropout off, whoever adds them up rightly gets the full batch's gradient. So loops that differ
aren't left as one word against another.

The stock Trainer is wrong for BERT (transformers issue 47688, seen in 5.23): the model takes any
keyword, so the Trainer believes that it divides its own loss by the rows of the step. It divides
the loss by nothing where it accumulates, and multiplies it by the number of processes. Clipping and
Adam's indifference to scale hide most of it.
"""

import dataclasses
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from statistics import median

from reference.ledger.reader import read_items
from reference.ledger.record import LEDGER_FILE
from reference.lesson.loops import LOOPS
from reference.lesson.recipe import Recipe
from reference.process.whole_files import write_json
from reference.run.worker_processes import Job

RunAll = Callable[[Sequence[Job], Path], None]  # runs all jobs into a folder

FULL = "full-batch"
STEPS = 4  # judged: the first begins with equal weights, the others show that it stays so
# A sum in another order: 3e-7 of the norm was the most seen in four steps of the embedded model
# (4 batches of 2 a step); later ones start from weights that differ by as much.
TOLERANCE = 1e-4
ISSUE = "https://github.com/huggingface/transformers/issues/47688"


def verdict_of_judge(
    recipe: Recipe,
    run_dir: Path,
    run: RunAll,
    loops: Sequence[str] = LOOPS,
    num_processes: int = 1,
) -> str:
    """Train the first steps anew without dropout, and the full batch, and compare the gradients.

    Args:
        recipe: accumulates gradients, or is trained on several processes.
        run_dir: gets the folder `judge`, with the runs and `judge.json`.
        run: runs all jobs into a folder; FULL in one process.
        loops: those that are judged.
        num_processes: on how many processes each of them trains.

    Returns:
        One line that says which loops are right.
    """
    calm = dataclasses.replace(recipe, dropout=0.0, max_steps=STEPS, mixed_precision="no")
    batch = recipe.train_batch_size * recipe.gradient_accumulation_steps
    if recipe.sharing == "whole":
        batch *= num_processes
    full = dataclasses.replace(calm, train_batch_size=batch, gradient_accumulation_steps=1)
    folder = run_dir / "judge"
    folder.mkdir()
    jobs = [Job(FULL, "manual", full), *(Job(loop, loop, calm) for loop in loops)]
    run(jobs, folder)
    norms = {job.name: gradient_norms(folder / job.name / LEDGER_FILE) for job in jobs}
    ratios = {
        loop: [a / b for a, b in zip(norms[loop], norms[FULL], strict=True)] for loop in loops
    }
    write_json(folder / "judge.json", {"version": 1, "full_batch": batch, "ratios": ratios})
    return words(batch, ratios, num_processes)


def gradient_norms(ledger: Path) -> list[float]:
    """The norm of each of the first steps' gradients, before the clip."""
    steps = (item.record for item in read_items(ledger) if item.kind == "step")
    return [float(step["gradient"]["norm"]) for step in islice(steps, STEPS)]


def words(batch: int, ratios: dict[str, list[float]], num_processes: int = 1) -> str:
    """The judge's line: each loop's gradient by the full batch's, and who is wrong."""
    where, right = ("", "accumulate rightly")
    if num_processes > 1:
        where, right = f", {num_processes} processes", "are right"
    wrong = {loop: r for loop, r in ratios.items() if abs(r[0] - 1) > TOLERANCE}
    shown = ", ".join(f"{loop} {median(r):.4f}" for loop, r in ratios.items())
    by = f"by the full batch of {batch}{' on one process' * (num_processes > 1)}, dropout off"
    line = f"judge: {by}{where}, gradients are {shown} times as large"
    if not wrong:
        return f"{line}: all loops {right}"
    names = " and ".join(wrong)
    line = f"{line}: {names} {'is' if len(wrong) == 1 else 'are'} wrong"
    return f"{line} ({ISSUE})" if list(wrong) == ["trainer"] else line
