"""What can be seen of a run's inputs before torch, transformers and `datasets` are imported.

    python -m reference compare --data FOLDER

Their imports take 5 s of CPU. A wrong word, row or folder is answered before them.
"""

from pathlib import Path

from reference.errors import InputError
from reference.lesson import embedded
from reference.lesson.checkpoint_config import check_head, positions
from reference.lesson.checkpoints import check_positions, find_checkpoint, is_local
from reference.lesson.data.own_table import columns_of, task_of
from reference.lesson.data.saved import is_saved
from reference.lesson.data.sources import check_source
from reference.lesson.loops import LOOPS_OF_SEVERAL
from reference.lesson.recipe import Recipe


def check_inputs(recipe: Recipe) -> None:
    """Check a recipe's data and checkpoint as far as plain Python can; the hub isn't asked.

    What is left is checked when it is loaded: rows of parquet and of saved datasets, the weights,
    and whether the tokenizer goes with them.

    Raises:
        InputError: names file, row and field of what is of no use, and says what to do.
    """
    task = columns_of(recipe)
    check_source(task, recipe.data)
    if recipe.checkpoint == "embedded":
        check_positions(recipe.max_length, int(embedded.CONFIG["max_position_embeddings"]))
    elif is_local(recipe.checkpoint):
        checkpoint = find_checkpoint(recipe.checkpoint)
        config = checkpoint.config
        count, padding = config.get("max_position_embeddings"), config.get("pad_token_id")
        check_positions(recipe.max_length, positions(config["model_type"], count, padding))
        if not (task.own and is_saved(Path(recipe.data))):  # whose labels come with `datasets`
            check_head(checkpoint.weights, len(task_of(recipe).labels), task.name)


def check_processes(recipe: Recipe, loop: str, world_size: int) -> None:
    """Raise InputError where a loop can't train the recipe on so many processes."""
    _check_fsdp(recipe, loop, world_size)
    if world_size == 1:
        return
    if loop not in LOOPS_OF_SEVERAL:
        raise InputError(
            f"{loop}: trains in one process, as in the course, and {world_size} were launched; "
            "train accelerated, or launch one"
        )
    size = recipe.train_batch_size
    if recipe.sharing == "whole":
        return
    if world_size > size:
        raise InputError(
            f"train_batch_size: {size} samples for {world_size} processes; launch {size} at most, "
            "or give a larger one"
        )
    if size % world_size and (loop == "trainer" or recipe.sharing == "split"):
        raise InputError(
            f"train_batch_size: {size} samples can't be shared evenly by {world_size} processes, "
            f"as {'the Trainer' if loop == 'trainer' else 'sharing split'} has to; give a "
            "multiple, or train accelerated by sharing exact"
        )
    if recipe.eval_batch_size % world_size and recipe.sharing == "split":
        raise InputError(
            f"eval_batch_size: {recipe.eval_batch_size} samples can't be shared evenly by "
            f"{world_size} processes, as sharing split has to; give a multiple, or sharing exact"
        )


def _check_fsdp(recipe: Recipe, loop: str, world_size: int) -> None:
    """Raise InputError where the model can't be sharded over the processes."""
    if recipe.fsdp == "no":
        return
    if world_size == 1:
        raise InputError(
            "fsdp: full_shard is for several processes; launch them (`launch fsdp-cpu-2 train "
            "accelerated`), or give --fsdp no"
        )
    if loop != "accelerated":
        raise InputError(
            f"fsdp: the {loop} loop has whole models here; train accelerated, or give --fsdp no"
        )
    if recipe.mixed_precision != "no":
        raise InputError(
            f"mixed_precision: {recipe.mixed_precision} isn't there with fsdp full_shard; give "
            "--mixed-precision no"
        )
