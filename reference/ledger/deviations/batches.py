"""Deviations of the batches: their order, their number, what is in them and how it is padded.

Try one: `python -m reference explain LEDGER`
"""

from reference.ledger.deviations.clue import (
    Clue,
    length,
    lengths,
    passed,
    same_labels,
    same_rows,
    seen_before,
    shapes,
    size,
    usual_seeds,
)
from reference.ledger.deviations.deviation import Deviation
from reference.ledger.deviations.edit import Edit, after, before, imports, replace
from reference.recipe import Recipe
from reference.tasks import get_task

LOADERS = "train_dataloader, eval_dataloader = get_dataloaders(recipe, data)"
PIECES = imports("from reference.ledger.deviations import pieces")
REPLACE = imports("from dataclasses import replace")
FORWARD = "with torch.autocast("
EVALUATION = "with torch.no_grad(), "
PADDING = "padding"


def train_loader(options: str) -> tuple[Edit, ...]:
    """The training loader, with these options of DataLoader."""
    line = f"train_dataloader = pieces.rebuilt(train_dataloader, {options})"
    return (PIECES, after(LOADERS, line))


def both_loaders(options: str) -> tuple[Edit, ...]:
    line = f"eval_dataloader = pieces.rebuilt(eval_dataloader, {options})"
    return (*train_loader(options), after(LOADERS, line))


def each_batch(line: str) -> tuple[Edit, ...]:
    """A line before each forward pass, in training and in the evaluation."""
    return (before(FORWARD, line), before(EVALUATION, line))


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
    return [theirs] if theirs and theirs != ours else []


def _padded(clue: Clue) -> list[int]:
    """All their batches are of one length."""
    found = lengths(clue.their_steps)
    fits = len(found) == 1 and length(clue.ours) not in found and same_labels(clue)
    return list(found) if fits else []


def _cut(clue: Clue) -> list[int]:
    """Where a row was cut, theirs is just so long, and ours longer."""
    ours, theirs = length(clue.ours), length(clue.theirs)
    return [theirs] if ours and theirs and theirs < ours and same_labels(clue) else []


def _multiple(clue: Clue) -> list[int]:
    found = lengths(clue.their_steps) if same_labels(clue) else {1}
    return [n for n in (8, 16, 32, 64, 4, 128) if all(one % n == 0 for one in found)]


def _pairs(recipe: Recipe, _rows: int) -> bool:
    return len(get_task(recipe.task).text) == 2


def _same_shapes(clue: Clue) -> bool:
    """Other tokens in the same places."""
    return shapes(clue.ours) == shapes(clue.theirs) and same_labels(clue)


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
        train_loader("sampler=pieces.seeded(recipe, data)"),
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
        train_loader("sampler=pieces.SameOrder(train_dataloader.sampler)"),
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
    ),
    Deviation(
        "batch-size",
        34,
        "batch",
        "Another batch size in training.",
        "none",
        "always",
        train_loader("batch_size=VALUE"),
        value=16,
        values=_batch_size,
    ),
    Deviation(
        "no-attention-mask",
        35,
        "batch",
        "The attention mask isn't passed: the model attends to padding.",
        "transformers#278",
        PADDING,
        each_batch('del batch["attention_mask"]'),
        also=("forward",),
        hidden_with={"train_batch_size": 1, "eval_batch_size": 1},
        can_show=lambda recipe, _: recipe.train_batch_size > 1,
        fits=lambda clue: not passed(clue.theirs, "attention_mask"),
    ),
    Deviation(
        "no-token-types",
        36,
        "batch",
        "The token types aren't passed: the model isn't told the two sentences apart.",
        "none",
        "pairs",
        each_batch('del batch["token_type_ids"]'),
        also=("forward",),
        can_show=_pairs,
        fits=lambda clue: not passed(clue.theirs, "token_type_ids"),
    ),
    Deviation(
        "sentences-swapped",
        36,
        "batch",
        "The second sentence of a pair comes first.",
        "none",
        "pairs",
        (PIECES, before(LOADERS, "data = pieces.swapped(data, recipe)")),
        can_show=_pairs,
        fits=_same_shapes,
    ),
    Deviation(
        "truncated-left",
        37,
        "batch",
        "Inputs that are too long lose their beginning, not their end.",
        "none",
        "inputs longer than the recipe's max_length",
        (PIECES, before(LOADERS, "data = pieces.truncated_left(data, recipe)")),
        shows_with={"max_length": 24},
        hidden_with={},
        fits=_same_shapes,
    ),
    Deviation(
        "padded-to",
        37,
        "batch",
        "Everything is padded to one length, and cut at it.",
        "run_glue.py",
        "shorter pairs",
        (
            before(LOADERS, "data = pieces.cut_at(VALUE, data, recipe)"),
            *both_loaders(
                'collate_fn=pieces.padding(data, padding="max_length", max_length=VALUE)'
            ),
        ),
        value=128,
        values=_padded,
    ),
    Deviation(
        "cut-at",
        37,
        "batch",
        "Inputs are cut at another length.",
        "run_glue.py",
        "longer pairs",
        (PIECES, before(LOADERS, "data = pieces.cut_at(VALUE, data, recipe)")),
        hidden_with={},
        value=128,
        values=_cut,
    ),
    Deviation(
        "padding-counted-in",
        38,
        "batch",
        "The attention mask is all ones: padding is counted as text.",
        "none",
        PADDING,
        each_batch('batch["attention_mask"] = torch.ones_like(batch["input_ids"])'),
        also=("forward",),
        hidden_with={"train_batch_size": 1, "eval_batch_size": 1},
        can_show=lambda recipe, _: recipe.train_batch_size > 1,
        fits=lambda clue: not passed(clue.theirs, "attention_mask"),
    ),
    Deviation(
        "padded-to-multiple",
        38,
        "batch",
        "Batches are padded on to a multiple of 8 or the like (`pad_to_multiple_of`).",
        "none",
        PADDING,
        both_loaders("collate_fn=pieces.padding(data, pad_to_multiple_of=VALUE)"),
        value=8,
        values=_multiple,
    ),
    Deviation(
        "padded-left",
        38,
        "batch",
        "Padding comes before the tokens, and moves their positions.",
        "none",
        PADDING,
        both_loaders("collate_fn=pieces.PaddingLeft(data)"),
        hidden_with={"train_batch_size": 1, "eval_batch_size": 1},
        can_show=lambda recipe, _: recipe.train_batch_size > 1,
        fits=_same_shapes,
    ),
)
