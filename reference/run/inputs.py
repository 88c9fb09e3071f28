"""What can be seen of a run's inputs before torch, transformers and `datasets` are imported.

    python -m reference compare --data FOLDER

Their imports take 5 s of CPU. A wrong word, row or folder is answered before them.
"""

from reference.errors import InputError
from reference.lesson import embedded
from reference.lesson.checkpoints import check_positions, find_checkpoint, is_local
from reference.lesson.data.sources import check_source
from reference.lesson.recipe import Recipe
from reference.lesson.tasks import get_task


def check_inputs(recipe: Recipe) -> None:
    """Check a recipe's data and checkpoint as far as plain Python can; the hub isn't asked.

    What is left is checked when it is loaded: rows of parquet and of saved datasets, the weights,
    and whether the tokenizer goes with them.

    Raises:
        InputError: names file, row and field of what is of no use, and says what to do.
    """
    check_source(get_task(recipe.task), recipe.data)
    if recipe.checkpoint == "embedded":
        check_positions(recipe.max_length, int(embedded.CONFIG["max_position_embeddings"]))
    elif is_local(recipe.checkpoint):
        config = find_checkpoint(recipe.checkpoint).config
        check_positions(recipe.max_length, config["max_position_embeddings"])


def check_processes(recipe: Recipe, loop: str, world_size: int) -> None:
    """Raise InputError where a loop can't train the recipe on so many processes."""
    if world_size == 1:
        return
    if loop == "manual":
        raise InputError(
            f"manual: trains in one process, as in the course, and {world_size} were launched; "
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
