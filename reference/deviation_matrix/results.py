"""The matrix of deviation by detector: all its runs, a few at once, and what came of them.

    python -m reference deviations --matrix --jobs 2

Each setting of the recipe that some deviation needs is trained once as it is, by each of the loops,
and once with each of its deviations. Everything is kept in a folder whose name follows from recipe,
code and versions: what was interrupted goes on there, and a changed line begins anew.
"""

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from safetensors.torch import load_file

from reference.deviation_matrix.detectors import Control, Matrix, Row, Run, failed_by
from reference.deviation_matrix.one_run import (
    AGAIN,
    EXPLAINED,
    FAITHFUL,
    RUN,
    WEIGHTS,
    chosen,
    read,
)
from reference.deviation_matrix.scheduler import Task, run_tasks
from reference.deviations import CATALOGUE
from reference.diff.ledgers import diff
from reference.errors import InputError, TrainingFailed
from reference.ledger.record import LEDGER_FILE
from reference.lesson.checkpoints import check_checkpoint
from reference.lesson.data.pipeline import load_data
from reference.lesson.loops import LOOPS
from reference.lesson.recipe import Recipe
from reference.messages import nearest
from reference.process.versions import machine, versions
from reference.process.whole_files import write_json
from reference.run.prepare import prepare

# All that a run or an explanation depends on; a test holds it against what a task imports.
CODE = (
    *("__init__", "callable_package", "errors", "messages", "terminal"),
    *("process", "ledger", "lesson", "observe", "diff", "run", "deviations", "explain"),
    *("deviation_matrix/__init__", "deviation_matrix/one_run"),
)
AS_IT_IS = "as it is"


def make_matrix(recipe: Recipe, names: Sequence[str], work: Path, jobs: int) -> Matrix:
    """Run what isn't in `work` yet, and judge it all.

    Args:
        recipe: the recipe that is changed where a deviation needs another one.
        names: deviations of the catalogue.
        work: the folder that keeps all runs, from one call to the next.
        jobs: how many runs go on at once.

    Raises:
        InputError: for a name that isn't in the catalogue, a recipe of no use here, or code that
            was changed meanwhile.
        TrainingFailed: where a faithful run fails.
    """
    for name in names:
        if name not in CATALOGUE:
            raise nearest("deviation", name, CATALOGUE)
    if recipe.gradient_accumulation_steps > 1:
        raise InputError(
            "gradient_accumulation_steps: more than 1 is no setting to begin with, since the stock "
            "Trainer is then another run; leave it at 1"
        )
    recipe = prepare(recipe.for_loop(FAITHFUL))
    check_checkpoint(recipe)
    load_data(recipe)  # says what is wrong with it before anything is written
    version = key(recipe)
    folder = work / version
    settings = {setting_of(name): needs(name) for name in names}
    recipes = {s: dataclasses.replace(recipe, **with_) for s, with_ in settings.items()}
    for setting, its_recipe in recipes.items():
        folder_of(folder, setting).mkdir(parents=True, exist_ok=True)
        write_json(folder_of(folder, setting) / "recipe.json", its_recipe.to_json())
    faithful = [Task(s, folder_of(folder, s), FAITHFUL) for s in recipes]
    controls = [
        Task(s, folder_of(folder, s), loop) for s, r in recipes.items() for loop in loops_of(r)
    ]
    deviated = [Task(setting_of(n), folder_of(folder, setting_of(n)), n) for n in names]
    run_tasks([faithful, [*controls, *deviated]], jobs, recipe)
    if key(recipe) != version:
        raise InputError(f"{folder}: the code was changed while it ran; remove it and run again")
    for task in [*faithful, *controls]:
        failure = read(task.folder, task.what, RUN)["failure"]
        if failure:
            raise TrainingFailed(
                f"{task.folder / task.what}: a run without a deviation failed: {failure}"
            )
    return judge(recipe, controls, deviated)


def key(recipe: Recipe) -> str:
    """What a result depends on, in 12 hex digits: recipe, this package's code, and versions."""
    here = Path(__file__).parent.parent
    hashed = hashlib.sha256(json.dumps([recipe.to_json(), versions(), machine()]).encode())
    for name in CODE:
        path = here / name
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path.with_suffix(".py")]:
            hashed.update(file.relative_to(here).as_posix().encode() + file.read_bytes())
    return hashed.hexdigest()[:12]


def needs(name: str) -> dict[str, Any]:
    """What a deviation needs of the recipe so that it can show."""
    deviation = CATALOGUE[name]
    return {**deviation.shows_in_recipe, **deviation.in_matrix.recipe}


def setting_of(name: str) -> str:
    """What a deviation needs of the recipe, in words."""
    changes = needs(name).items()
    return ", ".join(f"{field} {value}" for field, value in changes) or AS_IT_IS


def folder_of(folder: Path, setting: str) -> Path:
    """The folder of a setting's runs."""
    return folder / setting.replace(", ", "-").replace(" ", "-")


def loops_of(recipe: Recipe) -> list[str]:
    """The faithful runs beside the first: all, but the Trainer where it is wrong for BERT."""
    wrong = {FAITHFUL} if recipe.gradient_accumulation_steps == 1 else {FAITHFUL, "trainer"}
    return [AGAIN, *(loop for loop in LOOPS if loop not in wrong)]


def judge(recipe: Recipe, controls: Sequence[Task], deviated: Sequence[Task]) -> Matrix:
    """What `diff`, `explain` and the checks of others say of all the runs."""
    faithful = {t.folder: read_run(t.folder, FAITHFUL) for t in [*controls, *deviated]}
    judged_controls = []
    for task in controls:
        ledgers = (task.folder / loop / LEDGER_FILE for loop in (FAITHFUL, task.what))
        verdict = diff(*ledgers).verdict
        failed = failed_by(faithful[task.folder], read_run(task.folder, task.what), verdict)
        judged_controls.append(Control(task.setting, task.what, verdict, failed))
    rows = [_row(task, faithful[task.folder]) for task in deviated]
    plain = next((task for task in controls if task.setting == AS_IT_IS), controls[0])
    first = read(plain.folder, FAITHFUL, RUN)
    about = {
        **first["header"],
        "recipe": recipe.to_json(),
        "date": first["date"],
        "seconds": sum(_seconds(task) for task in [*controls, *deviated]),
    }
    return Matrix(tuple(rows), tuple(judged_controls), about)


def _row(task: Task, faithful: Run) -> Row:
    result = read(task.folder, task.what, EXPLAINED)
    return Row(
        name=task.what,
        value=str(chosen(task.what)),
        setting=task.setting,
        verdict=result["verdict"],
        step=result["step"],
        link=result["link"],
        failed=failed_by(faithful, read_run(task.folder, task.what), result["verdict"]),
        explained=tuple(result.get("explained", ())),
        proven=result.get("proven", False),
        left=result.get("left", ""),
        failure=read(task.folder, task.what, RUN)["failure"],
    )


def read_run(folder: Path, what: str) -> Run:
    """A run as others look at it."""
    run = read(folder, what, RUN)
    weights: dict[str, Any] = load_file(folder / what / WEIGHTS)
    return Run(tuple(run["losses"]), run["scores"], weights)


def _seconds(task: Task) -> float:
    explained = read(task.folder, task.what, EXPLAINED) if task.what in CATALOGUE else {}
    run = read(task.folder, task.what, RUN)
    return float(run["seconds"]) + float(explained.get("seconds", 0.0))
