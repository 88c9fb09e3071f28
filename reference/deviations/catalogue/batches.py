"""Deviations of the batches: their order, their size, their number.

Try one: `python -m reference explain LEDGER`
"""

from reference.deviations.clues.batches import length, same_rows, seen_before, shapes, size
from reference.deviations.clues.clue import MOST_TOKENS, Clue
from reference.deviations.clues.seeds import usual_seeds
from reference.deviations.deviation import VALUE, Deviation
from reference.deviations.source_edits import Edit, after, imports, replace
from reference.lesson.recipe import Recipe

LOADERS = "train_dataloader, eval_dataloader = get_dataloaders(recipe, data)"
PIECES = imports("from reference.deviations import loop_parts")
REPLACE = imports("from dataclasses import replace")


def train_loader(options: str) -> tuple[Edit, ...]:
    """The training loader, with these options of DataLoader."""
    line = f"train_dataloader = loop_parts.rebuilt(train_dataloader, {options})"
    return (PIECES, after(LOADERS, line))


def _other_order(clue: Clue) -> bool:
    """Who has another order has it from the beginning."""
    return clue.step == 1 and not same_rows(clue)


def shuffled(recipe: Recipe, _rows: int) -> bool:
    return recipe.data_order != "sequential"


def _uneven(recipe: Recipe, rows: int) -> bool:
    return rows % recipe.train_batch_size != 0


def _even_batches(clue: Clue) -> bool:
    """No batch of theirs is smaller than the others."""
    return len({rows for record in clue.their_steps for rows, _ in shapes(record)}) <= 1


def _batch_size(clue: Clue) -> list[int]:
    ours = size(clue.ours) or clue.recipe.train_batch_size
    theirs = size(clue.their_steps[0]) if clue.their_steps else None
    longest = max(length(clue.ours) or 0, length(clue.theirs) or 0)
    fits = theirs and theirs != ours and theirs * longest <= MOST_TOKENS
    return [theirs] if theirs and fits else []


DEVIATIONS = (
    Deviation(
        "order-seed",
        31,
        "batch",
        "The order of the data is drawn from another seed.",
        "none",
        "shuffling, in the seeded order",
        (
            REPLACE,
            replace(
                "get_dataloaders(recipe, data)",
                "get_dataloaders(replace(recipe, seed=VALUE), data)",
            ),
        ),
        hidden_with={"data_order": "sequential"},
        can_show=lambda recipe, _: recipe.data_order == "seeded",
        value=43,
        values=usual_seeds,
        fits=_other_order,
    ),
    Deviation(
        "global-order",
        32,
        "batch",
        "The order is drawn from the global generator, as DataLoader's own shuffling does.",
        "transformers#14647",
        "the recipe has another order",
        train_loader("shuffle=True"),
        sets={"data_order": "global"},
        also=("rng",),
        hidden_with={"data_order": "global"},
        can_show=lambda recipe, _: recipe.data_order != "global",
        fits=_other_order,
    ),
    Deviation(
        "seeded-order",
        32,
        "batch",
        "The stock Trainer's order, one permutation an epoch from a generator of its own.",
        "transformers#14647",
        "the recipe has another order",
        train_loader("sampler=loop_parts.seeded(recipe, data)"),
        sets={"data_order": "seeded"},
        also=("rng",),
        shows_with={"data_order": "global"},
        hidden_with={},
        can_show=lambda recipe, _: recipe.data_order != "seeded",
        fits=_other_order,
    ),
    Deviation(
        "no-shuffle",
        33,
        "batch",
        "The rows come in the order of the file.",
        "accelerate#2208",
        "the recipe shuffles",
        train_loader("shuffle=False"),
        sets={"data_order": "sequential"},
        also=("rng",),
        hidden_with={"data_order": "sequential"},
        can_show=shuffled,
        fits=_other_order,
    ),
    Deviation(
        "same-order-each-epoch",
        33,
        "batch",
        "The rows are shuffled once, and come in that order in each epoch.",
        "accelerate#2208",
        "from epoch 2",
        train_loader("sampler=loop_parts.SameOrder(train_dataloader.sampler)"),
        also=("rng",),
        hidden_with={"num_train_epochs": 1},
        can_show=shuffled,
        fits=seen_before,
    ),
    Deviation(
        "last-batch-dropped",
        34,
        # Fewer batches are fewer steps: the rate falls faster from step 1, where max_steps doesn't
        # say how many there are.
        "schedule",
        "The last batch of an epoch is dropped where it is smaller.",
        "Accelerate's nlp_example.py",
        "a last, smaller batch",
        train_loader("drop_last=True"),
        also=("batch",),
        hidden_with={"train_batch_size": 4},
        can_show=_uneven,
        fits=_even_batches,
        length=True,
    ),
    Deviation(
        "batch-size",
        34,
        "batch",
        "Another batch size in training.",
        "none",
        "always",
        train_loader("batch_size=VALUE"),
        sets={"train_batch_size": VALUE},
        value=16,
        values=_batch_size,
        length=True,
    ),
)
