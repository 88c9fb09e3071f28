"""One run: a recipe, a loop, and a folder with all that is known of it afterwards.

    python -m reference train manual --run-dir try

The folder gets `recipe.json`, `ledger.jsonl`, written as the run goes, and `metrics.json`.
"""

import errno
from collections.abc import Callable, Collection
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

from reference.errors import InputError, NotFinite, OutOfSpace, RunError, TrainingFailed
from reference.keep.model_card import NOT_COMPARED, write_card
from reference.keep.saved_model import save_model
from reference.ledger.record import Record
from reference.lesson.data.fetched_rows import Fetched
from reference.lesson.data.pipeline import Data, load_data
from reference.lesson.loops import get_loop
from reference.lesson.metrics import LOSS, last_scores
from reference.lesson.model import models_made
from reference.lesson.recipe import Recipe
from reference.lesson.saving.keeping import kept
from reference.messages import first_line
from reference.observe.observer import StepNotFinite
from reference.observe.script.evaluate_scores import scores_taken
from reference.observe.script.launcher import Launch, launched
from reference.process.run_folder import clear_run_dir, make_run_dir
from reference.process.signals import check_not_stopped
from reference.process.whole_files import write_json
from reference.run.accelerate_launch import check_accelerate_launch
from reference.run.environment_variables import put_aside
from reference.run.header import header
from reference.run.inputs import check_processes
from reference.run.meeting import take_place
from reference.run.prepare import prepare
from reference.run.processes import (
    check_agreement,
    from_rank_0,
    join,
    leave,
    mean_loss,
)
from reference.run.resumption import begin
from reference.run.saving import Saving, check_saving
from reference.run.silence import no_silence
from reference.run.table import Metrics

METRICS_VERSION = 2
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # of a disk, a user's share, a file


def run(
    recipe: Recipe,
    loop: str,
    run_dir: Path | str,
    *,
    deterministic: bool = True,
    inside: Collection[int] = (),
    until: int | None = None,
    take: Callable[[Path], None] = lambda path: None,
    save: bool = False,
    saving: Saving | None = None,
) -> dict[str, Any]:
    """Train one loop by a recipe.

    Args:
        recipe: what is trained; its device may be `auto`.
        loop: `trainer`, `manual` or `accelerated`.
        run_dir: new, or an empty folder; gets `recipe.json`, `ledger.jsonl` and `metrics.json`.
        deterministic: False only to measure how far apart a GPU's runs are then.
        inside: the steps of which the ledger also gets the calls within the model.
        until: the step after which SystemExit ends the run, whose ledger is kept up to there.
        take: called with the run's folder when it is made: of several processes rank 0 names it.
        saving: whether checkpoints are kept, and the one to resume from; of one process.
        save: whether the folder also gets the trained model, in `model`, with its card.

    Returns:
        What `metrics.json` holds: steps, last loss, scores by name, seconds, and the weights' hash.
        A notebook shows it as a table.

    Raises:
        InputError: before anything is written, or with nothing left behind.
        NotFinite: a loss or a gradient isn't; the ledger up to that step is kept.
        OutOfSpace: the ledger can't be written any more; it is kept up to there.
        TrainingFailed: a library failed, with its kind and the step.
    """
    launch = launched()
    take_place(launch)
    get_loop(loop)
    recipe = prepare(recipe.for_loop(loop), deterministic=deterministic)
    check_processes(recipe, loop, launch.world_size)
    check_accelerate_launch(launch.world_size)
    check_saving(saving, loop, launch.world_size)
    data = load_data(recipe)
    first_line_of_ledger = header(recipe, loop, data, launch)
    train_it = partial(
        _run, recipe, loop, data, Path(run_dir), launch, take, inside, until, save, saving
    )
    if launch.world_size == 1:
        return train_it(first_line_of_ledger)
    join(recipe, launch)
    with no_silence(launch):
        check_agreement(first_line_of_ledger, launch)
        metrics = train_it(first_line_of_ledger)
        leave()
    return metrics


def _run(
    recipe: Recipe,
    loop: str,
    data: Data,
    run_dir: Path,
    launch: Launch,
    take: Callable[[Path], None],
    inside: Collection[int],
    until: int | None,
    save: bool,
    saving: Saving | None,
    first_line_of_ledger: Record,
) -> dict[str, Any]:
    train = get_loop(loop)
    fetched = Fetched(data.train, recipe)
    resumes = saving is not None and saving.resume is not None
    new = False
    if not resumes:
        run_dir, new = _take_folder(run_dir, recipe, launch)
    take(run_dir)
    begun = begin(saving, run_dir, launch.ledger_file, first_line_of_ledger, inside, until)
    observer = begun.observer
    try:
        with models_made() as models:
            taken = scores_taken(observer.add_scores)
            aside = put_aside(launch.world_size)
            with closing(begun), aside, kept(begun.keeping), observer, taken:
                evaluations = train(recipe, data)
            if save:
                save_model(models[-1], recipe, data, run_dir, writes=launch.rank == 0)
    except InputError:
        check_not_stopped()
        if launch.rank == 0 and not resumes:
            clear_run_dir(run_dir, new=new)
        raise
    except StepNotFinite as error:
        rows = fetched.rows(error.step, [inputs["input_ids"] for inputs in error.batches])
        where = f" (training rows {', '.join(str(row + 1) for row in rows)})" if rows else ""
        raise NotFinite(f"{error}{where}; see the data there, or lower learning_rate") from None
    except RunError:
        raise
    except Exception as error:  # whatever a library raises: out of memory, a device's assert
        if isinstance(error, OSError) and error.errno in FULL:
            # `observe` would go on: somebody else's training is worth more than its ledger. This
            # run is made for its ledger, and its recipe makes it again.
            raise OutOfSpace(
                f"{error.filename or run_dir}: {error.strerror or error}; stopped in step "
                f"{observer.steps + 1}: free some space, or give another --run-dir, and train again"
            ) from error
        raise TrainingFailed(
            f"{type(error).__name__} in step {observer.steps + 1}: {first_line(str(error))}; see "
            "it whole with --debug"
        ) from error
    final_loss = observer.final_loss_of_model
    if launch.world_size > 1:
        final_loss = mean_loss(final_loss, recipe, loop, len(data.train), observer.steps, launch)
    metrics = {
        "version": METRICS_VERSION,
        "loop": loop,
        "steps": observer.steps,
        "final_loss": final_loss,
        "scores": last_scores(evaluations),
        "evaluations": [
            {"step": step, LOSS: each[LOSS], "scores": last_scores({step: each})}
            for step, each in evaluations.items()
        ],
        "seconds": round(observer.seconds, 3),
        "weights": observer.final_weights,
    }
    if launch.rank == 0:
        write_json(run_dir / "metrics.json", metrics)
        if save:
            write_card(run_dir, recipe, first_line_of_ledger, metrics, NOT_COMPARED)
    return Metrics(metrics)


def _take_folder(run_dir: Path, recipe: Recipe, launch: Launch) -> tuple[Path, bool]:
    """The run's folder, made by rank 0 for all; and whether it is new."""
    said: InputError | None = None
    new = False
    if launch.rank == 0:
        try:
            new = make_run_dir(run_dir)
            write_json(run_dir / "recipe.json", recipe.to_json())
        except InputError as error:
            said = error
    if launch.world_size > 1:
        run_dir, said = from_rank_0((run_dir, said))
    if said is not None:
        raise said
    run_dir.mkdir(parents=True, exist_ok=True)  # on another machine than rank 0's
    return run_dir, new
