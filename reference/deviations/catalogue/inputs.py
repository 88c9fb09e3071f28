"""Deviations of what a batch holds: masks and types, padding, where inputs are cut."""

from reference.deviations.anchors import LOADERS, LOOP_PARTS
from reference.deviations.catalogue.batches import train_loader
from reference.deviations.citations import NO_REPORT, RUN_GLUE
from reference.deviations.clues.batches import (
    has_input,
    input_varies,
    padded_length,
    padded_lengths,
    same_labels,
    shapes,
)
from reference.deviations.clues.clue import MOST_TOKENS, Clue
from reference.deviations.clues.recipe_model import positions
from reference.deviations.conditions import has_pairs, pads
from reference.deviations.deviation import Deviation, Trial
from reference.deviations.source_edits import Edit, after, before
from reference.lesson.recipe import LENGTHS, Recipe

FORWARD = "with torch.autocast("
EVALUATION = "with torch.no_grad(), "
PADDING = "padding"


def _both_loaders(options: str) -> tuple[Edit, ...]:
    """Both loaders, with these options of DataLoader."""
    line = f"eval_dataloader = loop_parts.dataloader_with(eval_dataloader, {options})"
    return (*train_loader(options), after(LOADERS, line))


def _each_batch(line: str) -> tuple[Edit, ...]:
    """A line before each forward pass, in training and in the evaluation."""
    return (before(FORWARD, line), before(EVALUATION, line))


def _one_length(clue: Clue) -> list[int]:
    """The length of all their batches, where there is but one and it isn't ours."""
    theirs = padded_lengths(clue.their_steps)
    fits = len(theirs) == 1 and padded_length(clue.ours) not in theirs and same_labels(clue)
    return list(theirs) if fits else []


def _cut_length(clue: Clue) -> list[int]:
    """Their padded length, where ours is longer: a row that was cut is just so long."""
    ours, theirs = padded_length(clue.ours), padded_length(clue.theirs)
    return [theirs] if ours and theirs and theirs < ours and same_labels(clue) else []


def _common_multiple(clue: Clue) -> list[int]:
    """Usual numbers of which all their lengths are multiples."""
    theirs = padded_lengths(clue.their_steps) if same_labels(clue) else {1}
    return [n for n in (8, 16, 32, 64, 4, 128) if all(length % n == 0 for length in theirs)]


def _has_positions(recipe: Recipe, tokens: int) -> bool:
    """The model has a position for each of so many tokens, and a batch of them is affordable."""
    most = min(positions(recipe), MOST_TOKENS // recipe.train_batch_size)
    return LENGTHS.low <= tokens <= most


def _same_shapes(clue: Clue) -> bool:
    """Other tokens in the same places."""
    return shapes(clue.ours) == shapes(clue.theirs) and same_labels(clue)


DEVIATIONS = (
    Deviation(
        name="no-attention-mask",
        row=35,
        link="batch",
        also_in=("forward",),
        summary="The attention mask isn't passed: the model attends to padding.",
        shows_when=PADDING,
        citation="transformers#278",
        edits=_each_batch('del batch["attention_mask"]'),
        suggested_by=lambda clue: not has_input(clue.theirs, "attention_mask"),
        applies_to=pads,
        hidden_in_recipe={"train_batch_size": 1, "eval_batch_size": 1},
    ),
    Deviation(
        name="no-token-types",
        row=36,
        link="batch",
        also_in=("forward",),
        summary="The token types aren't passed: the model isn't told the two sentences apart.",
        shows_when="pairs",
        citation=NO_REPORT,
        edits=_each_batch('del batch["token_type_ids"]'),
        suggested_by=lambda clue: not input_varies(clue.theirs, "token_type_ids"),
        applies_to=has_pairs,
    ),
    Deviation(
        name="sentences-swapped",
        row=36,
        link="batch",
        summary="The second sentence of a pair comes first.",
        shows_when="pairs",
        citation=NO_REPORT,
        edits=(LOOP_PARTS, before(LOADERS, "data = loop_parts.sentences_swapped(data, recipe)")),
        suggested_by=_same_shapes,
        applies_to=has_pairs,
    ),
    Deviation(
        name="truncated-left",
        row=37,
        link="batch",
        summary="Inputs that are too long lose their beginning, not their end.",
        shows_when="inputs longer than the recipe's max_length",
        citation=NO_REPORT,
        edits=(LOOP_PARTS, before(LOADERS, "data = loop_parts.truncated_left(data, recipe)")),
        suggested_by=_same_shapes,
        shows_in_recipe={"max_length": 24},
        hidden_in_recipe={"max_length": 512},
    ),
    Deviation(
        name="cut-at",
        row=37,
        link="batch",
        summary="Inputs are cut at another length.",
        shows_when="longer pairs",
        citation=RUN_GLUE,
        edits=(LOOP_PARTS, before(LOADERS, "data = loop_parts.cut_at(VALUE, data, recipe)")),
        default_value=128,
        values_to_try=_cut_length,
        affordable=_has_positions,
        in_tests=Trial(value=24),
        in_matrix=Trial(value=64),  # the longest pair has 103 tokens
        hidden_in_recipe={"max_length": 512},
    ),
    Deviation(
        name="padded-to",
        row=37,
        link="batch",
        summary="Everything is padded to one length, and cut at it.",
        shows_when="shorter pairs",
        citation=RUN_GLUE,
        edits=(
            before(LOADERS, "data = loop_parts.cut_at(VALUE, data, recipe)"),
            *_both_loaders(
                'collate_fn=loop_parts.collator_with(data, padding="max_length", max_length=VALUE)'
            ),
        ),
        default_value=128,
        values_to_try=_one_length,
        affordable=_has_positions,
        in_tests=Trial(value=64),
    ),
    Deviation(
        name="padding-counted-in",
        row=38,
        link="batch",
        also_in=("forward",),
        summary="The attention mask is all ones: padding is counted as text.",
        shows_when=PADDING,
        citation=NO_REPORT,
        edits=_each_batch('batch["attention_mask"] = torch.ones_like(batch["input_ids"])'),
        suggested_by=lambda clue: (
            has_input(clue.theirs, "attention_mask")
            and not input_varies(clue.theirs, "attention_mask")
        ),
        applies_to=pads,
        hidden_in_recipe={"train_batch_size": 1, "eval_batch_size": 1},
    ),
    Deviation(
        name="padded-to-multiple",
        row=38,
        link="batch",
        summary="Batches are padded on to a multiple of 8 or the like (`pad_to_multiple_of`).",
        shows_when=PADDING,
        citation=NO_REPORT,
        edits=_both_loaders("collate_fn=loop_parts.collator_with(data, pad_to_multiple_of=VALUE)"),
        default_value=8,
        values_to_try=_common_multiple,
    ),
    Deviation(
        name="padded-left",
        row=38,
        link="batch",
        summary="Padding comes before the tokens, and moves their positions.",
        shows_when=PADDING,
        citation=NO_REPORT,
        edits=_both_loaders("collate_fn=loop_parts.PaddingLeft(data)"),
        suggested_by=_same_shapes,
        applies_to=pads,
        hidden_in_recipe={"train_batch_size": 1, "eval_batch_size": 1},
    ),
)
