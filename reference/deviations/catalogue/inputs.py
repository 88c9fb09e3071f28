"""Deviations of what a batch holds: masks and types, padding, where inputs are cut.

Try one: `python -m reference explain LEDGER`
"""

from reference.deviations.catalogue.batches import LOADERS, PIECES, train_loader
from reference.deviations.clues.batches import given, length, lengths, passed, same_labels, shapes
from reference.deviations.clues.clue import MOST_TOKENS, Clue
from reference.deviations.clues.recipe_model import positions
from reference.deviations.deviation import Deviation
from reference.deviations.source_edits import Edit, after, before
from reference.lesson.recipe import FIELDS, Recipe
from reference.lesson.tasks import get_task

FORWARD = "with torch.autocast("
EVALUATION = "with torch.no_grad(), "
PADDING = "padding"


def both_loaders(options: str) -> tuple[Edit, ...]:
    line = f"eval_dataloader = loop_parts.rebuilt(eval_dataloader, {options})"
    return (*train_loader(options), after(LOADERS, line))


def each_batch(line: str) -> tuple[Edit, ...]:
    """A line before each forward pass, in training and in the evaluation."""
    return (before(FORWARD, line), before(EVALUATION, line))


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


def _has_places(recipe: Recipe, tokens: int) -> bool:
    """The model has a position for each of so many tokens, and a batch of them can be had."""
    most = min(positions(recipe), MOST_TOKENS // recipe.train_batch_size)
    return int(FIELDS["max_length"].metadata["low"]) <= tokens <= most


def _pairs(recipe: Recipe, _rows: int) -> bool:
    return len(get_task(recipe.task).text) == 2


def _same_shapes(clue: Clue) -> bool:
    """Other tokens in the same places."""
    return shapes(clue.ours) == shapes(clue.theirs) and same_labels(clue)


DEVIATIONS = (
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
        fits=lambda clue: not given(clue.theirs, "attention_mask"),
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
        (PIECES, before(LOADERS, "data = loop_parts.swapped(data, recipe)")),
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
        (PIECES, before(LOADERS, "data = loop_parts.truncated_left(data, recipe)")),
        shows_with={"max_length": 24},
        hidden_with={},
        fits=_same_shapes,
    ),
    Deviation(
        "cut-at",
        37,
        "batch",
        "Inputs are cut at another length.",
        "run_glue.py",
        "longer pairs",
        (PIECES, before(LOADERS, "data = loop_parts.cut_at(VALUE, data, recipe)")),
        hidden_with={},
        value=128,
        values=_cut,
        holds=_has_places,
    ),
    Deviation(
        "padded-to",
        37,
        "batch",
        "Everything is padded to one length, and cut at it.",
        "run_glue.py",
        "shorter pairs",
        (
            before(LOADERS, "data = loop_parts.cut_at(VALUE, data, recipe)"),
            *both_loaders(
                'collate_fn=loop_parts.padding(data, padding="max_length", max_length=VALUE)'
            ),
        ),
        value=128,
        values=_padded,
        holds=_has_places,
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
        fits=lambda clue: (
            given(clue.theirs, "attention_mask") and not passed(clue.theirs, "attention_mask")
        ),
    ),
    Deviation(
        "padded-to-multiple",
        38,
        "batch",
        "Batches are padded on to a multiple of 8 or the like (`pad_to_multiple_of`).",
        "none",
        PADDING,
        both_loaders("collate_fn=loop_parts.padding(data, pad_to_multiple_of=VALUE)"),
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
        both_loaders("collate_fn=loop_parts.PaddingLeft(data)"),
        hidden_with={"train_batch_size": 1, "eval_batch_size": 1},
        can_show=lambda recipe, _: recipe.train_batch_size > 1,
        fits=_same_shapes,
    ),
)
