"""The two loops that train on several processes, by one recipe, and one verdict.

    python -m reference launch cpu-2 compare

Each runs in the processes of the configuration, one after the other; their ledgers are compared
rank by rank. The full batch, on one process, is the judge of both (`accumulation_judge.py`).
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from reference.compare.accumulation_judge import FULL, verdict_of_judge
from reference.diff.ledgers import diff
from reference.diff.verdict import Verdict
from reference.diff.verdict_text import as_json, sentences
from reference.errors import InputError
from reference.launch.configuration import Configuration
from reference.launch.launcher import launch
from reference.lesson.loops import LOOPS_OF_SEVERAL
from reference.lesson.recipe import Recipe
from reference.messages import coloured
from reference.process.run_folder import clear_run_dir, make_run_dir
from reference.process.whole_files import write_json
from reference.run.table import comparison, data_lines
from reference.run.worker_processes import Job, run_all, starter

VERDICT_VERSION = 1


def compare_on(
    configuration: Configuration, recipe: Recipe, run_dir: Path, *, debug: bool = False
) -> Verdict:
    """Run both loops into `run_dir`; print the table, the verdict and the judge's line.

    Args:
        configuration: in how many processes each loop trains; all on this machine.
        recipe: what both train.
        run_dir: new, or an empty folder.
        debug: whether the output of a process that fails is shown whole.

    Returns:
        The verdict on the two runs, rank by rank.

    Raises:
        InputError: the configuration is of several machines or of one process, or a process refused
            what it got.
        RunError: a process failed.
    """
    if configuration.num_machines > 1 or configuration.num_processes == 1:
        raise InputError(
            "compare: is for several processes of one machine; give a CONFIG of these, train on "
            "each machine and `diff` the folders, or `compare` without launch"
        )
    new = make_run_dir(run_dir)
    first, other = LOOPS_OF_SEVERAL
    try:
        write_json(run_dir / "recipe.json", recipe.to_json())
        _run([Job(loop, loop, recipe) for loop in (first, other)], run_dir, configuration, debug)
    except InputError:
        if not (run_dir / first / "metrics.json").exists():
            clear_run_dir(run_dir, new=new)
        raise
    verdict = diff(run_dir / first, run_dir / other)
    against = {other: as_json(verdict)}
    written = {"version": VERDICT_VERSION, "reference": first, "against": against}
    write_json(run_dir / "verdict.json", written)
    loops = [run_dir / loop / "metrics.json" for loop in (first, other)]
    print(comparison([json.loads(path.read_text()) for path in loops]))
    for line in data_lines(recipe):
        print(line)
    for line in sentences(first, {other: verdict}):
        print(coloured(line, sys.stdout))

    def run(jobs: Sequence[Job], folder: Path) -> None:
        _run(jobs, folder, configuration, debug)

    count = configuration.num_processes
    print(verdict_of_judge(recipe, run_dir, run, LOOPS_OF_SEVERAL, count))
    return verdict


def _run(jobs: Sequence[Job], parent: Path, configuration: Configuration, debug: bool) -> None:
    """Each job one after the other, in the processes of the configuration; FULL in one."""
    with starter(jobs[0].recipe) as processes:
        for job in jobs:
            if job.name == FULL:
                run_all([job], parent, 1, processes, debug=debug)
                continue
            recipe = parent / f"{job.name}.json"
            write_json(recipe, job.recipe.to_json())
            words = ["train", job.loop, "--recipe", str(recipe)]
            folder = parent / job.name
            launch(
                configuration, job.recipe, job.loop, words, folder, debug=debug, processes=processes
            )
