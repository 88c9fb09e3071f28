"""The main job: three loops by one recipe, and one verdict.

    python -m reference compare

Each loop runs in a process of its own and, on a CPU, all run at once; their ledgers are read at the
end. With accumulated gradients the full batch is the judge of all three (`accumulation_judge.py`).
"""

import json
import sys
from functools import partial
from pathlib import Path
from typing import Any

from reference.compare.accumulation_judge import RunAll, verdict_of_judge
from reference.diff.ledgers import diff
from reference.diff.verdict import Verdict
from reference.diff.verdict_text import as_json, sentences
from reference.errors import InputError
from reference.ledger.reader import read_ledger
from reference.ledger.record import LEDGER_FILE
from reference.lesson.loops import LOOPS
from reference.lesson.recipe import Recipe
from reference.messages import coloured
from reference.process.run_folder import MODEL_FOLDER, clear_run_dir, make_run_dir
from reference.process.whole_files import write_json
from reference.run.table import comparison, data_lines
from reference.run.worker_processes import Job, default_jobs, run_all, starter
from reference.seeds.judge import judged

VERDICT_VERSION = 1
VERDICTS = ("diverged", "incomparable", "identical")  # the worst first: it is the verdict on all


def compare(
    recipe: Recipe,
    run_dir: Path | str,
    jobs: int | None = None,
    *,
    debug: bool = False,
    save: bool = False,
) -> Verdict:
    """Run the three loops into `run_dir`, `jobs` at a time; print the table and the verdict.

    Args:
        recipe: what all three train.
        run_dir: new, or an empty folder.
        jobs: how many loops run at the same time; by device and cores if it isn't given.
        debug: whether a loop that fails leaves a traceback in its log.
        save: whether the first loop's trained model is kept, in `model`: the others' are the same
            where the verdict is identical, and its card says which it is.

    Returns:
        The worst verdict of the two comparisons with the Trainer's run: diverged before
        incomparable before identical.

    Raises:
        InputError, TrainingFailed: the line of the loop that failed first.
    """
    run_dir, jobs = Path(run_dir), jobs or default_jobs(recipe)
    new = make_run_dir(run_dir)
    with starter(recipe) as processes:
        run = partial(run_all, at_once=jobs, processes=processes, debug=debug)
        return _compare(recipe, run_dir, run, new=new, save=save)


def _compare(recipe: Recipe, run_dir: Path, run: RunAll, *, new: bool, save: bool) -> Verdict:
    try:
        write_json(run_dir / "recipe.json", recipe.to_json())
        jobs = [Job(loop, loop, recipe, saves=save and loop == LOOPS[0]) for loop in LOOPS]
        run(jobs, run_dir)
    except InputError:
        if not any((run_dir / loop / "metrics.json").exists() for loop in LOOPS):
            clear_run_dir(run_dir, new=new)
        raise
    metrics = [json.loads((run_dir / loop / "metrics.json").read_text()) for loop in LOOPS]
    ledgers = {loop: read_ledger(run_dir / loop / LEDGER_FILE) for loop in LOOPS}
    verdicts = {loop: diff(ledgers[LOOPS[0]], ledgers[loop]) for loop in LOOPS[1:]}
    worst = min(verdicts.values(), key=lambda v: (VERDICTS.index(v.verdict), v.steps))
    against = {loop: as_json(verdict) for loop, verdict in verdicts.items()}
    written = {"version": VERDICT_VERSION, "reference": LOOPS[0], "against": against}
    write_json(run_dir / "verdict.json", written)
    print(comparison(metrics))
    for line in data_lines(recipe):
        print(line)
    # Once for all loops that have the same scores.
    headers = [ledger.header for ledger in ledgers.values()]
    judgements = map(judged, headers, [each["scores"] for each in metrics])
    for line in dict.fromkeys(filter(None, judgements)):
        print(coloured(line, sys.stdout))
    said = list(sentences(LOOPS[0], verdicts))
    for line in said:
        print(coloured(line, sys.stdout))
    if save:
        from reference.keep.model_card import write_card  # slow, and for this alone

        (run_dir / LOOPS[0] / MODEL_FOLDER).rename(run_dir / MODEL_FOLDER)
        header = ledgers[LOOPS[0]].header
        write_card(run_dir, recipe, header, metrics[0], f"{', '.join(LOOPS)}: {said[0]}.")
    if recipe.gradient_accumulation_steps > 1:
        print(verdict_of_judge(recipe, run_dir, run))
    return worst


def summary(metrics: dict[str, Any]) -> str:
    """The table of a single run."""
    return comparison([metrics])
