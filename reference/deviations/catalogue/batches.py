"""Deviations of the batches: their order, their size, their number."""

from reference.deviations.anchors import LOADERS, LOOP_PARTS, REPLACE
from reference.deviations.citations import ACCELERATE_EXAMPLE, NO_REPORT
from reference.deviations.clues.batches import (
    batch_size,
    padded_length,
    same_rows,
    seen_before,
    shapes,
)
from reference.deviations.clues.clue import MOST_TOKENS, Clue
from reference.deviations.clues.seeds import usual_seeds
from reference.deviations.conditions import has_smaller_batch, shuffles
from reference.deviations.deviation import Deviation
from reference.deviations.source_edits import VALUE, Edit, after, replace


def train_loader(options: str) -> tuple[Edit, ...]:
    """The training loader, with these options of DataLoader."""
    line = f"train_dataloader = loop_parts.dataloader_with(train_dataloader, {options})"
    return (LOOP_PARTS, after(LOADERS, line))


def _other_order(clue: Clue) -> bool:
    """The first batch has other rows: another order is another one from the beginning."""
    return clue.step == 1 and not same_rows(clue)


def _even_batches(clue: Clue) -> bool:
    """No batch of theirs is smaller than the others."""
    return len({rows for record in clue.their_steps for rows, _ in shapes(record)}) <= 1


def _their_batch_size(clue: Clue) -> list[int]:
    """The rows of their first batch, where it isn't ours and such a batch is affordable."""
    ours = batch_size(clue.ours) or clue.recipe.train_batch_size
    theirs = batch_size(clue.their_steps[0]) if clue.their_steps else None
    longest = max(padded_length(clue.ours) or 0, padded_length(clue.theirs) or 0)
    return [theirs] if theirs and theirs != ours and theirs * longest <= MOST_TOKENS else []


DEVIATIONS = (
    Deviation(
        name="order-seed",
        row=31,
        link="batch",
        summary="The order of the data is drawn from another seed.",
        shows_when="shuffling, in the seeded order",
        citation=NO_REPORT,
        edits=(
            REPLACE,
            replace(
                "get_dataloaders(recipe, data)",
                "get_dataloaders(replace(recipe, seed=VALUE), data)",
            ),
        ),
        default_value=43,
        values_to_try=usual_seeds,
        suggested_by=_other_order,
        applies_to=lambda recipe, _: recipe.data_order == "seeded",
        hidden_in_recipe={"data_order": "sequential"},
    ),
    Deviation(
        name="global-order",
        row=32,
        link="batch",
        also_in=("rng",),
        summary="The order is drawn from the global generator, as DataLoader's own shuffling does.",
        shows_when="the recipe has another order",
        citation="transformers#14647",
        edits=train_loader("shuffle=True"),
        suggested_by=_other_order,
        applies_to=lambda recipe, _: recipe.data_order != "global",
        replaces_fields={"data_order": "global"},
        hidden_in_recipe={"data_order": "global"},
    ),
    Deviation(
        name="seeded-order",
        row=32,
        link="batch",
        also_in=("rng",),
        summary="The stock Trainer's order, one permutation an epoch from a generator of its own.",
        shows_when="the recipe has another order",
        citation="transformers#14647",
        edits=train_loader("sampler=loop_parts.seeded_sampler(recipe, data)"),
        suggested_by=_other_order,
        applies_to=lambda recipe, _: recipe.data_order != "seeded",
        replaces_fields={"data_order": "seeded"},
        shows_in_recipe={"data_order": "global"},
        hidden_in_recipe={"data_order": "seeded"},
    ),
    Deviation(
        name="no-shuffle",
        row=33,
        link="batch",
        also_in=("rng",),
        summary="The rows come in the order of the file.",
        shows_when="the recipe shuffles",
        citation="accelerate#2208",
        edits=train_loader("shuffle=False"),
        suggested_by=_other_order,
        applies_to=shuffles,
        replaces_fields={"data_order": "sequential"},
        hidden_in_recipe={"data_order": "sequential"},
    ),
    Deviation(
        name="same-order-each-epoch",
        row=33,
        link="batch",
        also_in=("rng",),
        summary="The rows are shuffled once, and come in that order in each epoch.",
        shows_when="from epoch 2",
        citation="accelerate#2208",
        edits=train_loader("sampler=loop_parts.SameOrder(train_dataloader.sampler)"),
        suggested_by=seen_before,
        applies_to=shuffles,
        hidden_in_recipe={"num_train_epochs": 1},
    ),
    Deviation(
        name="last-batch-dropped",
        row=34,
        # Fewer batches are fewer steps: the rate falls faster from step 1, where max_steps doesn't
        # say how many there are.
        link="schedule",
        also_in=("batch",),
        summary="The last batch of an epoch is dropped where it is smaller.",
        shows_when="a last, smaller batch",
        citation=ACCELERATE_EXAMPLE,
        edits=train_loader("drop_last=True"),
        suggested_by=_even_batches,
        applies_to=has_smaller_batch,
        hidden_in_recipe={"train_batch_size": 4},
        changes_length=True,
    ),
    Deviation(
        name="batch-size",
        row=34,
        link="batch",
        summary="Another batch size in training.",
        shows_when="always",
        citation=NO_REPORT,
        edits=train_loader("batch_size=VALUE"),
        default_value=16,
        values_to_try=_their_batch_size,
        replaces_fields={"train_batch_size": VALUE},
        changes_length=True,
    ),
)
